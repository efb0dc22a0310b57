package osnet

import (
	"errors"
	"net"
	"testing"
	"time"
)

func TestTUNLinger(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, PeerRoute: true})
	for range 2 { // also after it has given up what it costs
		if there, err := tun.Linger(time.Millisecond); there || err != nil {
			t.Errorf("with nothing to read: %v, %v", there, err)
		}
	}
	var conn net.Conn
	ns.do(t, func() (err error) { conn, err = net.Dial("udp4", "10.9.0.2:9"); return })
	defer conn.Close()
	for _, early := range []bool{true, false} {
		type result struct {
			there bool
			err   error
		}
		done := make(chan result, 1)
		linger := func() {
			there, err := tun.Linger(time.Hour)
			done <- result{there, err}
		}
		if early {
			go linger()
		}
		conn.Write([]byte("there"))
		if !early {
			go linger()
		}
		if r := <-done; !r.there || r.err != nil {
			t.Errorf("with something to read: %v, %v", r.there, r.err)
		}
		if p, err := readPacket(tun, make([]byte, FrameSize)); err != nil || string(p[28:]) != "there" {
			t.Errorf("read %q, %v", p, err)
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := tun.Linger(time.Hour)
		ended <- err
	}()
	if err := tun.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("closed meanwhile: %v, want ErrClosed", err)
	}
	if _, err := tun.Linger(time.Hour); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	// The descriptor's second holder is gone too, and so the interface.
	ns.do(t, func() error {
		if _, err := net.InterfaceByName(tun.Name()); err == nil {
			t.Errorf("%s is still there", tun.Name())
		}
		return nil
	})
}
