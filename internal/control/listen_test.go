package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestListenReplacesADeadSocketOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v: anybody may ask", fi.Mode(), err)
	}
	if _, err := Listen(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a socket in use: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as if killed
	l.Close()
	l, err = Listen(path)
	if err != nil {
		t.Fatalf("a socket left behind: %v", err)
	}
	l.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays after Close: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in its place: %v", err)
	}
}

func TestSocketActivation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	// A descriptor that nobody else owns, as systemd's are.
	fd, err := syscall.Dup(int(f.Fd()))
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()+1))
	t.Setenv("LISTEN_FDS", "1")
	if Activated() {
		t.Error("activated for another process")
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	if !Activated() {
		t.Error("not activated")
	}
	ls, err := activationListeners(fd)
	if err != nil || len(ls) != 1 {
		t.Fatalf("%v, %v", ls, err)
	}
	if Activated() {
		t.Error("the descriptors can be taken twice")
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	ls[0].Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("systemd's socket was removed: %v", err)
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	t.Setenv("LISTEN_FDS", "many")
	if _, err := activationListeners(fd); err == nil {
		t.Error("LISTEN_FDS=many was taken")
	}
}

func TestConnectionLimits(t *testing.T) {
	l := &peerListener{byUID: map[uint32]int{}}
	for range maxConnsPerUID {
		if !l.take(1000) {
			t.Fatal("refused below the limit")
		}
	}
	if l.take(1000) {
		t.Error("one user has more than its share")
	}
	if !l.take(1001) || !l.take(0) {
		t.Error("others are locked out")
	}
	for uid := uint32(2000); l.total < maxConns; uid++ {
		if !l.take(uid) {
			t.Fatalf("refused at %d of %d", l.total, maxConns)
		}
	}
	if l.take(5000) {
		t.Error("more than the total")
	}
	if !l.take(0) {
		t.Error("root is locked out")
	}
	l.release(1000)
	if l.byUID[1000] != maxConnsPerUID-1 {
		t.Error("release does not count")
	}
}

func TestLimitIsFreedWithTheConnection(t *testing.T) {
	path, _, _ := serve(t, newDaemon(), Options{PeerOf: peer(Peer{UID: 1000})})
	var conns []net.Conn
	for range maxConnsPerUID {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// Answered: it has been accepted.
		if _, err := c.Write([]byte("GET /v1/profiles HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	over, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	if _, err := over.Read(make([]byte, 1)); err == nil {
		t.Fatal("one too many was served")
	}
	for _, c := range conns {
		c.Close()
	}
	for { // until the server has seen that they are gone
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Profiles(t.Context())
		c.Close()
		if err == nil {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("never served again")
		}
	}
}

func TestHub(t *testing.T) {
	var h Hub
	h.Publish(Event{Text: "to nobody"})
	ctx, cancel := context.WithCancel(t.Context())
	a, b := h.Events(ctx), h.Events(t.Context())
	for i := range hubBuffer + 10 {
		h.Publish(Event{Text: strconv.Itoa(i)})
	}
	// Nobody read: the oldest are gone, the newest are there.
	for i := 10; i < hubBuffer+10; i++ {
		if e := <-a; e.Text != strconv.Itoa(i) {
			t.Fatalf("event %q, want %d", e.Text, i)
		}
	}
	cancel()
	if _, ok := <-a; ok {
		t.Error("an event after the end")
	}
	h.Publish(Event{Text: "last"})
	var last Event
	for range hubBuffer {
		last = <-b
	}
	if last.Text != "last" {
		t.Errorf("the other subscriber's last event is %q", last.Text)
	}
}
