package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
)

// wantClosed waits until the server has closed the connection, and returns how
// long that took.
func wantClosed(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	begin := time.Now()
	c.SetReadDeadline(begin.Add(10 * time.Minute))
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the connection was not closed: %v", err)
	}
	return time.Since(begin)
}

func TestSilentConnectionsHoldNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		silent := r.connect(ip("198.51.100.66"))
		half := r.connect(ip("198.51.100.66")) // half a message
		if _, err := half.Write(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("another client waited %v", took)
		}
		if took := wantClosed(t, silent); took > 30*time.Second {
			t.Errorf("a silent connection stayed for %v", took)
		}
		wantClosed(t, half)
		synctest.Wait()
		if r.srv.gate.total != 0 || len(r.srv.gate.perPeer) != 0 {
			t.Errorf("the gate still counts %d, %v", r.srv.gate.total, r.srv.gate.perPeer)
		}
		d.hangUp()
	})
}

func TestAFloodIsRefusedBeforeItCosts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{Pending: 20, PendingPerPeer: 8})
		defer r.stop()
		var open []net.Conn
		closed := 0
		connect := func(from string) {
			c := r.connect(ip(from))
			synctest.Wait()
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
				closed++
				return
			}
			c.SetReadDeadline(time.Time{})
			open = append(open, c)
		}
		before := runtime.NumGoroutine()
		for range 100 {
			connect("198.51.100.66")
		}
		if len(open) != 8 || closed != 92 {
			t.Errorf("of one address %d stay and %d are refused, want 8 and 92", len(open), closed)
		}
		// Others are let in all the same, until the total is reached.
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		for _, from := range []string{"198.51.100.67", "198.51.100.68"} {
			for range 50 {
				connect(from)
			}
		}
		if len(open) != 20 {
			t.Errorf("%d stay in total, want 20: an authenticated one does not count", len(open))
		}
		if n := runtime.NumGoroutine() - before; n > 100 {
			t.Errorf("%d goroutines for 200 connections of which 20 were let in", n)
		}
		if n := strings.Count(r.log.String(), "control connection refused"); n == 0 || n > linesPerSecond {
			t.Errorf("%d lines in the log", n)
		}
		for _, c := range open {
			if took := wantClosed(t, c); took > 2*time.Minute {
				t.Errorf("a stranger stayed for %v", took)
			}
		}
		d.hangUp()
	})
}

// talk is a control connection that says the least there is to say.
type talk struct {
	*tunnel.Control
	events chan pptp.Event
	done   chan error
}

func (r *running) talk(t *testing.T, from string) *talk {
	c := &talk{events: make(chan pptp.Event, 100), done: make(chan error, 1)}
	c.Control = tunnel.NewControl(r.connect(ip(from)), tunnel.ControlConfig{
		PPTP:    pptp.Config{Role: pptp.Client, MaxCalls: 100, EchoInterval: 10 * time.Minute},
		OnEvent: func(ev pptp.Event) { c.events <- ev },
	})
	go func() { c.done <- c.Run(t.Context()) }()
	if _, ok := (<-c.events).(pptp.Established); !ok {
		t.Fatal("no control connection")
	}
	return c
}

func TestHandshakeEndsInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{Handshake: 40 * time.Second})
		defer r.stop()
		begin := time.Now()
		c := r.talk(t, "198.51.100.66") // no call
		<-c.done
		if took := time.Since(begin); took != 40*time.Second {
			t.Errorf("a connection without a call stayed for %v", took)
		}
		synctest.Wait()
		if r.log.line("control connection ended", "no authenticated session") == "" {
			t.Error("the log does not say why")
		}
		// An authenticated one may stay.
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		select {
		case <-d.ended:
			t.Errorf("an authenticated one was ended: %v", d.err)
		case <-time.After(10 * time.Minute):
		}
		d.hangUp()
	})
}

func TestAfterItsLastSessionAConnectionIsAStrangers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{Handshake: 40 * time.Second})
		defer r.stop()
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		synctest.Wait()
		if r.srv.gate.total != 0 {
			t.Errorf("the gate counts %d with a session up", r.srv.gate.total)
		}
		if err := r.srv.Kick("ppp0"); err != nil {
			t.Fatal(err)
		}
		// The test's client ends its connection 10 s after its session.
		r.srv.waitSessions(time.Minute)
		r.srv.gate.mu.Lock()
		total := r.srv.gate.total
		r.srv.gate.mu.Unlock()
		if total != 1 {
			t.Errorf("the gate counts %d with no session left", total)
		}
		<-d.ended
		synctest.Wait()
		if r.srv.gate.total != 0 {
			t.Errorf("the gate counts %d with no connection left", r.srv.gate.total)
		}
	})
}

func TestCallsThatAreNotAuthenticatedAreFew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{PendingCalls: 3})
		defer r.stop()
		c := r.talk(t, "198.51.100.66")
		for id := range uint16(5) {
			c.PlaceCall(id + 1)
		}
		connected, refused := 0, 0
		for range 5 {
			switch ev := (<-c.events).(type) {
			case pptp.CallConnected:
				connected++
			case pptp.CallEnded:
				if ce, ok := errors.AsType[*pptp.CallError](ev.Err); !ok || ce.Result != pptp.CallBusy {
					t.Errorf("refused with %v", ev.Err)
				}
				refused++
			}
		}
		if connected != 3 || refused != 2 {
			t.Errorf("%d connected, %d refused; want 3 and 2", connected, refused)
		}
		c.Stop(pptp.StopNone)
		<-c.done
	})
}

func TestLogLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l logLimit
		var out logBuffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		for range 100 {
			l.info(log, "again")
		}
		if n := strings.Count(out.String(), "again"); n != linesPerSecond {
			t.Errorf("%d lines in one second, want %d", n, linesPerSecond)
		}
		<-time.After(time.Second)
		l.warn(log, "later")
		l.warn(log, "last")
		if line := out.line("later"); !strings.Contains(line, "lines_left_out_before=80") || !strings.Contains(line, "level=WARN") {
			t.Errorf("the next line is %q", line)
		}
		if line := out.line("last"); strings.Contains(line, "left_out") {
			t.Errorf("the line after it is %q", line)
		}
	})
}

func TestGate(t *testing.T) {
	g := newGate(Limits{Pending: 3, PendingPerPeer: 2})
	a, b := ip("192.0.2.1"), ip("192.0.2.2")
	enter := func(p netip.Addr, want bool) {
		t.Helper()
		if err := g.enter(p); (err == nil) != want {
			t.Errorf("enter(%v) = %v", p, err)
		}
	}
	enter(a, true)
	enter(a, true)
	enter(a, false)
	enter(b, true)
	enter(b, false)
	g.leave(a)
	enter(b, true)
	g.leave(a)
	g.leave(b)
	g.leave(b)
	if g.total != 0 || len(g.perPeer) != 0 {
		t.Errorf("left: %d, %v", g.total, g.perPeer)
	}
	g.reenter(a)
	if g.total != 1 {
		t.Error("reenter does not count")
	}
	if l := (Limits{Pending: 5}).withDefaults(); l.Pending != 5 || l.PendingPerPeer == 0 || l.PendingCalls == 0 || l.Handshake == 0 || l.Stop == 0 {
		t.Errorf("defaults: %+v", l)
	}
}
