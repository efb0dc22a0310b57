package server

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"goppptp/internal/mschap"
	"goppptp/internal/ppp/auth"
)

// contractConfig is the server.yaml of the documentation.
const contractConfig = `listen: [":1723"]
local: 192.168.13.254
remote: [192.168.13.240-249]  # pptpd's syntax and CIDR; one client, one address
users:
  - {name: sio4, nt_hash: "8846f7eaee8fb117ad06bdd830b7586c", address: 192.168.13.240, routes: [192.168.14.0/24], sessions: 1}
mppe: {require: true, bits: [128], stateful: false}
auth: [mschapv2]
dns: [192.168.13.1]
push_routes: [192.168.13.0/24]    # answered to DHCPINFORM, options 121 and 249
proxy_arp: auto
forward: true
max_sessions: 0
metrics: ""
`

func TestParseConfig(t *testing.T) {
	c, err := ParseConfig("server.yaml", []byte(contractConfig))
	if err != nil {
		t.Fatal(err)
	}
	hash, _ := hex.DecodeString("8846f7eaee8fb117ad06bdd830b7586c")
	h := mschap.NTHash(hash)
	want := defaultConfig()
	want.Path = "server.yaml"
	want.Local = []netip.Addr{ip("192.168.13.254")}
	want.Remote = addrs(t, "192.168.13.240-249")
	want.DNS = []netip.Addr{ip("192.168.13.1")}
	want.PushRoutes = []netip.Prefix{netip.MustParsePrefix("192.168.13.0/24")}
	want.Users = []User{{Name: "sio4", NTHash: &h, Address: ip("192.168.13.240"), Routes: []netip.Prefix{netip.MustParsePrefix("192.168.14.0/24")},
		Sessions: 1, from: "server.yaml:5"}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if h != mschap.NTPasswordHash("password") {
		t.Error("the hash is not that of its password")
	}
}

func TestConfigDefaults(t *testing.T) {
	c, err := ParseConfig("f", []byte("local: 10.0.0.1\nremote: 10.0.0.0/29\nusers: [{name: a, password: b}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Listen, []string{":1723"}) || !c.MPPE.Require || !slices.Equal(c.MPPE.Bits, []int{128}) || c.MPPE.Stateful ||
		!slices.Equal(c.Auth, []auth.Method{auth.MSCHAPv2}) || !c.Forward || c.ProxyARP != ProxyARPAuto || c.MaxSessions != 0 || c.IPv6 ||
		c.Keepalive != (Keepalive{30 * time.Second, 4}) || c.Name == "" {
		t.Errorf("defaults: %+v", c)
	}
	if got := join(c.Remote); got != "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6" {
		t.Errorf("remote %s: neither the server's address nor the subnet's ends belong to clients", got)
	}
}

func TestConfigValues(t *testing.T) {
	c, err := ParseConfig("f", []byte(`
listen: 192.0.2.1
name: pptpd
local: [10.0.0.1-3]
remote: ["10.0.1.1-3,10.0.2.1", 10.0.3.0/30]
users: &u
  - {name: "LAB\\a b", password: 0123}
  - name: c
    password: "yes"
strip_domain: yes
mppe: {require: false, bits: [40, 56], stateful: on}
auth: [eap, mschap, chap, pap]
dns: 10.0.0.9
wins: [10.0.0.8, 10.0.0.7]
proxy_arp: false
forward: no
ipv6: true
max_sessions: 7
mtu: 1300
keepalive: {interval: 1m, failures: 2}
radius:
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen[0] != "192.0.2.1:1723" || c.Name != "pptpd" || len(c.Local) != 3 || join(c.Remote) != "10.0.1.1 10.0.1.2 10.0.1.3 10.0.2.1 10.0.3.1 10.0.3.2" ||
		c.Users[0].Name != `LAB\a b` || c.Users[0].Password != "0123" || c.Users[1].Password != "yes" || !c.StripDomain ||
		c.MPPE.Require || !slices.Equal(c.MPPE.Bits, []int{40, 56}) || !c.MPPE.Stateful || len(c.Auth) != 4 || len(c.DNS) != 1 || len(c.WINS) != 2 ||
		c.ProxyARP != ProxyARPOff || c.Forward || !c.IPv6 || c.MaxSessions != 7 || c.MTU != 1300 || c.Keepalive != (Keepalive{time.Minute, 2}) {
		t.Errorf("%+v", c)
	}
}

// TestConfigMistakes: file, line and column of each mistake, and what to do.
func TestConfigMistakes(t *testing.T) {
	const rest = "local: 10.0.0.1\nremote: 10.0.0.2\nusers: [{name: a, password: b}]\n"
	for in, want := range map[string]string{
		rest + "gatway: x\n":                        `f:4:1: unknown key "gatway"`,
		rest + "remotes: x\n":                       `f:4:1: unknown key "remotes": did you mean "remote"?`,
		rest + "proxyarp: x\n":                      `f:4:1: unknown key "proxyarp": did you mean "proxy_arp"?`,
		rest + "Forward: true\n":                    `f:4:1: unknown key "Forward": did you mean "forward"?`,
		rest + "mppe: {requier: true}\n":            `f:4:8: unknown key "requier": did you mean "require"?`,
		rest + "local: 10.0.0.9\n":                  `f:4:1: the key "local" is given twice, first on line 1`,
		rest + "mppe: yes\n":                        `f:4:7: mppe must be a mapping (key: value)`,
		rest + "mppe: {bits: [64]}\n":               `f:4:15: bits must be any of 40, 56 and 128, not "64"`,
		rest + "mppe: {bits: []}\n":                 `f:4:14: bits must be any of 40, 56 and 128`,
		rest + "auth: [chap]\n":                     `f:4:7: auth: chap gives no keys, and mppe is required`,
		rest + "auth: []\n":                         `f:1: auth names no method: auth: [mschapv2]`,
		rest + "auth: ms-chap-v2\n":                 `f:4:7: auth: "ms-chap-v2" is none of mschapv2, eap, mschap, chap, pap: did you mean "mschapv2"?`,
		rest + "dns: [1.1.1.1, 2.2.2.2, 3.3.3.3]\n": `f:4:25: dns: a client can be told two`,
		rest + "dns: one.one\n":                     `f:4:6: dns: "one.one" is not an IPv4 address`,
		rest + "dns: [[1.1.1.1]]\n":                 `f:4:7: dns must be one value`,
		rest + "dns: [~]\n":                         `f:4:7: an empty element`,
		rest + "push_routes: 10.0.0.1/8\n":          `f:4:14: push_routes: 10.0.0.1/8 has host bits set: did you mean 10.0.0.0/8?`,
		rest + "push_routes: [lab]\n":               `f:4:15: push_routes: "lab" is not an IPv4 subnet`,
		rest + "proxy_arp: maybe\n":                 `f:4:12: proxy_arp must be auto, true or false`,
		rest + "proxy_arp: [auto]\n":                `f:4:12: proxy_arp must be auto, true or false`,
		rest + "max_sessions: -1\n":                 `f:4:15: max_sessions must be a number from 0 to 65535, not "-1"`,
		rest + "max_sessions: many\n":               `f:4:15: max_sessions must be a number from 0 to 65535, not "many"`,
		rest + "mtu: 100\n":                         `f:4:6: mtu must be a number from 576 to 9000, not "100"`,
		rest + "keepalive: {interval: 30}\n":        `f:4:23: interval: "30" is not a time: did you mean 30s?`,
		rest + "keepalive: {interval: -1s}\n":       `f:4:23: interval must be from 0s to 1h0m0s`,
		rest + "radius: {servers: [a]}\n":           `f:4:1: radius is not supported yet`,
		rest + "metrics: \":9100\"\n":               `f:4:1: metrics is not supported yet`,
		rest + "listen: pptp.example\n":             `f:4:9: listen:`,
		rest + "listen: [\":0\"]\n":                 `f:4:10: listen:`,
		rest + "listen: \"[::1]:1723\"\n":           `f:4:9: listen:`,
		rest + "name: \"\"\n":                       `f:4:7: name must be 1 to 64 characters`,
		rest + "forward: perhaps\n":                 `f:4:10: forward must be true or false, not "perhaps"`,
		"local: 10.0.0.1\nremote: 10.0.0.2-1\n":     `f:2:9: remote: "10.0.0.2-1": the range 2-1 runs backwards`,
		"local: 10.0.0.1\nremote: 10.0.0.1\nusers: [{name: a, password: b}]\n": `f:1:1: remote holds nothing but the server's own address`,
		"remote: 10.0.0.2\nusers: [{name: a, password: b}]\n":                  `f:1: local is missing`,
		"local: 10.0.0.2\nusers: [{name: a, password: b}]\n":                   `f:1: remote is missing`,
		"local: 10.0.0.1\nremote: 10.0.0.2\n":                                  `f:1: a source of users is missing`,
		"":                                                                     "f: holds nothing",
		"# empty\n":                                                            "f: holds nothing",
		"- a\n":                                                                "f:1:1: the configuration must be a mapping",
		"a: [\n":                                                               "f:1: not valid YAML",
		"users: [{name: a, password: *hunter2}]\n":                             "f:1: not valid YAML: unknown anchor: put a text that begins with * into quotes",
		"a: 1\n---\nb":                                                         "f:2",
		"\xff\xfe\x00":                                                         "f",
		"local: 10.0.0.1\nremote: 10.0.0.2\nusers: {name: a}\n": `f:3:8: users must be a list`,
	} {
		_, err := ParseConfig("f", []byte(in))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got  %v\n want %s", in, err, want)
		}
	}
}

func TestUserMistakes(t *testing.T) {
	for in, want := range map[string]string{
		`{password: x}`:            `f:4:5: a user without a name`,
		`{name: a}`:                `f:4:5: user "a" has no secret: give password or nt_hash`,
		`{name: a, password: ""}`:  `f:4:5: user "a" has no secret`,
		`{name: "*", password: x}`: `f:4:12: a user's name cannot be "*"`,
		`{name: "", password: x}`:  `f:4:12: a user's name has 1 to 255 characters`,
		`{name: a, nt_hash: 00}`:   `f:4:24: nt_hash: must be 32 hexadecimal digits`,
		`{name: a, nt_hash: "zz46f7eaee8fb117ad06bdd830b7586c"}`:                                   `f:4:24: nt_hash: must be 32 hexadecimal digits`,
		`{name: a, password: x, nt_hash: 8846f7eaee8fb117ad06bdd830b7586c}`:                        `f:4:5: user "a" has both password and nt_hash`,
		`{name: a, password: x, adress: 10.0.0.5}`:                                                 `f:4:28: unknown key "adress": did you mean "address"?`,
		`{name: a, password: x, address: 10.0.0.5-6}`:                                              `f:4:37: address: "10.0.0.5-6" is not an IPv4 address`,
		`{name: a, password: x, address: 10.0.0.5, sessions: 2}`:                                   `f:4:5: user "a" has one address`,
		`{name: a, password: x, address: 10.0.0.1}`:                                                `f:4:5: user "a" has the server's own address 10.0.0.1`,
		`{name: a, password: x, routes: [10.1.0.1/16]}`:                                            `f:4:37: routes: 10.1.0.1/16 has host bits set`,
		`{name: a, password: x, sessions: lots}`:                                                   `f:4:38: sessions must be a number`,
		"{name: a, password: x}\n  - {name: a, password: y}":                                       `f:5:5: user "a" is in f:4 already`,
		"{name: a, password: x, address: 10.0.0.5}\n  - {name: b, password: y, address: 10.0.0.5}": `f:5:5: users "a" and "b" have the same address 10.0.0.5`,
		`[a, b]`: `f:4:5: a user must be a mapping`,
	} {
		_, err := ParseConfig("f", []byte("local: 10.0.0.1\nremote: 10.0.0.2-9\nusers:\n  - "+in+"\n"))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got  %v\n want %s", in, err, want)
		}
	}
}

func TestAllMistakesAreReported(t *testing.T) {
	_, err := ParseConfig("f", []byte("local: x\nremote: y\nusers: z\n"))
	es, ok := err.(ConfigErrors)
	if !ok || len(es) != 3 || es[2].Line != 3 {
		t.Errorf("%v", err)
	}
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const base = "local: 10.0.0.1\nremote: 10.0.0.2-9\n"
	write("chap-secrets", "ann station secret *\nbob other secret *\n", 0o600)
	write("users.yaml", "- {name: cid, password: x}\n", 0o600)
	path := write("server.yaml", base+"users: [{name: dan, password: y}]\nusers_file: users.yaml\nchap_secrets: chap-secrets\nname: station\n", 0o600)
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range c.Users {
		names = append(names, u.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"ann", "cid", "dan"}) {
		t.Errorf("users %v", names)
	}

	for name, tt := range map[string]struct {
		server, users string
		mode, usersMd os.FileMode
		want          string
	}{
		"others read server.yaml":  {base + "users: [{name: a, password: x}]\n", "", 0o644, 0o600, "chmod 600 " + path},
		"others write server.yaml": {base + "users: [{name: a, password: x}]\n", "", 0o602, 0o600, "chmod 600 " + path},
		"others read users":        {base + "users_file: users.yaml\n", "users: [{name: a, password: x}]\n", 0o644, 0o640, path + ":3:13: users_file: " + dir + "/users.yaml holds secrets"},
		"no users_file":            {base + "users_file: none.yaml\n", "", 0o600, 0o600, path + ":3:13: users_file: " + dir + "/none.yaml no such file"},
		"no chap_secrets":          {base + "chap_secrets: none\n", "", 0o600, 0o600, path + ":3:15: chap_secrets: " + dir + "/none no such file"},
		"bad users_file":           {base + "users_file: users.yaml\n", "- {nam: a, password: x}\n", 0o600, 0o600, dir + `/users.yaml:1:4: unknown key "nam": did you mean "name"?`},
		"bad list":                 {base + "users_file: users.yaml\n", "user: []\n", 0o600, 0o600, dir + `/users.yaml:1:1: unknown key "user": did you mean "users"?`},
		"twice":                    {base + "users: [{name: a, password: x}]\nusers_file: users.yaml\n", "- {name: a, password: x}\n", 0o600, 0o600, dir + `/users.yaml:1:3: user "a" is in ` + path + ":3 already"},
		"twice in chap_secrets":    {base + "name: station\nusers: [{name: ann, password: x}]\nchap_secrets: chap-secrets\n", "", 0o600, 0o600, dir + `/chap-secrets:1: user "ann" is in ` + path + ":4 already"},
	} {
		write("server.yaml", tt.server, tt.mode)
		write("users.yaml", tt.users, tt.usersMd)
		_, err := LoadConfig(path)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s:\n got  %v\n want %s", name, err, tt.want)
		}
	}
	// Without a secret in it anybody may read it.
	write("users.yaml", "- {name: a, password: x}\n", 0o600)
	write("server.yaml", base+"users_file: users.yaml\n", 0o644)
	if _, err := LoadConfig(path); err != nil {
		t.Error(err)
	}
	// Users with addresses of their own need no pool.
	write("chap-secrets", "ann * secret 10.0.0.7\n", 0o600)
	write("server.yaml", "local: 10.0.0.1\nchap_secrets: chap-secrets\n", 0o644)
	if c, err := LoadConfig(path); err != nil || len(c.Remote) != 0 || c.Users[0].Address != ip("10.0.0.7") {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := LoadConfig(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	c, err := ParseConfig("f", []byte("local: 10.0.0.1\nremote: 10.0.0.2\nusers: [{name: a, password: hunter2}, {name: b, nt_hash: 8846f7eaee8fb117ad06bdd830b7586c}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", c, c, c.Users[0]); strings.Contains(s, "hunter2") || strings.Contains(s, "8846") || strings.Contains(s, "136 70 247") {
		t.Error("a secret shows")
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(contractConfig))
	f.Add([]byte("local: &a 10.0.0.1\nremote: *a\nusers: [{name: a, password: b}]\nauth: [chap]\nmppe: {require: false}\n"))
	f.Add([]byte("a: &a [*a]\n<<: *a\n? [x]\n: y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig("f", data)
		if err != nil {
			lines := 2 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + strings.Count(string(data), "\u0085") +
				strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029")
			for _, e := range err.(ConfigErrors) {
				if e.Message == "" || e.Line > lines {
					t.Fatalf("a mistake %q in line %d of %d", e.Message, e.Line, lines)
				}
			}
			return
		}
		if _, err := New(c, Options{Platform: newMemory()}); err != nil {
			t.Fatalf("a good configuration makes no server: %v", err)
		}
	})
}
