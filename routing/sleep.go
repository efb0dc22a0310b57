package routing

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// The D-Bus interface of systemd-logind; see org.freedesktop.login1(5).
const (
	logindName      = "org.freedesktop.login1"
	logindInterface = logindName + ".Manager"
	logindPath      = "/org/freedesktop/login1"
	prepareForSleep = "PrepareForSleep"
)

// WatchSleep calls changed with true before this machine is suspended and with
// false after it has been resumed, as systemd-logind tells it, until ctx is
// done. bus is the address of the system bus, "" the usual one. ready, when not
// nil, is called once it listens. The error says why it cannot, or cannot any
// longer.
func WatchSleep(ctx context.Context, bus string, ready func(), changed func(sleeping bool)) error {
	var conn *dbus.Conn
	var err error
	if bus == "" {
		conn, err = dbus.ConnectSystemBus()
	} else {
		conn, err = dbus.Connect(bus)
	}
	if err != nil {
		return fmt.Errorf("routing: system bus: %w", err)
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 4)
	conn.Signal(signals)
	if err := conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(logindName), dbus.WithMatchObjectPath(logindPath),
		dbus.WithMatchInterface(logindInterface), dbus.WithMatchMember(prepareForSleep)); err != nil {
		return fmt.Errorf("routing: system bus: %w", err)
	}
	if ready != nil {
		ready()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case sig, ok := <-signals:
			if !ok {
				return errors.New("routing: the system bus has gone")
			}
			var sleeping bool
			if sig.Name == logindInterface+"."+prepareForSleep && dbus.Store(sig.Body, &sleeping) == nil {
				changed(sleeping)
			}
		}
	}
}
