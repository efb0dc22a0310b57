package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"goppptp/internal/mschap"
)

func TestMethods(t *testing.T) {
	for m, row := range map[Method]struct {
		name     string
		option   []byte
		protocol uint16
	}{
		PAP:      {"pap", []byte{0xc0, 0x23}, 0xc023},
		CHAP:     {"chap", []byte{0xc2, 0x23, 5}, 0xc223},
		MSCHAP:   {"mschap", []byte{0xc2, 0x23, 0x80}, 0xc223},
		MSCHAPv2: {"mschapv2", []byte{0xc2, 0x23, 0x81}, 0xc223},
		EAP:      {"eap", []byte{0xc2, 0x27}, 0xc227},
	} {
		if m.String() != row.name || !bytes.Equal(m.Option(), row.option) || m.Protocol() != row.protocol {
			t.Errorf("%v: %x %x", m, m.Option(), m.Protocol())
		}
		if got, err := ParseMethod(row.name); got != m || err != nil {
			t.Errorf("ParseMethod(%q) = %v, %v", row.name, got, err)
		}
		if got, ok := MethodFromOption(row.option); got != m || !ok {
			t.Errorf("MethodFromOption(%x) = %v, %v", row.option, got, ok)
		}
	}
	for _, bad := range [][]byte{nil, {0xc2}, {0xc2, 0x23}, {0xc2, 0x23, 0x82}, {0xc0, 0x23, 0}, {0xc2, 0x27, 0}} {
		if m, ok := MethodFromOption(bad); ok {
			t.Errorf("MethodFromOption(%x) = %v", bad, m)
		}
	}
	if m, err := ParseMethod("MSCHAP"); err == nil {
		t.Errorf("ParseMethod: %v", m)
	}
	if o := Method(0).Option(); o != nil {
		t.Errorf("no method: option %x", o)
	}
	for _, m := range []Method{0, 77} {
		p, a := NewPeer(m, PeerConfig{}), NewAuthenticator(m, AuthenticatorConfig{})
		p.Start(epoch)
		a.Start(epoch)
		for _, all := range [][]Event{events(p), events(a)} {
			if len(all) != 1 || reflect.TypeOf(all[0]) != reflect.TypeOf(Failed{}) {
				t.Errorf("%v: %v", m, all)
			}
		}
	}
}

// TestRedacted prints everything that holds a secret in every way.
func TestRedacted(t *testing.T) {
	const secret, fresh = "p4ssw0rd", "n3wp4ss"
	hash := mschap.NTPasswordHash(secret)
	x := newPair(t, MSCHAPv2, PeerConfig{User: "sio4", Password: secret, NewPassword: fresh},
		AuthenticatorConfig{Lookup: one("sio4", Credential{Password: secret})}).run()
	x.wantDone("sio4", true)
	send, _, _ := x.p.done.StartKeys(false)
	forbidden := []string{secret, fresh}
	for _, b := range [][]byte{[]byte(secret), []byte(fresh), hash[:], send[:], (*x.p.done.keys).hashHash[:]} {
		forbidden = append(forbidden, fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), fmt.Sprint(b)[1:20], fmt.Sprintf("%#v", b)[7:30])
	}
	cfg := PeerConfig{User: "sio4", Password: secret, NewPassword: fresh, NTHash: &hash}
	cred := Credential{Password: secret, NTHash: &hash}
	for _, v := range []any{Secret(secret), cfg, &cfg, cred, &cred, *x.p.done, x.p.done, Done{*x.p.done}, x.peer, x.auth, x.peer.core, struct{ r *Result }{x.p.done}, struct{ p *Peer }{x.peer}} {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "v", v)
		out := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b"} {
			out += fmt.Sprintf(verb+"\n", v)
		}
		if j, err := json.Marshal(v); err == nil {
			out += string(j)
		}
		for _, f := range forbidden {
			if strings.Contains(out, f) {
				t.Errorf("%T gives %q away:\n%s", v, f, out)
			}
		}
	}
}

func TestParseFailure(t *testing.T) {
	c := unhex(t, "21e75d603efba452cf5298e852e68d13")
	for _, row := range []struct {
		in   string
		want failure
	}{
		{"E=691 R=1 C=21e75d603efba452cf5298e852e68d13 V=0 M=Access denied", failure{691, true, c, 0, "Access denied"}},
		{"E=691 R=0 C=21E75D603EFBA452CF5298E852E68D13 V=3 M=bad username or password", failure{691, false, c, 3, "bad username or password"}},
		{"E=0000000648 R=0 C=21E75D603EFBA452CF5298E852E68D13 V=0000000003", failure{648, false, c, 3, ""}},
		{"E=691 R=1 C=21e75d603efba452 V=2", failure{691, true, c[:8], 2, ""}},
		{"E=691 R=0", failure{code: 691}},
		{"E=691", failure{code: 691}},
		{"R=1 E=647 M=closed M=really", failure{code: 647, retry: true, message: "closed M=really"}},
		{"E=649 R=0 M=E=691", failure{code: 649, message: "E=691"}},
		{"E=691 R=0 no such user", failure{code: 691, message: "no such user"}},
		{"\x05E=691 R=0 V=3", failure{code: 691, version: 3}},
		{"E=691,R=1,V=3", failure{code: 691, retry: true, version: 3}},
		{"E=x R=1", failure{retry: true}},
		{"E=99999999999", failure{message: "E=99999999999"}},
		{"E=691 C=xyz V=-1", failure{code: 691}},
		{"Login incorrect", failure{message: "Login incorrect"}},
		{"a=b", failure{message: "a=b"}},
		{"M=\x1b[31mred\r\nnext\x00", failure{message: "[31mred next"}},
		{"", failure{}},
		{"=", failure{message: "="}},
	} {
		if got := parseFailure([]byte(row.in)); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%q: %+v, want %+v", row.in, got, row.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for code, want := range map[int]string{
		646: "authentication refused: this account may not log in at this hour (E=646): ",
		647: "authentication refused: the account is disabled (E=647): ask",
		648: "authentication refused: the password has expired (E=648): set",
		649: "authentication refused: the account has no dial-in permission (E=649): ask",
		691: "authentication refused: wrong user name or password (E=691): check",
		709: "authentication refused: the server did not accept the new password (E=709): choose",
		0:   "authentication refused: wrong user name or password: check",
		555: "authentication refused: the server gave no reason (E=555): check",
	} {
		e := refusal(MSCHAPv2, "sio4", failure{code: code})
		if !strings.HasPrefix(e.Error(), want) || strings.Contains(e.Error(), "\n") {
			t.Errorf("%d: %s", code, e)
		}
	}
	if got := refusal(PAP, "u", failure{message: "Already logged in"}).Error(); got != `authentication refused: the server says "Already logged in": check user name and password` {
		t.Error(got)
	}
}

func FuzzParseFailure(f *testing.F) {
	f.Add([]byte("E=691 R=1 C=21e75d603efba452cf5298e852e68d13 V=0 M=Access denied"))
	f.Add([]byte("\x00E=648 R=1 V=3"))
	f.Add([]byte("M=\xff\xfe\u202e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseFailure(b)
		if strings.ContainsAny(got.message, "\n\r\x00\x1b") || !utf8.ValidString(got.message) || len(got.message) > 3*200 {
			t.Fatalf("%q: message %q", b, got.message)
		}
		// What we write we read again.
		if again := parseFailure(appendFailure(nil, got)); got.challenge != nil && !reflect.DeepEqual(again, got) {
			t.Fatalf("%q: %+v, then %+v", b, got, again)
		}
	})
}

func FuzzParsePacket(f *testing.F) {
	f.Add([]byte{1, 2, 0, 4})
	f.Add([]byte{2, 9, 0, 6, 1, 0xaa, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePacket(b)
		if !ok {
			return
		}
		again := appendPacket(nil, p.code, p.id, p.data)
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x: %x", b, again)
		}
		if v, rest, ok := parseValue(p.data); ok && !bytes.Equal(append(appendValue(nil, v), rest...), p.data) {
			t.Fatalf("%x: value %x, rest %x", b, v, rest)
		}
		if m, ok := parseInner(p.data); ok && len(p.data) >= innerHeaderLen {
			got, ok := parseInner(appendInner(nil, m))
			if !ok || !reflect.DeepEqual(got, m) {
				t.Fatalf("%x: %+v, then %+v", b, m, got)
			}
		}
	})
}
