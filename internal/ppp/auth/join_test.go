package auth

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"goppptp/internal/mschap"
)

// variant is a method, EAP's inner ones apart.
type variant struct {
	name  string
	m     Method
	md5   bool // EAP with MD5: the authenticator's first offer is declined
	keys  bool
	plain bool // cannot be done with the NT hash alone
	code  int  // of a refusal
	why   Why  // the peer's reading of a refusal
}

var variants = []variant{
	{"pap", PAP, false, false, false, 0, WhyUnknown},
	{"chap", CHAP, false, false, true, 0, WhyUnknown},
	{"mschap", MSCHAP, false, true, false, 691, WhyCredentials},
	{"mschapv2", MSCHAPv2, false, true, false, 691, WhyCredentials},
	{"eap-mschapv2", EAP, false, true, false, 691, WhyCredentials},
	{"eap-md5", EAP, true, false, true, 0, WhyCredentials},
}

// md5Only makes a pair of EAP talk MD5: a peer that declines MSCHAPv2.
func md5Only(x *pair) *pair {
	x.lose = func(fromPeer bool, n int, b []byte) bool {
		if !fromPeer && len(b) > 5 && b[0] == eapRequest && b[4] == eapTypeMSCHAPv2 {
			x.auth.Handle(x.now, ProtocolEAP, []byte{eapResponse, b[1], 0, 6, eapTypeNak, eapTypeMD5})
			return true
		}
		return false
	}
	return x
}

func (v variant) pair(t *testing.T, pc PeerConfig, ac AuthenticatorConfig) *pair {
	pc.AllowEAPMD5, ac.EAPMD5 = v.md5, v.md5
	x := newPair(t, v.m, pc, ac)
	if v.md5 {
		md5Only(x)
	}
	return x
}

func TestJoined(t *testing.T) {
	hash := mschap.NTPasswordHash("p4ssw0rd")
	for _, v := range variants {
		for _, user := range []string{"sio4", `CORP\sio4`} {
			t.Run(v.name+" "+user, func(t *testing.T) {
				x := v.pair(t, PeerConfig{User: user, Password: "p4ssw0rd"},
					AuthenticatorConfig{Name: "server", Lookup: one(user, Credential{Password: "p4ssw0rd"})}).run()
				x.wantDone(user, v.keys)
				if x.now != epoch {
					t.Errorf("took %v", x.now.Sub(epoch))
				}
				inner := ""
				switch v.name {
				case "eap-md5":
					inner = "md5"
				case "eap-mschapv2":
					inner = "mschapv2"
				}
				for _, r := range []*Result{x.p.done, x.a.done} {
					if r.Method != v.m || r.EAPMethod != inner || r.PasswordChanged {
						t.Errorf("result %+v", r)
					}
				}
			})
		}
		t.Run(v.name+" wrong password", func(t *testing.T) {
			x := v.pair(t, PeerConfig{User: "sio4", Password: "wr0ng"},
				AuthenticatorConfig{Lookup: one("sio4", Credential{Password: "p4ssw0rd"})}).run()
			x.wantRefused(v.code, v.why)
			if !errors.Is(x.a.failed, errWrong) {
				t.Errorf("authenticator: %v", x.a.failed)
			}
			if x.now != epoch {
				t.Errorf("took %v", x.now.Sub(epoch))
			}
		})
		t.Run(v.name+" no such user", func(t *testing.T) {
			x := v.pair(t, PeerConfig{User: "nobody", Password: "p4ssw0rd"},
				AuthenticatorConfig{Lookup: one("sio4", Credential{Password: "p4ssw0rd"})}).run()
			x.wantRefused(v.code, v.why)
		})
		t.Run(v.name+" no users, no secret, empty password", func(t *testing.T) {
			for _, lookup := range []func(string) (Credential, error){nil, one("sio4", Credential{})} {
				x := v.pair(t, PeerConfig{User: "sio4"}, AuthenticatorConfig{Lookup: lookup}).run()
				x.wantRefused(v.code, v.why)
			}
		})
		t.Run(v.name+" NT hash alone", func(t *testing.T) {
			x := v.pair(t, PeerConfig{User: "sio4", Password: "p4ssw0rd"},
				AuthenticatorConfig{Lookup: one("sio4", Credential{NTHash: &hash})}).run()
			if !v.plain {
				x.wantDone("sio4", v.keys)
				return
			}
			x.wantRefused(v.code, v.why)
			if !errors.Is(x.a.failed, errHashOnly) {
				t.Errorf("authenticator: %v", x.a.failed)
			}
		})
	}
}

// TestPeerHashOnly: the peer's NT hash serves the MS methods, and the others say why not.
func TestPeerHashOnly(t *testing.T) {
	hash := mschap.NTPasswordHash("p4ssw0rd")
	for _, v := range variants {
		x := v.pair(t, PeerConfig{User: "sio4", NTHash: &hash},
			AuthenticatorConfig{Lookup: one("sio4", Credential{Password: "p4ssw0rd"})}).run()
		if v.keys {
			x.wantDone("sio4", true)
			continue
		}
		var e *Error
		if !errors.As(x.p.failed, &e) || (e.Why != WhySecret && e.Why != WhyNoMethod) || !errors.Is(e, errNeedsSecret) {
			t.Errorf("%s: %v", v.name, x.p.failed)
		}
	}
}

var challengeField = regexp.MustCompile(`C=[0-9A-F]+`)

// TestNoEnumeration: whether the user or the password is wrong, the same goes
// over the wire, random octets aside.
func TestNoEnumeration(t *testing.T) {
	hash := mschap.NTPasswordHash("p4ssw0rd")
	known := map[string]Credential{
		"plain": {Password: "p4ssw0rd"}, "hashed": {NTHash: &hash},
		"nosec": {}, "expir": {Password: "p4ssw0rd", Expired: true},
	}
	lookup := func(u string) (Credential, error) {
		c, ok := known[u]
		if !ok {
			return Credential{}, errors.New("no such user")
		}
		return c, nil
	}
	for _, v := range variants {
		var shapes []string
		for _, user := range []string{"plain", "hashed", "nosec", "expir", "nobod"} {
			x := v.pair(t, PeerConfig{User: user, Password: "wr0ng"},
				AuthenticatorConfig{Lookup: lookup, ChangePassword: func(string, Secret) error { return nil }}).run()
			if x.a.failed == nil || x.p.failed == nil {
				t.Fatalf("%s %s: let in", v.name, user)
			}
			var shape strings.Builder
			for _, b := range x.a.sent {
				fmt.Fprintf(&shape, "%d,%d", b[0], len(b))
				if i := bytes.Index(b, []byte("E=")); i >= 0 {
					shape.Write(challengeField.ReplaceAll(b[i:], []byte("C=")))
				}
				shape.WriteString("; ")
			}
			shapes = append(shapes, shape.String())
		}
		for i, s := range shapes {
			if s == "" || s != shapes[0] {
				t.Errorf("%s: user %d gets %q, the first %q", v.name, i, s, shapes[0])
			}
		}
	}
}

func TestChangePassword(t *testing.T) {
	for _, v := range variants {
		if v.name != "mschapv2" && v.name != "eap-mschapv2" {
			continue
		}
		type stored struct{ user, new string }
		var store []stored
		var refuse error
		cred := Credential{Password: "old", Expired: true}
		ac := AuthenticatorConfig{
			Name:           "server",
			Lookup:         func(u string) (Credential, error) { return one(`D\u`, cred)(u) },
			ChangePassword: func(u string, p Secret) error { store = append(store, stored{u, string(p)}); return refuse },
			Rechallenge:    time.Minute,
		}
		t.Run(v.name+" good", func(t *testing.T) {
			store, refuse = nil, nil
			x := v.pair(t, PeerConfig{User: `D\u`, Password: "old", NewPassword: "nëw"}, ac).run()
			x.wantDone(`D\u`, true)
			if !x.p.done.PasswordChanged || !x.a.done.PasswordChanged {
				t.Errorf("PasswordChanged: peer %v, authenticator %v", x.p.done.PasswordChanged, x.a.done.PasswordChanged)
			}
			if want := []stored{{`D\u`, "nëw"}}; !reflect.DeepEqual(store, want) {
				t.Errorf("stored %v, want %v", store, want)
			}
			// From here on the new password counts.
			cred = Credential{Password: "nëw"}
			defer func() { cred = Credential{Password: "old", Expired: true} }()
			x.tick()
			if len(x.p.renewed) != 1 || len(x.a.renewed) != 1 {
				t.Fatalf("renewal: peer %v, %v, authenticator %v, %v", x.p.renewed, x.p.failed, x.a.renewed, x.a.failed)
			}
			sameKeys(t, &x.p.renewed[0], &x.a.renewed[0], true)
		})
		t.Run(v.name+" every packet lost once", func(t *testing.T) {
			for lost := 1; lost <= 6; lost++ {
				for _, fromPeer := range []bool{true, false} {
					store, refuse = nil, nil
					x := v.pair(t, PeerConfig{User: `D\u`, Password: "old", NewPassword: "new"}, ac)
					x.lose = func(from bool, n int, _ []byte) bool { return from == fromPeer && n == lost }
					x.run().wantDone(`D\u`, true)
					if len(store) != 1 {
						t.Errorf("lost %d (peer: %v): stored %v", lost, fromPeer, store)
					}
				}
			}
		})
		t.Run(v.name+" refused", func(t *testing.T) {
			store, refuse = nil, errors.New("too short")
			x := v.pair(t, PeerConfig{User: `D\u`, Password: "old", NewPassword: "n"}, ac).run()
			x.wantRefused(709, WhyChange)
			if !errors.Is(x.a.failed, refuse) {
				t.Errorf("authenticator: %v", x.a.failed)
			}
			if strings.Contains(x.p.failed.Error(), "too short") {
				t.Errorf("the cause got out: %v", x.p.failed)
			}
		})
		t.Run(v.name+" same again", func(t *testing.T) {
			store, refuse = nil, nil
			v.pair(t, PeerConfig{User: `D\u`, Password: "old", NewPassword: "old"}, ac).run().wantRefused(709, WhyChange)
			if len(store) != 0 {
				t.Errorf("stored %v", store)
			}
		})
		t.Run(v.name+" no new password", func(t *testing.T) {
			x := v.pair(t, PeerConfig{User: `D\u`, Password: "old"}, ac)
			x.run()
			var e *Error
			if !errors.As(x.p.failed, &e) || e.Code != 648 || !strings.Contains(e.Error(), "the password has expired") {
				t.Errorf("peer: %v", x.p.failed)
			}
			for x.a.failed == nil && x.tick() {
			}
			if !errors.As(x.a.failed, &e) || e.Why != WhyExpired {
				t.Errorf("authenticator: %v", x.a.failed)
			}
		})
		t.Run(v.name+" wrong old password", func(t *testing.T) {
			v.pair(t, PeerConfig{User: `D\u`, Password: "0ld", NewPassword: "new"}, ac).run().wantRefused(691, WhyCredentials)
		})
		t.Run(v.name+" too long", func(t *testing.T) {
			x := v.pair(t, PeerConfig{User: `D\u`, Password: "old", NewPassword: Secret(strings.Repeat("x", 257))}, ac)
			x.run()
			if !errors.Is(x.p.failed, mschap.ErrPasswordTooLong) {
				t.Errorf("peer: %v", x.p.failed)
			}
		})
		t.Run(v.name+" nowhere to store it", func(t *testing.T) {
			ac := ac
			ac.ChangePassword = nil
			x := v.pair(t, PeerConfig{User: `D\u`, Password: "old"}, ac).run()
			x.wantRefused(648, WhyExpired)
		})
	}
}

// TestChangeForged: a change that was not made with the old password is refused
// and nothing is stored.
func TestChangeForged(t *testing.T) {
	for at := 4; at < 4+516+16+16+8+24; at += 5 {
		reserved := at >= 4+516+16+16 && at < 4+516+16+16+8
		stored := 0
		x := newPair(t, MSCHAPv2, PeerConfig{User: "u", Password: "old", NewPassword: "new"}, AuthenticatorConfig{
			Lookup:         one("u", Credential{Password: "old", Expired: true}),
			ChangePassword: func(string, Secret) error { stored++; return nil },
		})
		x.lose = func(fromPeer bool, _ int, b []byte) bool {
			// The random octets before the password may be anything.
			if fromPeer && b[0] == chapChange && (at >= 4+516-4-6) {
				b[at] ^= 1
			}
			return false
		}
		x.run()
		if good := at < 4+516-4-6 || reserved; good != (stored == 1) || good != (x.a.done != nil) {
			t.Errorf("octet %d changed: stored %d, %v, %v", at, stored, x.a.done, x.a.failed)
		}
	}
}

// TestExpiredElsewhere: methods without a change of password refuse.
func TestExpiredElsewhere(t *testing.T) {
	for _, v := range variants {
		if v.name == "mschapv2" || v.name == "eap-mschapv2" {
			continue
		}
		x := v.pair(t, PeerConfig{User: "u", Password: "old", NewPassword: "new"}, AuthenticatorConfig{
			Lookup:         one("u", Credential{Password: "old", Expired: true}),
			ChangePassword: func(string, Secret) error { t.Errorf("%s: changed", v.name); return nil },
		}).run()
		var e *Error
		if !errors.As(x.a.failed, &e) || e.Why != WhyExpired || x.p.failed == nil {
			t.Errorf("%s: peer %v, authenticator %v", v.name, x.p.failed, x.a.failed)
		}
	}
}

// TestLyingServer: a server with another password that lets everybody in.
func TestLyingServer(t *testing.T) {
	for _, v := range variants {
		if v.name != "mschapv2" && v.name != "eap-mschapv2" {
			continue
		}
		for _, lie := range []string{
			"S=" + strings.Repeat("0", 40) + " M=Access granted",
			"S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Access granted",
			"M=Access granted", "", "S=", "Access granted",
		} {
			x := v.pair(t, PeerConfig{User: "u", Password: "secret"}, AuthenticatorConfig{Lookup: one("u", Credential{Password: "guess"})})
			x.lose = func(fromPeer bool, _ int, b []byte) bool {
				if fromPeer {
					return false
				}
				var packet []byte
				switch {
				case v.m == EAP && b[0] == eapRequest && len(b) > 6 && b[4] == eapTypeMSCHAPv2 && b[5] == chapFailure:
					packet = appendPacket(nil, eapRequest, b[1], appendInner(nil, inner{chapSuccess, b[6], []byte(lie)}))
				case v.m != EAP && b[0] == chapFailure:
					packet = appendPacket(nil, chapSuccess, b[1], []byte(lie))
				default:
					return false
				}
				x.peer.Handle(x.now, v.m.Protocol(), packet)
				return true
			}
			x.run()
			var e *ServerError
			if !errors.As(x.p.failed, &e) || x.p.done != nil {
				t.Errorf("%s, %q: %v, %v", v.name, lie, x.p.done, x.p.failed)
			}
		}
	}
}

// TestSuccessOutOfTheBlue: what was not asked for means nothing.
func TestSuccessOutOfTheBlue(t *testing.T) {
	for _, v := range variants {
		p := NewPeer(v.m, PeerConfig{User: "u", Password: "secret", Rand: chaCha(1), AllowEAPMD5: true})
		p.Start(epoch)
		first := events(p)
		good := byte(3)
		if v.m == PAP {
			good = papAck
			if len(first) != 1 {
				t.Fatalf("pap: %v", first)
			}
		}
		for id := range 256 {
			if v.m == PAP && id == 1 {
				continue // that one is asked for
			}
			for _, text := range []string{"", "\x00", "S=407A5589115FD0D6209F510FE9C04566932CDA56"} {
				p.Handle(epoch, v.m.Protocol(), appendPacket(nil, good, byte(id), []byte(text)))
			}
		}
		if got := events(p); len(got) != 0 {
			t.Errorf("%s: %v", v.name, got)
		}
	}
}
