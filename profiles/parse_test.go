package profiles

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"goppptp/routing"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Every key of the contract, each with a value that is not its default.
const everyKey = `gateway: station:1724
user: LAB\sio4
password: p4ssw0rd
routes:
  - 172.16.0.0/16
  - 192.168.13.7
  - {to: 192.168.14.0/24, metric: 5}
  - {to: build.lab.example}
  - other.lab.example
  - 2001:db8::/32
exclude: [172.16.9.0/24, 172.16.8.1]
default_route: true
pushed_routes: [192.168.0.0/16]
metric: 7
dns: split
domains: [lab.example, other.example.]
mppe: {require: false, bits: [128, 40], stateful: true}
auth: [eap, mschapv2]
mtu: 1400
keepalive: {interval: 1m30s, failures: 2}
reconnect: false
on_conflict: warn
leak: block
on_up: {run: [/bin/up, -v], timeout: 10s, required: true}
on_down: [/bin/down, "", $HOME]
on_change:
  - [/bin/one]
  - {run: [/bin/two]}
`

func TestEveryKey(t *testing.T) {
	p, err := Parse("/etc/goppptp/profiles/lab.yaml", []byte(everyKey))
	if err != nil {
		t.Fatal(err)
	}
	want := &Profile{
		Path: "/etc/goppptp/profiles/lab.yaml", Name: "lab", Gateway: "station", Port: 1724, User: `LAB\sio4`, Password: "p4ssw0rd",
		Routes: []Route{
			{To: netip.MustParsePrefix("172.16.0.0/16"), Line: 5},
			{To: netip.MustParsePrefix("192.168.13.7/32"), Line: 6},
			{To: netip.MustParsePrefix("192.168.14.0/24"), Metric: 5, Line: 7},
			{Host: "build.lab.example", Line: 8},
			{Host: "other.lab.example", Line: 9},
			{To: netip.MustParsePrefix("2001:db8::/32"), Line: 10},
		},
		Exclude: prefixes("172.16.9.0/24", "172.16.8.1/32"), DefaultRoute: true,
		PushedRoutes: Pushed{PushedWithin, prefixes("192.168.0.0/16")}, Metric: 7,
		DNS: DNSSplit, Domains: []string{"lab.example", "other.example"},
		MPPE: MPPE{Require: false, Bits: []int{128, 40}, Stateful: true}, Auth: []string{"eap", "mschapv2"}, MTU: 1400,
		Keepalive: Keepalive{90 * time.Second, 2}, Reconnect: false, OnConflict: routing.Warn, Leak: LeakBlock,
		OnUp:     []Hook{{Run: []string{"/bin/up", "-v"}, Timeout: 10 * time.Second, Required: true}},
		OnDown:   []Hook{{Run: []string{"/bin/down", "", "$HOME"}}},
		OnChange: []Hook{{Run: []string{"/bin/one"}}, {Run: []string{"/bin/two"}}},
	}
	if string(p.source()) != everyKey {
		t.Errorf("the text is %s", p.source())
	}
	p.text = nil
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got\n%#v\nwant\n%#v", p, want)
	}
	if p.Domain() != "LAB" || p.Account() != "sio4" {
		t.Errorf("domain %q, account %q", p.Domain(), p.Account())
	}
	if h := p.HostRoutes(); len(h) != 2 || h[1].Host != "other.lab.example" {
		t.Errorf("host routes %v", h)
	}
	wantCfg := routing.Config{Name: "lab", Exclude: p.Exclude, DefaultRoute: true, Metric: 7, OnConflict: routing.Warn, Block: true,
		Routes: []routing.Route{{To: p.Routes[0].To}, {To: p.Routes[1].To}, {To: p.Routes[2].To, Metric: 5}, {To: p.Routes[5].To}}}
	if cfg := p.RoutingConfig(); !reflect.DeepEqual(cfg, wantCfg) {
		t.Errorf("routing config %+v, want %+v", cfg, wantCfg)
	}
}

func TestDefaults(t *testing.T) {
	p, err := Parse("min.yaml", []byte("gateway: station\nuser: sio4\n"))
	if err != nil {
		t.Fatal(err)
	}
	p.text = nil
	want := &Profile{Path: "min.yaml", Name: "min", Gateway: "station", Port: 1723, User: "sio4", PushedRoutes: Pushed{Mode: "ignore"}, Metric: 1,
		DNS: "keep", MPPE: MPPE{true, []int{128}, false}, Auth: []string{"mschapv2"}, Keepalive: Keepalive{30 * time.Second, 4},
		Reconnect: true, OnConflict: "refuse", Leak: "allow"}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got\n%#v\nwant\n%#v", p, want)
	}
	if p.Domain() != "" || p.Account() != "sio4" || p.HasSecret() {
		t.Errorf("domain %q, account %q, secret %t", p.Domain(), p.Account(), p.HasSecret())
	}
}

// What a value may look like besides.
func TestAccepted(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   func(*Profile) bool
	}{
		{"gateway: 203.235.199.133", func(p *Profile) bool { return p.Gateway == "203.235.199.133" && p.Port == 1723 }},
		{"gateway: 203.235.199.133:1", func(p *Profile) bool { return p.Gateway == "203.235.199.133" && p.Port == 1 }},
		{"user: 0123", func(p *Profile) bool { return p.User == "0123" }},
		{"user: sio4@lab.example", func(p *Profile) bool { return p.User == "sio4@lab.example" && p.Domain() == "" }},
		{`user: "LAB\\sio4"`, func(p *Profile) bool { return p.Domain() == "LAB" }},
		{"password: 0123", func(p *Profile) bool { return p.Password == "0123" }},
		{"password: true", func(p *Profile) bool { return p.Password == "true" }},
		{"password_command: [pass, '', vpn]", func(p *Profile) bool { return len(p.PasswordCommand) == 3 }},
		{"keyring: true", func(p *Profile) bool { return p.Keyring && p.HasSecret() }},
		{"keyring: false\npassword: x", func(p *Profile) bool { return !p.Keyring && p.HasSecret() }},
		{"routes:", func(p *Profile) bool { return len(p.Routes) == 0 }},
		{"routes: 10.0.0.0/8", func(p *Profile) bool { return len(p.Routes) == 1 }},
		{"routes: [10.0.0.0/8, 10.0.0.0/8]", func(p *Profile) bool { return len(p.Routes) == 2 }}, // the plan warns
		{"exclude: &x [10.0.0.0/8]\nroutes: *x", func(p *Profile) bool { return len(p.Routes) == 1 }},
		{"pushed_routes: accept", func(p *Profile) bool { return p.PushedRoutes.Mode == PushedAccept }},
		{"pushed_routes: []", func(p *Profile) bool { return p.PushedRoutes.Mode == PushedWithin }},
		{"metric: 0", func(p *Profile) bool { return p.Metric == 0 }},
		{"mppe: {bits: [40]}", func(p *Profile) bool { return p.MPPE.Require && p.MPPE.Bits[0] == 40 }},
		{"mppe:", func(p *Profile) bool { return p.MPPE.Require }},
		{"auth: pap\nmppe: {require: false}", func(p *Profile) bool { return p.Auth[0] == "pap" }},
		{"auth: [pap, mschap]", func(p *Profile) bool { return p.MPPE.Require }},
		{"auth: eap", func(p *Profile) bool { return p.MPPE.Require }},
		{"mtu: auto", func(p *Profile) bool { return p.MTU == 0 }},
		{"keepalive: {interval: 0s}", func(p *Profile) bool { return p.Keepalive == Keepalive{0, 4} }},
	} {
		text := c.text + "\n"
		for _, need := range []string{"gateway: a", "user: b"} {
			if !strings.Contains(c.text, need[:4]+need[4:strings.Index(need, " ")]) {
				text += need + "\n"
			}
		}
		p, err := Parse("x.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
		} else if !c.ok(p) {
			t.Errorf("%q: %+v", c.text, p)
		}
	}
}

// Mistakes, each with all of what is said about it. A text without a gateway
// or a user gets them behind what is tested.
var mistakes = []struct{ text, errors string }{
	{"", `lab.yaml:1:1: the file is empty: a profile needs at least "gateway" and "user"`},
	{"# nothing\n", `lab.yaml:1:1: the file is empty: a profile needs at least "gateway" and "user"`},
	{"{}", `lab.yaml:1:1: the key "gateway" is missing: add "gateway: " and the server's name or address` + "\n" +
		`lab.yaml:1:1: the key "user" is missing: add "user: " and the account's name`},
	{"p4ssw0rd", `lab.yaml:1:1: expected keys and values, found a text: write lines such as "gateway: vpn.example.com"`},
	{"- a", `lab.yaml:1:1: expected keys and values, found a list: write lines such as "gateway: vpn.example.com"`},
	{"gateway: a\nuser: b\n---\ngateway: c", `lab.yaml:3:1: a profile is one YAML document, here is a second: remove everything from "---" on`},
	{"gateway: a\n\tuser: b", `lab.yaml:2: not valid YAML: found a tab character that violates indentation`},
	{"password: *p4ssw0rd", `lab.yaml:1: not valid YAML: unknown anchor: put a text that begins with * into quotes`},

	{"gatway: a\nuser: b\ngateway: c", `lab.yaml:1:1: unknown key "gatway": did you mean "gateway"?`},
	{"default-route: true", `lab.yaml:1:1: unknown key "default-route": did you mean "default_route"?`},
	{"username: x", `lab.yaml:1:1: unknown key "username": did you mean "user"?`},
	{"subnets: [10.0.0.0/8]", `lab.yaml:1:1: unknown key "subnets": did you mean "routes"?`},
	{"mppe:\n  requird: true", `lab.yaml:2:3: unknown key "mppe.requird": did you mean "require"?`},
	{"mppe: {zzzzzz: 1}", `lab.yaml:1:8: unknown key "mppe.zzzzzz": known here: require, bits, stateful`},
	{"routes: [{too: 10.0.0.0/8}]", `lab.yaml:1:10: routes[0]: the key "to" is missing: write it as in {to: 172.16.0.0/16, metric: 5}` + "\n" +
		`lab.yaml:1:11: unknown key "routes[0].too": did you mean "to"?`},
	{"<<: {user: x}", `lab.yaml:1:1: unknown key "<<": known here: gateway, user, password, password_file, password_command, keyring, routes, exclude, default_route, pushed_routes, metric, dns, domains, mppe, auth, mtu, keepalive, reconnect, on_conflict, leak, on_up, on_down, on_change`},
	{"[a]: b", `lab.yaml:1:1: expected a key, found a list`},
	{"metric: 1\nmetric: 2", `lab.yaml:2:1: the key "metric" is given twice, first on line 1: keep one of them`},
	{"mppe: {bits: [40], bits: [56]}", `lab.yaml:1:20: the key "mppe.bits" is given twice, first on line 1: keep one of them`},

	{"gateway:", `lab.yaml:1:9: gateway: expected the server's name or address, found nothing`},
	{"gateway: ''", `lab.yaml:1:10: gateway: expected the server's name or address, found an empty text`},
	{"gateway: [a]", `lab.yaml:1:10: gateway: expected the server's name or address, found a list`},
	{"gateway: a b", `lab.yaml:1:10: gateway: "a b" is neither a host name nor an IPv4 address: write it as in vpn.example.com or 192.0.2.1:1723`},
	{"gateway: 1.2.3", `lab.yaml:1:10: gateway: "1.2.3" is neither a host name nor an IPv4 address: write it as in vpn.example.com or 192.0.2.1:1723`},
	{"gateway: 0.0.0.0", `lab.yaml:1:10: gateway: "0.0.0.0" is neither a host name nor an IPv4 address: write it as in vpn.example.com or 192.0.2.1:1723`},
	{"gateway: a:0", `lab.yaml:1:10: gateway: "0" is no port: a port is 1 to 65535, usually 1723`},
	{"gateway: 'a:'", `lab.yaml:1:10: gateway: "" is no port: a port is 1 to 65535, usually 1723`},
	{"gateway: 2001:db8::1", `lab.yaml:1:10: gateway: PPTP's GRE runs over IPv4, "2001:db8::1" cannot be dialled: give an IPv4 address or a name`},
	{`user: "a\nb"`, `lab.yaml:1:7: user: control characters and line ends are not allowed`},
	{`user: A\B\c`, `lab.yaml:1:7: user: "A\\B\\c" is not a domain, one backslash and a name: write it as in DOMAIN\user`},
	{"password:", `lab.yaml:1:10: password: expected a text, found nothing: remove the key to be asked, and quote a password with special characters`},
	{"password: {p4ssw0rd}", `lab.yaml:1:11: password: expected a text, found a list or a mapping: remove the key to be asked, and quote a password with special characters`},
	{"password: x\npassword_file: y", `lab.yaml:2:1: "password" and "password_file" both say where the password is: keep one of the two`},
	{"keyring: true\npassword_command: [x]", `lab.yaml:1:1: "password_command" and "keyring" both say where the password is: keep one of the two`},
	{"password_command: pass vpn", `lab.yaml:1:19: password_command: expected a list of a program and its arguments, found "pass vpn": write it as in ["pass", "show", "vpn/lab"]; there is no shell`},
	{"keyring: yes", `lab.yaml:1:10: keyring: expected true or false, found "yes": write "true"`},

	{"routes: [172.16.5.0/16]", `lab.yaml:1:10: routes[0]: 172.16.5.0/16 has bits set outside its mask: did you mean 172.16.0.0/16, or the one host 172.16.5.0?`},
	{"routes:\n  - 10.0.0.0/33", `lab.yaml:2:5: routes[0]: "10.0.0.0/33" is not a subnet: the number after the slash is 1 to 32`},
	{"routes:\n  - 10.0.0.0/255.0.0.0", `lab.yaml:2:5: routes[0]: "10.0.0.0/255.0.0.0" is not a subnet: did you mean 10.0.0.0/8?`},
	{"routes: [10.0.0.256]", `lab.yaml:1:10: routes[0]: "10.0.0.256" is not a subnet: write it as in 172.16.0.0/16`},
	{"routes: [0.0.0.0/0]", `lab.yaml:1:10: routes[0]: 0.0.0.0/0 is everything, not a subnet: for that set "default_route: true"`},
	{"routes: ['::ffff:10.0.0.0/104']", `lab.yaml:1:10: routes[0]: "::ffff:10.0.0.0/104" is an IPv4 subnet in IPv6 notation: write it as in 172.16.0.0/16`},
	{"routes: ['fe80::1%eth0']", `lab.yaml:1:10: routes[0]: an address with a zone is no destination: drop "%eth0"`},
	{"routes: [-a.example]", `lab.yaml:1:10: routes[0]: "-a.example" is not a subnet: write it as in 172.16.0.0/16`},
	{"routes: {to: 10.0.0.0/8}", `lab.yaml:1:9: routes: expected a list, found a mapping: write a list, one entry a line after a dash`},
	{"routes: [[10.0.0.0/8]]", `lab.yaml:1:10: routes[0]: expected a subnet or a host name, found a list`},
	{"routes: [{to: 10.0.0.0/8, metric: 0}]", `lab.yaml:1:35: routes[0].metric: expected a whole number from 1 to 2147483647, found the number 0`},
	{"routes: &a [*a]", `lab.yaml:1:9: routes[0]: expected a subnet or a host name, found a list`},
	{"exclude: [lab.example]", `lab.yaml:1:11: exclude[0]: "lab.example" is not a subnet: write it as in 172.16.0.0/16`},
	{"default_route: 1", `lab.yaml:1:16: default_route: expected true or false, found the number 1: write "true"`},
	{"pushed_routes: acept", `lab.yaml:1:16: pushed_routes: expected ignore or accept, found "acept": did you mean "accept"?`},
	{"pushed_routes: 10.0.0.0/8", `lab.yaml:1:16: pushed_routes: the subnets inside which routes are taken stand in a list: write [10.0.0.0/8]`},
	{"metric: -1", `lab.yaml:1:9: metric: expected a whole number from 0 to 2147483647, found the number -1`},
	{"metric: 1.5", `lab.yaml:1:9: metric: expected a whole number from 0 to 2147483647, found the number 1.5`},
	{"metric: true", `lab.yaml:1:9: metric: expected a whole number from 0 to 2147483647, found the truth value true`},
	{"metric: 99999999999999999999", `lab.yaml:1:9: metric: expected a whole number from 0 to 2147483647, found the number 99999999999999999999`},
	{"dns: splt", `lab.yaml:1:6: dns: expected keep, split or use, found "splt": did you mean "split"?`},
	{"dns: split", `lab.yaml:1:1: "split" needs the domains that the tunnel's servers answer for: add "domains: [lab.example]"`},
	{"domains: [a b]", `lab.yaml:1:11: domains[0]: "a b" is not a domain: write it as in lab.example`},
	{"mppe: true", `lab.yaml:1:7: mppe: expected a mapping, found the truth value true: known in it: require, bits, stateful`},
	{"mppe: {bits: [64]}", `lab.yaml:1:15: mppe.bits[0]: expected 40, 56 or 128, found the number 64`},
	{"mppe: {bits: [128, 128]}", `lab.yaml:1:20: mppe.bits[1]: 128 is named twice: remove it`},
	{"mppe: {bits: []}", `lab.yaml:1:14: mppe.bits: no key length is named: write [128], or "mppe: {require: false}" to go without`},
	{"auth: [mschap2]", `lab.yaml:1:8: auth[0]: expected mschapv2, eap, mschap, chap or pap, found "mschap2": did you mean "mschapv2"?`},
	{"auth: [eap, eap]", `lab.yaml:1:13: auth[1]: eap is named twice: remove it`},
	{"auth: []", `lab.yaml:1:7: auth: no method is named: write [mschapv2]`},
	{"auth: [pap, chap]", `lab.yaml:1:1: mppe.require is true, and pap, chap gives no keys to encrypt with: add mschapv2, or set "mppe: {require: false}" to go without encryption`},
	{"mtu: 100", `lab.yaml:1:6: mtu: expected auto or a number from 576 to 9000, found the number 100`},
	{"keepalive: {interval: 30}", `lab.yaml:1:23: keepalive.interval: expected a time such as 30s, from 0s to 1h, found the number 30: name the unit, as in 30s`},
	{"keepalive: {interval: -1s}", `lab.yaml:1:23: keepalive.interval: expected a time such as 30s, from 0s to 1h, found "-1s"`},
	{"keepalive: {failures: 0}", `lab.yaml:1:23: keepalive.failures: expected a whole number from 1 to 100, found the number 0`},
	{"leak: stop", `lab.yaml:1:7: leak: expected allow or block, found "stop"`},
	{"on_up: /bin/up -v", `lab.yaml:1:8: on_up: expected a list of a program and its arguments, found "/bin/up -v": write it as in [/usr/local/sbin/tunnel-up, --quiet]; there is no shell`},
	{"on_up: [up]", `lab.yaml:1:8: on_up: "up" is no absolute path: write the path from / on, as in /usr/local/sbin/tunnel-up`},
	{"on_up: [[/bin/up], []]", `lab.yaml:1:20: on_up[1]: expected a list of a program and its arguments, found a list: write it as in [/usr/local/sbin/tunnel-up, --quiet]; there is no shell`},
	{"on_up: {timeout: 5s}", `lab.yaml:1:8: on_up: the key "run" is missing: write it as in {run: [/usr/local/sbin/tunnel-up], timeout: 10s}`},
	{"on_up: {run: [/bin/up], timeout: 5}", `lab.yaml:1:34: on_up.timeout: expected a time such as 30s, from 1s to 10m, found the number 5: name the unit, as in 5s`},
	{"on_up: {run: [/bin/up], shell: true}", `lab.yaml:1:25: unknown key "on_up.shell": known here: run, timeout, required`},
	{"on_down: {run: [/bin/down], required: true}", `lab.yaml:1:39: on_down.required: only a command of on_up can be required: remove it`},
	{"on_change: [[/bin/x, {a: b}]]", `lab.yaml:1:22: on_change[0][1]: expected a program or an argument, found a mapping`},
	{"on_conflict: ignore", `lab.yaml:1:14: on_conflict: expected refuse or warn, found "ignore"`},
	{"metric: x\ndns: y", `lab.yaml:1:9: metric: expected a whole number from 0 to 2147483647, found "x"` + "\n" +
		`lab.yaml:2:6: dns: expected keep, split or use, found "y"`},
}

func TestMistakes(t *testing.T) {
	for _, c := range mistakes {
		text := c.text
		if !strings.Contains(c.errors, "missing: add") && strings.Contains(text, ":") {
			if !strings.Contains("\n"+text, "\ngateway:") {
				text += "\ngateway: a"
			}
			if !strings.Contains("\n"+text, "\nuser:") {
				text += "\nuser: b"
			}
		}
		p, err := Parse("lab.yaml", []byte(text))
		if err == nil {
			t.Errorf("%q: no error, %+v", c.text, p)
			continue
		}
		if p != nil {
			t.Errorf("%q: an error and a profile", c.text)
		}
		if err.Error() != c.errors {
			t.Errorf("%q:\n got %s\nwant %s", c.text, err, c.errors)
		}
		if strings.Contains(err.Error(), "p4ssw0rd") {
			t.Errorf("%q: the error tells the password", c.text)
		}
		var e *Error
		if !errors.As(err, &e) || e.File != "lab.yaml" || e.Line < 1 {
			t.Errorf("%q: %#v", c.text, e)
		}
	}
}

func TestErrorKeys(t *testing.T) {
	_, err := Parse("a.yaml", []byte("gateway: a\nuser: b\nroutes: [{to: 10.0.0.0/8, metric: 0}]\nmppe: {bits: [1]}\nauht: x\n"))
	var es Errors
	if !errors.As(err, &es) {
		t.Fatalf("%T", err)
	}
	var keys []string
	for _, e := range es {
		keys = append(keys, e.Key)
	}
	if got := strings.Join(keys, " "); got != "routes[0].metric mppe.bits[0] auht" {
		t.Errorf("keys %s", got)
	}
}

func TestTooLarge(t *testing.T) {
	_, err := Parse("a.yaml", []byte(strings.Repeat("# comment\n", maxSize/10+1)))
	if err == nil || !strings.Contains(err.Error(), "more than a profile can have") {
		t.Errorf("%v", err)
	}
}

func TestDidYouMean(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{"gateway", "gateway"}, {"gatewya", "gateway"}, {"Gateway", "gateway"}, {"getaway", "gateway"}, {"user-", "user"},
		{"usr", "user"}, {"mtuu", "mtu"}, {"x", ""}, {"banana", ""}, {"host", "gateway"}, {"pass", "password"},
	} {
		var names []string
		for _, k := range keys {
			names = append(names, k.name)
		}
		want := ""
		if c.want != "" {
			want = `did you mean "` + c.want + `"?`
		}
		if got := didYouMean(c.got, names); got != want {
			t.Errorf("%q: %q, want %q", c.got, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range mistakes {
		f.Add(m.text)
	}
	f.Add(everyKey)
	for _, name := range Examples() {
		text, _ := Example(name)
		f.Add(string(text))
	}
	add := Route{To: netip.MustParsePrefix("10.99.99.0/24"), Metric: 3}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("f.yaml", []byte(text))
		if err != nil {
			var es Errors
			if !errors.As(err, &es) || len(es) == 0 {
				t.Fatalf("%T", err)
			}
			for _, e := range es {
				if e.Line < 1 || e.Message == "" || strings.ContainsAny(e.Message, "\n") {
					t.Errorf("%#v", e)
				}
			}
			return
		}
		again, err := Parse("f.yaml", p.YAML())
		if err != nil || !same(p, again) {
			t.Fatalf("its YAML says something else: %v\n%s", err, p.YAML())
		}
		if _, err := Parse("f.yaml", p.Show()); err != nil {
			t.Fatalf("Show does not parse: %v\n%s", err, p.Show())
		}
		before := *p
		if err := p.AddRoute(add); err != nil {
			return // it is there, or the text cannot be edited: said, and nothing changed
		}
		if len(p.Routes) != len(before.Routes)+1 {
			t.Fatalf("%d routes", len(p.Routes))
		}
		if err := p.RemoveRoute(add.String()); err != nil {
			t.Fatalf("%v\n%s", err, p.source())
		}
		if !same(p, &before) {
			t.Fatalf("adding and removing leaves\n%s", p.source())
		}
	})
}
