package auth

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// chaCha gives the same octets every time.
func chaCha(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// unhex reads hex with spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

// events takes all there are.
func events(c interface{ NextEvent() Event }) []Event {
	var all []Event
	for ev := c.NextEvent(); ev != nil; ev = c.NextEvent() {
		all = append(all, ev)
	}
	return all
}

// side is what one end of a pair has come to.
type side struct {
	sent    [][]byte
	done    *Result
	renewed []Result
	failed  error
	notices []string
}

// pair joins a Peer and an Authenticator in memory, with a clock of its own.
type pair struct {
	t    *testing.T
	now  time.Time
	peer *Peer
	auth *Authenticator
	p, a side
	// lose tells whether the nth packet (from 1) of one side is lost; it may
	// change the packet too.
	lose func(fromPeer bool, n int, packet []byte) bool
}

func newPair(t *testing.T, m Method, pc PeerConfig, ac AuthenticatorConfig) *pair {
	pc.Rand, ac.Rand = chaCha(1), chaCha(2)
	return &pair{t: t, now: epoch, peer: NewPeer(m, pc), auth: NewAuthenticator(m, ac)}
}

// settle delivers until nothing moves.
func (x *pair) settle() {
	for moved := true; moved; {
		moved = false
		for _, ev := range events(x.peer) {
			moved = true
			if s, ok := x.record(&x.p, ev, true); ok {
				x.auth.Handle(x.now, s.Protocol, s.Packet)
			}
		}
		for _, ev := range events(x.auth) {
			moved = true
			if s, ok := x.record(&x.a, ev, false); ok {
				x.peer.Handle(x.now, s.Protocol, s.Packet)
			}
		}
	}
}

// record notes an event; ok tells that it is a packet which arrives.
func (x *pair) record(s *side, ev Event, fromPeer bool) (Send, bool) {
	x.t.Helper()
	switch ev := ev.(type) {
	case Send:
		s.sent = append(s.sent, ev.Packet)
		return ev, x.lose == nil || !x.lose(fromPeer, len(s.sent), ev.Packet)
	case Done:
		if s.done != nil || s.failed != nil {
			x.t.Errorf("Done again, or after Failed (peer: %v)", fromPeer)
		}
		s.done = &ev.Result
	case Renewed:
		if s.done == nil || s.failed != nil {
			x.t.Errorf("Renewed before Done, or after Failed (peer: %v)", fromPeer)
		}
		s.renewed = append(s.renewed, ev.Result)
	case Failed:
		if s.failed != nil {
			x.t.Errorf("Failed again (peer: %v): %v", fromPeer, ev.Err)
		}
		s.failed = ev.Err
	case Notice:
		s.notices = append(s.notices, ev.Text)
	default:
		x.t.Errorf("event %T", ev)
	}
	return Send{}, false
}

// decided tells that both sides have an outcome.
func (x *pair) decided() bool {
	return (x.p.done != nil || x.p.failed != nil) && (x.a.done != nil || x.a.failed != nil)
}

// tick goes on to the next deadline; false: there is none.
func (x *pair) tick() bool {
	var next time.Time
	for _, d := range []time.Time{x.peer.Deadline(), x.auth.Deadline()} {
		if !d.IsZero() && (next.IsZero() || d.Before(next)) {
			next = d
		}
	}
	if next.IsZero() {
		return false
	}
	if next.Before(x.now) {
		x.t.Fatalf("deadline %v is %v ago", next, x.now.Sub(next))
	}
	x.now = next
	x.peer.Advance(x.now)
	x.auth.Advance(x.now)
	x.settle()
	return true
}

// run goes on until both sides have an outcome.
func (x *pair) run() *pair {
	x.t.Helper()
	x.peer.Start(x.now)
	x.auth.Start(x.now)
	x.settle()
	for range 1000 {
		if x.decided() || !x.tick() {
			return x
		}
	}
	x.t.Fatal("no end of it")
	return x
}

// wantDone checks that both are content, and have the same keys if any.
func (x *pair) wantDone(user string, withKeys bool) {
	x.t.Helper()
	if x.p.done == nil || x.a.done == nil {
		x.t.Fatalf("peer: %+v, %v; authenticator: %+v, %v", x.p.done, x.p.failed, x.a.done, x.a.failed)
	}
	if x.p.done.User != user || x.a.done.User != user {
		x.t.Errorf("users %q and %q, want %q", x.p.done.User, x.a.done.User, user)
	}
	sameKeys(x.t, x.p.done, x.a.done, withKeys)
}

func sameKeys(t *testing.T, client, server *Result, want bool) {
	t.Helper()
	cs, cr, cok := client.StartKeys(false)
	ss, sr, sok := server.StartKeys(true)
	if cok != want || sok != want {
		t.Fatalf("keys: peer %v, authenticator %v, want %v", cok, sok, want)
	}
	if cs != sr || cr != ss {
		t.Error("the keys of the two sides differ")
	}
	if want && cs == ([16]byte{}) {
		t.Error("a zero key")
	}
}

// wantRefused checks that both sides refuse, ours with the code and the cause.
func (x *pair) wantRefused(code int, why Why) {
	x.t.Helper()
	if x.p.done != nil || x.a.done != nil {
		x.t.Fatalf("let in: peer %+v, authenticator %+v", x.p.done, x.a.done)
	}
	var pe, ae *Error
	if !errors.As(x.p.failed, &pe) {
		x.t.Fatalf("peer: %v, want an *Error", x.p.failed)
	}
	if !errors.As(x.a.failed, &ae) {
		x.t.Fatalf("authenticator: %v, want an *Error", x.a.failed)
	}
	if pe.Code != code || pe.Why != why {
		x.t.Errorf("peer: code %d, %q; want %d, %q", pe.Code, pe.Why, code, why)
	}
	if !ae.Ours || pe.Ours {
		x.t.Errorf("Ours: peer %v, authenticator %v", pe.Ours, ae.Ours)
	}
}

// one is a Lookup that knows one user.
func one(user string, c Credential) func(string) (Credential, error) {
	return func(u string) (Credential, error) {
		if u != user {
			return Credential{}, fmt.Errorf("no user %q", u)
		}
		return c, nil
	}
}
