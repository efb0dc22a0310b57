package server

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goppptp/internal/pppdfile"
)

const chapSecrets = `# Secrets for authentication using CHAP
# client	server	secret	IP addresses
sio4	pptpd	p4ssw0rd	192.168.13.240
ann	*	"se cret"	*
bob	pptpd	x	10.0.0.0/24 !10.0.0.9 192.168.13.77
LAB\\cid *	'it"s'	!192.168.13.241 *
dan	pptpd	x
eve	pptpd	x	-
me	otherserver	y	*
dup	*	wild	*
dup	pptpd	exact	*
dup	pptpd	later	*
`

func readNone(string) (string, error) { return "", errors.New("no files here") }

func TestChapSecrets(t *testing.T) {
	list, err := parseChapSecrets("chap-secrets", chapSecrets, "pptpd", readNone)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]User{}
	for _, u := range list {
		byName[u.Name] = u
	}
	if len(list) != 7 || len(byName) != 7 {
		t.Errorf("%d users, want 7", len(list))
	}
	for name, want := range map[string]struct{ secret, fixed, yes, no string }{
		"sio4":    {"p4ssw0rd", "192.168.13.240", "192.168.13.240", "192.168.13.241"},
		"ann":     {"se cret", "", "1.2.3.4", ""},
		"bob":     {"x", "", "10.0.0.8 192.168.13.77", "10.0.1.1 192.168.13.78"},
		`LAB\cid`: {`it"s`, "", "192.168.13.240", "192.168.13.241"},
		"dan":     {"x", "", "", "192.168.13.240"},
		"eve":     {"x", "", "", "192.168.13.240"},
		"dup":     {"exact", "", "1.2.3.4", ""},
	} {
		u, ok := byName[name]
		if !ok || string(u.Password) != want.secret {
			t.Errorf("%s: there %v, or another secret", name, ok)
			continue
		}
		if got := u.Address; got.IsValid() != (want.fixed != "") || got.IsValid() && got.String() != want.fixed {
			t.Errorf("%s: fixed address %v, want %q", name, got, want.fixed)
		}
		for s := range strings.FieldsSeq(want.yes) {
			if !u.allowed.permits(ip(s)) {
				t.Errorf("%s may not have %s", name, s)
			}
		}
		for s := range strings.FieldsSeq(want.no) {
			if u.allowed.permits(ip(s)) {
				t.Errorf("%s may have %s", name, s)
			}
		}
	}
}

func TestChapSecretsRulesGoInOrder(t *testing.T) {
	rules, bad := parseAddressRules([]pppdfile.Word{{Text: "!10.0.0.9"}, {Text: "10.0.0.0/24"}})
	if bad != nil {
		t.Fatal(bad.message)
	}
	for a, want := range map[string]bool{"10.0.0.8": true, "10.0.0.9": false, "10.0.1.0": false} {
		if rules.permits(ip(a)) != want {
			t.Errorf("%s: %v", a, !want)
		}
	}
	if rules.single().IsValid() {
		t.Error("a subnet is no single address")
	}
	rules, _ = parseAddressRules([]pppdfile.Word{{Text: "!10.0.0.9"}, {Text: "10.0.0.9"}})
	if rules.single().IsValid() || len(rules.hosts()) > 0 {
		t.Error("an address that an earlier rule refuses is handed out")
	}
}

func TestChapSecretsMistakes(t *testing.T) {
	for in, want := range map[string]string{
		"sio4 pptpd":         "f:1:1: 2 words",
		"a * x\n\n  b c":     "f:3:3: 2 words",
		"a * \"x":            "f:1: a quotation has no end",
		"a * x 10.0.0.0/24+": "f:1:7: \"10.0.0.0/24+\": an address by interface number",
		"a * x host.example": "f:1:7: \"host.example\" is not an IPv4 address",
		"a * x 10.0.0.0/40":  "f:1:7: \"10.0.0.0/40\" is not an IPv4 subnet",
		"a * \"\" *":         "f:1:5: the secret of \"a\" is empty",
		"\"\" * x *":         "f:1:1: the client has an empty name",
		"a * @secrets/a *":   "f:1:5: the secret of \"a\": no files here",
	} {
		list, err := parseChapSecrets("f", in, "pptpd", readNone)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", in, list, err, want)
		}
	}
}

func TestChapSecretsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "chap secrets")
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("a.secret", "from file\nsecond line\n", 0o600)
	write("chap secrets", "a * @a.secret *\n", 0o600)
	list, err := LoadChapSecrets(path, "pptpd")
	if err != nil || len(list) != 1 || string(list[0].Password) != "from file" {
		t.Errorf("%d users, %v", len(list), err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o620, 0o602} {
		write("chap secrets", "a * x *\n", mode)
		_, err := LoadChapSecrets(path, "pptpd")
		if err == nil || !strings.HasSuffix(err.Error(), "chmod 600 '"+path+"'") {
			t.Errorf("mode %v: %v; want the chmod that mends it", mode, err)
		}
	}
	write("a.secret", "x", 0o644)
	write("chap secrets", "a * @a.secret *\n", 0o600)
	if _, err := LoadChapSecrets(path, "pptpd"); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a secret's file that others can read: %v", err)
	}
	if _, err := LoadChapSecrets(filepath.Join(dir, "none"), "x"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
	if _, err := LoadChapSecrets(dir, "x"); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
}

func FuzzChapSecrets(f *testing.F) {
	f.Add(chapSecrets)
	f.Add("a * @x *\n* pptpd y !1.2.3.4")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseChapSecrets("f", s, "pptpd", func(string) (string, error) { return "s", nil })
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, u := range list {
			if u.Name == "" || u.Password == "" || names[u.Name] {
				t.Fatalf("user %q: no name, no secret, or there twice", u.Name)
			}
			names[u.Name] = true
			if u.Address.IsValid() && !u.allowed.permits(u.Address) {
				t.Fatalf("user %q has %v and may not", u.Name, u.Address)
			}
			u.allowed.permits(netip.IPv4Unspecified())
		}
	})
}
