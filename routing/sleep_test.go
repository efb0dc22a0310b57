package routing

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestWatchSleep(t *testing.T) {
	address := privateBus(t)
	logind, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer logind.Close()
	if reply, err := logind.RequestName(logindName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	stranger, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, told, done := make(chan struct{}), make(chan bool, 8), make(chan error, 1)
	go func() {
		done <- WatchSleep(ctx, address, func() { close(ready) }, func(sleeping bool) { told <- sleeping })
	}()
	wait(t, "listening", ready)
	emit := func(conn *dbus.Conn, path dbus.ObjectPath, member string, values ...any) {
		t.Helper()
		if err := conn.Emit(path, logindInterface+"."+member, values...); err != nil {
			t.Fatal(err)
		}
	}
	// Only the last two are logind's word on sleeping. The stranger's is sent
	// first, and by the round trip after it has been passed on.
	emit(stranger, logindPath, prepareForSleep, true)
	if err := stranger.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
		t.Fatal(err)
	}
	emit(logind, logindPath, "PrepareForShutdown", true)
	emit(logind, logindPath+"/other", prepareForSleep, true)
	emit(logind, logindPath, prepareForSleep, "a text")
	emit(logind, logindPath, prepareForSleep, false)
	emit(logind, logindPath, prepareForSleep, true)
	if first, second := wait(t, "resumed", told), wait(t, "asleep", told); first || !second {
		t.Errorf("told %v, %v", first, second)
	}
	cancel()
	if err := wait(t, "the end", done); err != nil {
		t.Error(err)
	}
	if err := WatchSleep(context.Background(), "unix:path="+filepath.Join(t.TempDir(), "none"), nil, nil); err == nil {
		t.Error("without a bus there is no error")
	}
}

// The bus goes away: that is said, and nothing hangs.
func TestWatchSleepBusGone(t *testing.T) {
	ready, done := make(chan struct{}), make(chan error, 1)
	t.Run("while it is there", func(t *testing.T) {
		address := privateBus(t) // until this part ends
		go func() {
			done <- WatchSleep(context.Background(), address, func() { close(ready) }, func(bool) {})
		}()
		wait(t, "listening", ready)
	})
	if t.Failed() {
		return
	}
	select {
	case <-ready:
	default:
		t.Skip("there was no bus")
	}
	if err := wait(t, "the end", done); err == nil {
		t.Error("no error")
	}
}
