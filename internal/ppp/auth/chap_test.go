package auth

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// challenge makes a Challenge packet.
func challenge(id byte, value, name string) []byte {
	return appendPacket(nil, chapChallenge, id, appendValue(nil, []byte(value)), []byte(name))
}

// answered is the number of packets the events hold; anything else fails.
func answered(t *testing.T, all []Event) int {
	t.Helper()
	for _, ev := range all {
		if _, ok := ev.(Send); !ok {
			t.Fatalf("%v", all)
		}
	}
	return len(all)
}

// TestChallenges: which are answered, and what is said of the others when
// nothing better comes.
func TestChallenges(t *testing.T) {
	const c8, c16 = "01234567", "0123456789abcdef"
	for _, row := range []struct {
		m      Method
		packet []byte
		good   bool
		odd    string
	}{
		{MSCHAPv2, challenge(1, c16, "server"), true, ""},
		{MSCHAPv2, challenge(0, c16, ""), true, ""}, // accel-ppp names nobody
		{MSCHAPv2, challenge(1, c8, "server"), false, "a challenge of 16 octets; what came has 8"},
		{MSCHAPv2, challenge(1, c16+"0", ""), false, "a challenge of 16 octets; what came has 17"},
		{MSCHAPv2, challenge(1, "", "server"), false, "a challenge of 16 octets; what came has 0"},
		{MSCHAP, challenge(1, c8, ""), true, ""},
		{MSCHAP, challenge(1, c16, ""), false, "a challenge of 8 octets; what came has 16"},
		{CHAP, challenge(1, "x", ""), true, ""},
		{CHAP, challenge(1, strings.Repeat("x", 255), "server"), true, ""},
		{CHAP, challenge(1, "", "server"), false, "a challenge; what came was empty"},
		{CHAP, []byte{1, 1, 0, 4}, false, "a challenge"},
		{MSCHAPv2, []byte{1, 1, 0, 6, 16, 0}, false, "a challenge"},
		{MSCHAPv2, []byte{1, 1, 0, 60, 16, 0}, false, "a challenge"},
		{MSCHAPv2, []byte{1, 1, 0}, false, "a challenge"},
		{MSCHAPv2, append(challenge(1, c16, "s"), 0, 0, 0), true, ""}, // padding
	} {
		p := NewPeer(row.m, PeerConfig{User: "u", Password: "p"})
		p.Start(epoch)
		p.Handle(epoch, ProtocolEAP, row.packet) // not its protocol
		if got := events(p); got != nil {
			t.Errorf("%v: %v", row.m, got)
		}
		p.Handle(epoch, ProtocolCHAP, row.packet)
		if n := answered(t, events(p)); n != map[bool]int{true: 1}[row.good] {
			t.Errorf("%v, %x: %d answers", row.m, row.packet, n)
		}
		if row.good {
			continue
		}
		p.Advance(epoch.Add(time.Hour))
		var e *TimeoutError
		if f, ok := p.NextEvent().(Failed); !ok || !errors.As(f.Err, &e) || e.Waiting != row.odd {
			t.Errorf("%v, %x: %+v", row.m, row.packet, f)
		}
	}
}

// TestVerdictsUnasked: a Success or Failure with another identifier, or when
// none is owed, means nothing, before and after.
func TestVerdictsUnasked(t *testing.T) {
	for _, m := range []Method{CHAP, MSCHAP, MSCHAPv2} {
		x := newPair(t, m, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
		x.lose = func(fromPeer bool, n int, b []byte) bool {
			if fromPeer {
				for id := range 256 {
					if byte(id) != b[1] {
						x.peer.Handle(x.now, ProtocolCHAP, appendPacket(nil, chapSuccess, byte(id), []byte("S=00")))
						x.peer.Handle(x.now, ProtocolCHAP, appendPacket(nil, chapFailure, byte(id), []byte("E=691 R=0")))
					}
				}
			}
			return false
		}
		x.run().wantDone("u", m != CHAP)
		for id := range 256 {
			x.peer.Handle(x.now, ProtocolCHAP, appendPacket(nil, chapSuccess, byte(id), nil))
			x.peer.Handle(x.now, ProtocolCHAP, appendPacket(nil, chapFailure, byte(id), []byte("E=691 R=0")))
		}
		if got := events(x.peer); got != nil {
			t.Errorf("%v: %v", m, got)
		}
	}
}

// TestRenewalLie: a server that proved itself once and cannot the second time is
// another one.
func TestRenewalLie(t *testing.T) {
	x := newPair(t, MSCHAPv2, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
	x.run().wantDone("u", true)
	proof := x.a.sent[1]
	x.peer.Handle(x.now, ProtocolCHAP, challenge(9, "0123456789abcdef", ""))
	answered(t, events(x.peer))
	proof[1] = 9
	x.peer.Handle(x.now, ProtocolCHAP, proof)
	var e *ServerError
	if f, ok := x.peer.NextEvent().(Failed); !ok || !errors.As(f.Err, &e) {
		t.Errorf("%v", f)
	}
}

// TestSameIdentifier: the same identifier with another challenge is another
// challenge.
func TestSameIdentifier(t *testing.T) {
	for _, m := range []Method{CHAP, MSCHAPv2} {
		p := NewPeer(m, PeerConfig{User: "u", Password: "p"})
		p.Start(epoch)
		var sent [3][]byte
		for i, c := range []string{"0123456789abcdef", "0123456789abcdeg", "0123456789abcdeg"} {
			p.Handle(epoch, ProtocolCHAP, challenge(5, c, ""))
			sent[i] = events(p)[0].(Send).Packet
		}
		if bytes.Equal(sent[0], sent[1]) || !bytes.Equal(sent[1], sent[2]) {
			t.Errorf("%v: %x", m, sent)
		}
	}
}

// TestOddResponses: what is not a response of the method is refused or ignored,
// and does not count as proof.
func TestOddResponses(t *testing.T) {
	right := func(m Method) []byte { // the value of a good response to the challenge of chaCha(2)
		x := newPair(t, m, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
		x.run().wantDone("u", m != CHAP)
		value, _, _ := parseValue(x.p.sent[0][headerLen:])
		return append([]byte(nil), value...)
	}
	for _, m := range []Method{CHAP, MSCHAP, MSCHAPv2} {
		good := right(m)
		lm := append([]byte(nil), good...)
		lm[len(lm)-1] = 0
		for name, row := range map[string]struct {
			value []byte
			pass  bool
		}{
			"good":     {good, true},
			"short":    {good[:len(good)-1], false},
			"long":     {append(good[:len(good):len(good)], 0), false},
			"empty":    {nil, false},
			"zero":     {make([]byte, len(good)), false},
			"LM alone": {lm, m == MSCHAPv2}, // there the octet means nothing
		} {
			if m == CHAP && name == "LM alone" {
				continue
			}
			a := NewAuthenticator(m, AuthenticatorConfig{Lookup: fixed("u", "p"), Rand: chaCha(2)})
			a.Start(epoch)
			id := events(a)[0].(Send).Packet[1]
			a.Handle(epoch, ProtocolCHAP, []byte{chapResponse, id, 0, 6, 49, 0})    // cut short: ignored
			a.Handle(epoch, ProtocolCHAP, []byte{chapChange, id + 1, 0, 5, 0})      // not asked for
			a.Handle(epoch, ProtocolCHAP, []byte{chapResponse, id + 1, 0, 6, 1, 0}) // another's
			if got := events(a); got != nil {
				t.Fatalf("%v, %s: %v", m, name, got)
			}
			a.Handle(epoch, ProtocolCHAP, appendPacket(nil, chapResponse, id, appendValue(nil, row.value), []byte("u")))
			got := events(a)
			if len(got) != 2 {
				t.Fatalf("%v, %s: %v", m, name, got)
			}
			if _, ok := got[1].(Done); ok != row.pass {
				t.Errorf("%v, %s: %v", m, name, got[1])
			}
		}
	}
}

// TestNoRandom: without random numbers nobody gets in and nothing is sent.
func TestNoRandom(t *testing.T) {
	broken := errors.New("broken")
	for _, v := range variants {
		if v.m == PAP {
			continue
		}
		a := NewAuthenticator(v.m, AuthenticatorConfig{Rand: iotest.ErrReader(broken)})
		a.Start(epoch)
		all := events(a)
		if f, ok := all[0].(Failed); !ok || len(all) != 1 || !errors.Is(f.Err, broken) {
			t.Errorf("%s: %v", v.name, all)
		}
		// Later is too late as well.
		for n := 1; n < 100; n++ {
			x := v.pair(t, PeerConfig{User: "u", Password: "p", NewPassword: "q"}, AuthenticatorConfig{
				Lookup:         one("u", Credential{Password: "p", Expired: true}),
				ChangePassword: func(string, Secret) error { return nil },
			})
			short := func() io.Reader {
				return io.MultiReader(io.LimitReader(chaCha(5), int64(n)), iotest.ErrReader(broken))
			}
			x.peer.base.rand, x.auth.base.rand = short(), short()
			x.run() // must come to an end, without contradictions
		}
	}
	// An unknown user costs some: also where PAP asks for nothing else.
	for _, v := range variants {
		for n := range 100 {
			x := v.pair(t, PeerConfig{User: "w", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
			x.auth.base.rand = io.MultiReader(io.LimitReader(chaCha(5), int64(n)), iotest.ErrReader(broken))
			if x.run(); x.a.failed == nil || x.a.done != nil {
				t.Errorf("%s with %d octets: %v", v.name, n, x.a.done)
			}
		}
	}
	p := NewPeer(MSCHAPv2, PeerConfig{User: "u", Password: "p", Rand: iotest.ErrReader(broken)})
	p.Start(epoch)
	p.Handle(epoch, ProtocolCHAP, challenge(1, "0123456789abcdef", ""))
	if f, ok := p.NextEvent().(Failed); !ok || !errors.Is(f.Err, broken) {
		t.Errorf("%v", f)
	}
}
