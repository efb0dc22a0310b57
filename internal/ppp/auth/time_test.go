package auth

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// TestLoss loses every packet once, then any two.
func TestLoss(t *testing.T) {
	for _, v := range variants {
		if v.name == "eap-md5" {
			continue // its way of declining is a filter too: TestEAPMD5Loss
		}
		type loss struct {
			fromPeer bool
			n        int
		}
		var one []loss
		for n := 1; n <= 4; n++ {
			one = append(one, loss{true, n}, loss{false, n})
		}
		for _, first := range one {
			for _, second := range one {
				x := v.pair(t, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
				x.lose = func(fromPeer bool, n int, _ []byte) bool {
					l := loss{fromPeer, n}
					return l == first || l == second
				}
				x.run()
				if x.p.done == nil || x.a.done == nil {
					t.Errorf("%s without %v and %v: peer %v, authenticator %v", v.name, first, second, x.p.failed, x.a.failed)
					continue
				}
				sameKeys(t, x.p.done, x.a.done, v.keys)
				if took := x.now.Sub(epoch); took > 12*time.Second {
					t.Errorf("%s without %v and %v took %v", v.name, first, second, took)
				}
			}
		}
	}
}

func fixed(user, password string) func(string) (Credential, error) {
	return one(user, Credential{Password: Secret(password)})
}

// TestSilence: nobody there. Each side gives up after retries times restart,
// having sent its packet retries times.
func TestSilence(t *testing.T) {
	for _, v := range variants {
		x := v.pair(t, PeerConfig{User: "u", Password: "p", Restart: 2 * time.Second, Retries: 4},
			AuthenticatorConfig{Lookup: fixed("u", "p"), Restart: 2 * time.Second, Retries: 4})
		x.lose = func(bool, int, []byte) bool { return true }
		x.run()
		for side, err := range map[string]error{"peer": x.p.failed, "authenticator": x.a.failed} {
			var e *TimeoutError
			if !errors.As(err, &e) || e.Method != v.m {
				t.Errorf("%s %s: %v", v.name, side, err)
			}
		}
		if took := x.now.Sub(epoch); took != 8*time.Second {
			t.Errorf("%s: gave up after %v", v.name, took)
		}
		asks, waits := x.a.sent, x.p.sent
		if v.m == PAP {
			asks, waits = waits, asks
		}
		if len(asks) != 4 || len(waits) != 0 {
			t.Errorf("%s: %d and %d packets", v.name, len(asks), len(waits))
		}
		for i, b := range asks[1:] {
			if v.m == PAP {
				if b[1] == asks[i][1] {
					t.Errorf("pap: identifier %d again", b[1])
				}
			} else if !bytes.Equal(b, asks[0]) {
				t.Errorf("%s: %x, first %x", v.name, b, asks[0])
			}
		}
		if !x.peer.Deadline().IsZero() || !x.auth.Deadline().IsZero() {
			t.Errorf("%s: a deadline is left", v.name)
		}
	}
}

// TestAdvanceEarly: before its deadline a core does nothing.
func TestAdvanceEarly(t *testing.T) {
	a := NewAuthenticator(MSCHAPv2, AuthenticatorConfig{})
	a.Advance(epoch)
	a.Handle(epoch, ProtocolCHAP, []byte{2, 0, 0, 4})
	if got := events(a); got != nil || !a.Deadline().IsZero() {
		t.Fatalf("before Start: %v", got)
	}
	a.Start(epoch)
	a.Start(epoch)
	if got := events(a); len(got) != 1 {
		t.Fatalf("Start: %v", got)
	}
	a.Advance(a.Deadline().Add(-1))
	if got := events(a); got != nil {
		t.Fatalf("early: %v", got)
	}
	a.Advance(a.Deadline())
	if got := events(a); len(got) != 1 {
		t.Fatalf("in time: %v", got)
	}
}

// TestRechallenge: every minute anew, with new keys on both sides.
func TestRechallenge(t *testing.T) {
	for _, v := range variants {
		x := v.pair(t, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p"), Rechallenge: time.Minute})
		x.run().wantDone("u", v.keys)
		if v.m == PAP {
			if !x.auth.Deadline().IsZero() {
				t.Error("pap asks again")
			}
			continue
		}
		for n := 1; n <= 3; n++ {
			x.tick()
			if x.now != epoch.Add(time.Duration(n)*time.Minute) || len(x.p.renewed) != n || len(x.a.renewed) != n {
				t.Fatalf("%s: after %v: %v %v, %v %v", v.name, x.now.Sub(epoch), x.p.renewed, x.p.failed, x.a.renewed, x.a.failed)
			}
			sameKeys(t, &x.p.renewed[n-1], &x.a.renewed[n-1], v.keys)
		}
		if v.keys {
			first, _, _ := x.a.done.StartKeys(true)
			again, _, _ := x.a.renewed[0].StartKeys(true)
			if first == again {
				t.Errorf("%s: the same keys again", v.name)
			}
		}
	}
}

// TestRechallengeLost: a lost verdict does not end the peer's session; a peer
// that has gone ends the authenticator's.
func TestRechallengeLost(t *testing.T) {
	for _, v := range variants {
		if v.m == PAP || v.name == "eap-md5" {
			continue
		}
		x := v.pair(t, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p"), Rechallenge: time.Hour})
		x.run().wantDone("u", v.keys)
		for range 3 {
			x.tick()
		}
		x.lose = func(fromPeer bool, _ int, _ []byte) bool { return fromPeer }
		for x.a.failed == nil && x.tick() {
		}
		var e *TimeoutError
		if !errors.As(x.a.failed, &e) {
			t.Errorf("%s: authenticator %v", v.name, x.a.failed)
		}
		for x.tick() {
		}
		if x.p.failed != nil {
			t.Errorf("%s: peer %v", v.name, x.p.failed)
		}
	}
}

// TestRechallengeChanged: a user who is gone, or whose password is another now,
// is put out; one whose password has only expired stays; another name does not
// get in on an old session.
func TestRechallengeChanged(t *testing.T) {
	for _, v := range variants {
		if v.m == PAP {
			continue
		}
		for name, row := range map[string]struct {
			cred Credential
			err  error
			out  bool
		}{
			"gone":    {Credential{}, errors.New("no such user"), true},
			"changed": {Credential{Password: "q"}, nil, true},
			"expired": {Credential{Password: "p", Expired: true}, nil, false},
		} {
			cred, err := Credential{Password: "p"}, error(nil)
			x := v.pair(t, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{
				Lookup:      func(string) (Credential, error) { return cred, err },
				Rechallenge: time.Minute,
			})
			x.run().wantDone("u", v.keys)
			cred, err = row.cred, row.err
			x.tick()
			if (x.p.failed != nil) != row.out || (x.a.failed != nil) != row.out {
				t.Errorf("%s, %s: peer %v, authenticator %v", v.name, name, x.p.failed, x.a.failed)
			}
		}
	}
	anyone := func(string) (Credential, error) { return Credential{Password: "p"}, nil }
	x := newPair(t, MSCHAPv2, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: anyone, Rechallenge: time.Minute})
	x.run().wantDone("u", true)
	x.peer = NewPeer(MSCHAPv2, PeerConfig{User: "w", Password: "p", Restart: time.Hour})
	x.peer.Start(x.now)
	x.tick()
	if !errors.Is(x.a.failed, errOtherUser) {
		t.Errorf("authenticator: %v", x.a.failed)
	}
}

// TestRepeated: a repeated response gets the same verdict, also when there is
// something else in it; a repeated challenge the same response.
func TestRepeated(t *testing.T) {
	for _, v := range variants {
		for _, password := range []Secret{"p", "wrong"} {
			x := v.pair(t, PeerConfig{User: "u", Password: password}, AuthenticatorConfig{Lookup: fixed("u", "p")}).run()
			last, verdict := x.p.sent[len(x.p.sent)-1], x.a.sent[len(x.a.sent)-1]
			again := append([]byte(nil), last...)
			for range 3 {
				x.auth.Handle(x.now, v.m.Protocol(), again)
				got := events(x.auth)
				if len(got) != 1 {
					t.Fatalf("%s: %v", v.name, got)
				}
				if s, ok := got[0].(Send); !ok || !bytes.Equal(s.Packet, verdict) {
					t.Errorf("%s: %v, want %q again", v.name, got, verdict)
				}
				again[len(again)-1] ^= 1 // another name or password: the verdict stays
			}
			if v.m == PAP {
				continue
			}
			ask := x.a.sent[len(x.a.sent)-2]
			if v.name == "eap-mschapv2" {
				ask = x.a.sent[1]
			}
			x.peer.Handle(x.now, v.m.Protocol(), ask)
			got := events(x.peer)
			if password != "p" {
				if got != nil {
					t.Errorf("%s: a failed peer says %v", v.name, got)
				}
				continue
			}
			if len(got) != 1 {
				t.Fatalf("%s: %v", v.name, got)
			}
			if s, ok := got[0].(Send); !ok || v.name != "eap-mschapv2" && !bytes.Equal(s.Packet, last) {
				t.Errorf("%s: %v, want %x", v.name, got, last)
			}
			// The Success that comes of it is old news.
			x.peer.Handle(x.now, v.m.Protocol(), verdict)
			if got := events(x.peer); v.name != "eap-mschapv2" && got != nil {
				t.Errorf("%s: %v", v.name, got)
			}
		}
	}
}
