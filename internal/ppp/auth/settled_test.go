package auth

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// TestSettled: what takes an Authenticator's place says what it would have said,
// whatever comes.
func TestSettled(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			x := v.pair(t, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
			filter := x.lose
			x.lose = func(fromPeer bool, n int, b []byte) bool {
				if fromPeer && x.auth.Settled() != nil {
					t.Errorf("settled while the peer has something to say")
				}
				return filter != nil && filter(fromPeer, n, b)
			}
			x.run().wantDone("u", v.keys)
			s := x.auth.Settled()
			if s == nil {
				t.Fatal("not settled")
			}
			answers := 0
			for code := range 9 {
				for id := range 256 {
					for _, data := range []string{"", "\x01u\x01p", "\x1a\x03", string(make([]byte, 60))} {
						for _, protocol := range []uint16{ProtocolPAP, ProtocolCHAP, ProtocolEAP} {
							b := appendPacket(nil, byte(code), byte(id), []byte(data))
							x.auth.Handle(x.now, protocol, b)
							s.Handle(x.now, protocol, b)
							got, want := events(s), events(x.auth)
							if !reflect.DeepEqual(got, want) {
								t.Fatalf("%#04x %x: %v, want %v", protocol, b, got, want)
							}
							answers += len(got)
						}
					}
				}
			}
			if answers == 0 {
				t.Error("nothing was repeated")
			}
			s.Handle(x.now, v.m.Protocol(), []byte{1})
			s.Start(x.now)
			s.Advance(x.now)
			if got := events(s); got != nil || !s.Deadline().IsZero() {
				t.Errorf("%v, deadline %v", got, s.Deadline())
			}
			if text := fmt.Sprintf("%v %+v %#v %x", s, s, s, s); text != fmt.Sprintf("auth(%[1]v) auth(%[1]v) auth(%[1]v) auth(%[1]v)", v.m) {
				t.Errorf("prints as %s", text)
			}
		})
	}
}

// TestSettledNever: who will be asked again, and who is refused, has no such end.
func TestSettledNever(t *testing.T) {
	for _, v := range variants {
		if v.m != PAP { // it cannot ask again
			x := v.pair(t, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p"), Rechallenge: time.Minute}).run()
			x.wantDone("u", v.keys)
			if x.auth.Settled() != nil {
				t.Errorf("%s: settled, with a challenge to come", v.name)
			}
		}
		x := v.pair(t, PeerConfig{User: "u", Password: "wrong"}, AuthenticatorConfig{Lookup: fixed("u", "p")}).run()
		if x.a.failed == nil || x.auth.Settled() != nil {
			t.Errorf("%s: settled, with the peer refused (%v)", v.name, x.a.failed)
		}
	}
}
