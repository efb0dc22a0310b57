package tunnel

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/pptp"
)

// A controlEnd is one side of a control connection under test.
type controlEnd struct {
	*Control
	cancel context.CancelFunc
	done   chan error

	mu     sync.Mutex
	events []pptp.Event // mu guards
}

// startControl runs a Control; on is told of its events, from its loop.
func startControl(t *testing.T, role pptp.Role, conn net.Conn, on func(*controlEnd, pptp.Event)) *controlEnd {
	e := &controlEnd{done: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	e.Control = NewControl(conn, ControlConfig{PPTP: pptp.Config{Role: role, HostName: "test"}, Log: log, OnEvent: func(ev pptp.Event) {
		e.mu.Lock()
		e.events = append(e.events, ev)
		e.mu.Unlock()
		if on != nil {
			on(e, ev)
		}
	}})
	var ctx context.Context
	ctx, e.cancel = context.WithCancel(context.Background())
	go func() { e.done <- e.Run(ctx) }()
	return e
}

// seen returns the first event of type T.
func seen[T pptp.Event](e *controlEnd) (ev T, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, have := range e.events {
		if ev, ok := have.(T); ok {
			return ev, true
		}
	}
	return ev, false
}

// connect runs both ends of a control connection in a bubble; the client asks
// for a call that it knows as 9, and the server answers it as 7.
func connect(t *testing.T, f func(t *testing.T, c, s *controlEnd)) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		s := startControl(t, pptp.Server, b, func(e *controlEnd, ev pptp.Event) {
			if call, ok := ev.(pptp.CallOffered); ok {
				e.Answer(call.PeerCallID, 7)
			}
		})
		c := startControl(t, pptp.Client, a, func(e *controlEnd, ev pptp.Event) {
			if _, ok := ev.(pptp.Established); ok {
				e.PlaceCall(9)
			}
		})
		synctest.Wait()
		cc, ok := seen[pptp.CallConnected](c)
		sc, ok2 := seen[pptp.CallConnected](s)
		if !ok || !ok2 || cc.CallID != 9 || cc.PeerCallID != 7 || sc.CallID != 7 || sc.PeerCallID != 9 {
			t.Fatalf("connected: %+v and %+v", cc, sc)
		}
		f(t, c, s)
	})
}

// TestControl: requests are made from OnEvent and from elsewhere, and the end
// is orderly on both sides.
func TestControl(t *testing.T) {
	connect(t, func(t *testing.T, c, s *controlEnd) {
		c.SetLinkInfo(9, 1, 2)
		synctest.Wait()
		if li, ok := seen[pptp.LinkInfo](s); !ok || li.CallID != 7 || li.Send != 1 || li.Recv != 2 {
			t.Errorf("link info %+v", li)
		}
		c.Clear(9)
		synctest.Wait()
		ce, ok := seen[pptp.CallEnded](c)
		se, ok2 := seen[pptp.CallEnded](s)
		if !ok || !ok2 || ce.CallID != 9 || ce.Err != nil || se.CallID != 7 {
			t.Errorf("ended: %+v and %+v", ce, se)
		}
		c.Stop(pptp.StopNone)
		if err := <-c.done; err != nil {
			t.Errorf("the client's Run returned %v", err)
		}
		if err := <-s.done; err != nil && !errors.As(err, new(*pptp.StopError)) {
			t.Errorf("the server's Run returned %v", err)
		}
		for _, e := range []*controlEnd{c, s} {
			if _, ok := e.events[len(e.events)-1].(pptp.Closed); !ok {
				t.Errorf("the last event is %+v", e.events[len(e.events)-1])
			}
			if slices.ContainsFunc(e.events, func(ev pptp.Event) bool { _, ok := ev.(pptp.Send); return ok }) {
				t.Error("OnEvent has seen a Send")
			}
		}
	})
}

// TestControlRefuse: a call is refused, and the connection stays.
func TestControlRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		s := startControl(t, pptp.Server, b, func(e *controlEnd, ev pptp.Event) {
			if call, ok := ev.(pptp.CallOffered); ok {
				e.Refuse(call.PeerCallID, pptp.CallBusy, 0)
			}
		})
		c := startControl(t, pptp.Client, a, nil)
		c.PlaceCall(9) // before it is established
		synctest.Wait()
		ended, ok := seen[pptp.CallEnded](c)
		refused, isRefusal := errors.AsType[*pptp.CallError](ended.Err)
		if !ok || !isRefusal || refused.Result != pptp.CallBusy {
			t.Errorf("ended: %+v", ended)
		}
		s.Stop(pptp.StopLocalShutdown)
		<-c.done
		<-s.done
	})
}

// TestControlLost: TCP that ends without a word ends calls and connection.
func TestControlLost(t *testing.T) {
	connect(t, func(t *testing.T, c, s *controlEnd) {
		s.cancel()
		if err := <-s.done; !errors.Is(err, context.Canceled) {
			t.Errorf("the server's Run returned %v", err)
		}
		err := <-c.done
		lost, ok := errors.AsType[*pptp.LostError](err)
		if !ok || !errors.Is(lost, io.EOF) && !errors.Is(lost, io.ErrClosedPipe) {
			t.Errorf("the client's Run returned %v", err)
		}
		if ended, ok := seen[pptp.CallEnded](c); !ok || ended.Err == nil {
			t.Errorf("the call: %+v", ended)
		}
	})
}

// TestControlGarbage: what is no PPTP ends the connection at once.
func TestControlGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		c := startControl(t, pptp.Server, a, nil)
		b.Write([]byte("GET / HTTP/1.0\r\nHost: example.com\r\n\r\n"))
		began := time.Now()
		if err := <-c.done; !errors.Is(err, pptp.ErrMagic) && !errors.Is(err, pptp.ErrLength) {
			t.Errorf("Run returned %v", err)
		}
		if time.Since(began) > 0 {
			t.Errorf("it took %v", time.Since(began))
		}
		if _, err := b.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
	})
}

// TestControlSlowPeer: a peer that reads nothing is given up after some time,
// and holds up neither requests nor the end of the context meanwhile.
func TestControlSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := startControl(t, pptp.Client, a, nil)
		for range 1000 {
			c.SetLinkInfo(9, 0, 0)
		}
		began := time.Now()
		err := <-c.done
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != writeTimeout {
			t.Errorf("Run returned %v after %v", err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := startControl(t, pptp.Client, a, nil)
		pass(time.Second)
		c.cancel()
		if err := <-c.done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// TestControlSilentPeer: a peer that reads and says nothing is given up.
func TestControlSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		go io.Copy(io.Discard, b)
		c := startControl(t, pptp.Client, a, nil)
		err := <-c.done
		if _, ok := errors.AsType[*pptp.TimeoutError](err); !ok {
			t.Errorf("Run returned %v", err)
		}
		b.Close()
	})
}

// TestControlKeepalive: a quiet connection is kept by echo, and one whose peer
// has fallen silent is not.
func TestControlKeepalive(t *testing.T) {
	connect(t, func(t *testing.T, c, s *controlEnd) {
		pass(10 * time.Minute)
		if _, ok := seen[pptp.EchoSeen](c); !ok {
			t.Error("no echo in ten minutes")
		}
		if _, ok := seen[pptp.CallEnded](c); ok {
			t.Error("the call has ended in ten quiet minutes")
		}
		c.cancel()
		s.cancel()
		<-c.done
		<-s.done
	})
}

func TestAddresses(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := NewControl(conn, ControlConfig{})
	if c.RemoteAddr().String() != l.Addr().String() || c.LocalAddr().String() != conn.LocalAddr().String() {
		t.Errorf("%v and %v, want %v and %v", c.LocalAddr(), c.RemoteAddr(), conn.LocalAddr(), l.Addr())
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if got := NewControl(a, ControlConfig{}).RemoteAddr(); got != (netip.AddrPort{}) {
		t.Errorf("of a pipe: %v", got)
	}
}
