package auth

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// script drives one peer of EAP by hand.
type script struct {
	t   *testing.T
	p   *Peer
	now time.Time
}

func newScript(t *testing.T, cfg PeerConfig) *script {
	cfg.User, cfg.Rand = "u", chaCha(9)
	if cfg.Password == "" {
		cfg.Password = "p"
	}
	s := &script{t, NewPeer(EAP, cfg), epoch}
	s.p.Start(epoch)
	return s
}

// recv hands the peer a packet, and gives what comes of it.
func (s *script) recv(code, id byte, data string) []Event {
	s.p.Handle(s.now, ProtocolEAP, appendPacket(nil, code, id, []byte(data)))
	return events(s.p)
}

// want checks that the events are one packet.
func (s *script) want(got []Event, code, id byte, data string) {
	s.t.Helper()
	want := appendPacket(nil, code, id, []byte(data))
	if len(got) != 1 {
		s.t.Fatalf("%v, want %q", got, want)
	}
	if p, ok := got[0].(Send); !ok || !bytes.Equal(p.Packet, want) {
		s.t.Fatalf("%q, want %q", got, want)
	}
}

const (
	askMD5  = "\x04\x080123456701"
	askV2   = "\x1a\x01\x07\x00\x15\x100123456789abcdef"
	askName = "\x01"
)

func TestEAPNak(t *testing.T) {
	for name, row := range map[string]struct {
		cfg  PeerConfig
		ask  string
		want string
	}{
		"md5 not allowed": {PeerConfig{}, askMD5, "\x03\x1a"},
		"tls":             {PeerConfig{}, "\x0d\x20", "\x03\x1a"},
		"expanded":        {PeerConfig{AllowEAPMD5: true}, "\xfe\x00\x00\x00\x00\x00\x00\x04", "\x03\x1a\x04"},
	} {
		s := newScript(t, row.cfg)
		s.want(s.recv(eapRequest, 5, askName), eapResponse, 5, "\x01u")
		s.want(s.recv(eapRequest, 6, row.ask), eapResponse, 6, row.want)
		var e *Error
		got := s.recv(eapFailure, 6, "")
		if f, ok := got[0].(Failed); !ok || !errors.As(f.Err, &e) || e.Why != WhyNoMethod {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEAPNotification(t *testing.T) {
	s := newScript(t, PeerConfig{})
	got := s.recv(eapRequest, 1, "\x02Welcome\r\n\x1b[m")
	if len(got) != 2 || got[0] != (Notice{"Welcome [m"}) {
		t.Fatalf("%v", got)
	}
	s.want(got[1:], eapResponse, 1, "\x02")
	s.want(s.recv(eapRequest, 1, "\x02Welcome\r\n\x1b[m"), eapResponse, 1, "\x02") // the same again
}

// TestEAPSuccessUnproved: Success without the server's proof ends in a
// *ServerError, and never in Done.
func TestEAPSuccessUnproved(t *testing.T) {
	for name, before := range map[string][]string{
		"at once": nil, "after the name": {askName}, "after the response": {askName, askV2},
	} {
		s := newScript(t, PeerConfig{AllowEAPMD5: true})
		id := byte(1)
		for _, b := range before {
			id++
			if got := s.recv(eapRequest, id, b); len(got) != 1 {
				t.Fatalf("%s: %v", name, got)
			}
		}
		if got := s.recv(eapSuccess, id, ""); got != nil {
			t.Errorf("%s: %v", name, got)
		}
		s.p.Advance(s.p.Deadline())
		got := events(s.p)
		var e *ServerError
		if f, ok := got[0].(Failed); !ok || !errors.As(f.Err, &e) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEAPSuccessLost: where the proof has been checked, the Success that should
// follow may be missing (pppd sends none), and a Failure then means nothing.
func TestEAPSuccessLost(t *testing.T) {
	x := newPair(t, EAP, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
	x.lose = func(fromPeer bool, _ int, b []byte) bool {
		if b[0] == eapSuccess {
			x.peer.Handle(x.now, ProtocolEAP, []byte{eapFailure, b[1], 0, 4})
			return true
		}
		return false
	}
	x.run().wantDone("u", true)
	if x.now != epoch || !x.peer.Deadline().IsZero() {
		t.Errorf("took %v, deadline %v", x.now.Sub(epoch), x.peer.Deadline())
	}
}

// TestEAPMD5Loss: what is lost before the verdict is sent again.
func TestEAPMD5Loss(t *testing.T) {
	for lost := 1; lost <= 4; lost++ {
		for _, fromPeer := range []bool{true, false} {
			x := newPair(t, EAP, PeerConfig{User: "u", Password: "p", AllowEAPMD5: true}, AuthenticatorConfig{Lookup: fixed("u", "p"), EAPMD5: true})
			md5Only(x)
			decline, n := x.lose, map[bool]int{}
			x.lose = func(from bool, k int, b []byte) bool {
				if decline(from, k, b) {
					return true
				}
				n[from]++
				return from == fromPeer && n[from] == lost && b[0] != eapSuccess
			}
			x.run().wantDone("u", false)
		}
	}
}

// TestEAPAuthenticatorNak: MD5 only where it is allowed and asked for.
func TestEAPAuthenticatorNak(t *testing.T) {
	for name, row := range map[string]struct {
		allow bool
		wants string
		md5   bool
	}{
		"asked and allowed": {true, "\x04", true},
		"among others":      {true, "\x0d\x04", true},
		"not allowed":       {false, "\x04", false},
		"wants another":     {true, "\x0d", false},
		"wants nothing":     {true, "\x00", false},
		"empty":             {true, "", false},
	} {
		a := NewAuthenticator(EAP, AuthenticatorConfig{Lookup: fixed("u", "p"), EAPMD5: row.allow, Rand: chaCha(4)})
		a.Start(epoch)
		id := events(a)[0].(Send).Packet[1]
		a.Handle(epoch, ProtocolEAP, appendPacket(nil, eapResponse, id, []byte("\x01u")))
		if got := events(a)[0].(Send).Packet; got[4] != eapTypeMSCHAPv2 || got[1] != id+1 {
			t.Fatalf("%s: %x", name, got)
		}
		a.Handle(epoch, ProtocolEAP, appendPacket(nil, eapResponse, id+1, []byte("\x03"+row.wants)))
		got := events(a)
		if next := got[0].(Send).Packet; row.md5 != (next[0] == eapRequest && next[4] == eapTypeMD5) || !row.md5 && next[0] != eapFailure {
			t.Errorf("%s: %x", name, next)
		}
		if !row.md5 {
			var e *Error
			if f, ok := got[1].(Failed); !ok || !errors.As(f.Err, &e) || e.Why != WhyNoMethod {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

// TestEAPPeerRejectsProof: the peer's word on our proof counts.
func TestEAPPeerRejectsProof(t *testing.T) {
	x := newPair(t, EAP, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
	x.lose = func(fromPeer bool, n int, b []byte) bool {
		if fromPeer && n == 3 {
			b[5] = chapFailure
		}
		return false
	}
	x.run()
	var e *Error
	if !errors.As(x.a.failed, &e) || e.Why != WhyUnsatisfied || x.a.done != nil {
		t.Errorf("authenticator: %v, %v", x.a.done, x.a.failed)
	}
}

// TestEAPLongName: the longest name, and one too long.
func TestEAPLongName(t *testing.T) {
	for n, good := range map[int]bool{255: true, 256: false} {
		user := strings.Repeat("n", n)
		for _, v := range variants {
			x := v.pair(t, PeerConfig{User: user, Password: "p"}, AuthenticatorConfig{Lookup: fixed(user, "p")}).run()
			if good != (x.a.done != nil) || good != (x.p.done != nil) {
				t.Errorf("%s, %d octets: peer %v, authenticator %v", v.name, n, x.p.failed, x.a.failed)
			}
		}
	}
}
