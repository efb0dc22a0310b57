package profiles

import (
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// editorsFile is what the editor of network-manager-pptp saves.
const editorsFile = `[connection]
id=Head office
uuid=6e1c9a52-6a0c-4a9e-9b5c-2b6d4c1f0a11
type=vpn
autoconnect=false
permissions=user:kate:;
timestamp=1700000000

[vpn]
domain=CORP
gateway=vpn.example.com
lcp-echo-failure=5
lcp-echo-interval=30
password-flags=0
refuse-chap=yes
refuse-eap=yes
refuse-pap=yes
require-mppe=yes
user=kate
service-type=org.freedesktop.NetworkManager.pptp

[vpn-secrets]
password=\sa\\b;c

[ipv4]
dns-search=
ignore-auto-routes=true
method=auto
never-default=true
route1=172.16.0.0/16,192.168.13.254,1
route2=192.168.13.0/24,192.168.13.254,1
route3=192.168.14.0/24,0.0.0.0,5
route10=10.0.0.1

[ipv6]
addr-gen-mode=default
dns-search=
method=auto

[proxy]
`

func TestFromNetworkManager(t *testing.T) {
	p, notes, err := FromNetworkManager([]byte(editorsFile))
	if err != nil {
		t.Fatal(err)
	}
	want := New("Head-office")
	want.Gateway, want.User, want.Password = "vpn.example.com", `CORP\kate`, ` a\b;c`
	want.Auth, want.MPPE = []string{"mschapv2", "mschap"}, MPPE{Require: true, Bits: []int{128, 40}}
	want.Keepalive, want.DNS = Keepalive{30 * time.Second, 5}, DNSUse
	for _, to := range prefixes("172.16.0.0/16", "192.168.13.0/24", "192.168.14.0/24", "10.0.0.1/32") {
		want.Routes = append(want.Routes, Route{To: to})
	}
	want.Routes[2].Metric = 5
	if got, w := p.plain(), want.plain(); !reflect.DeepEqual(got, w) {
		t.Errorf("%s\nwant\n%s", p.YAML(), want.YAML())
	}
	if want := []string{
		"the next hop 192.168.13.254 of routes: they go to the peer, whatever its address is",
		"connection.permissions=user:kate:; has no counterpart in a profile",
	}; !slices.Equal(notes, want) {
		t.Errorf("notes: %q", notes)
	}
	if _, err := Parse("office.yaml", p.YAML()); err != nil {
		t.Errorf("its text does not parse: %v", err)
	}
}

func TestFromNetworkManagerNotes(t *testing.T) {
	text := strings.NewReplacer("autoconnect=false", "autoconnect=true\nzone=work", "password-flags=0", "password-flags=1\nunit=3\npersistent=false\ntimeout=20",
		"password=\\sa\\\\b;c\n", "other=x\n", "route10=10.0.0.1", "dns=10.0.0.53;\nroute10=0.0.0.0/0,10.0.0.1\nroute-metric=7\nroute1_options=mtu=1300", "dns-search=\nignore", "dns-search=~lab.example;a b;\nignore").Replace(editorsFile)
	p, notes, err := FromNetworkManager([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if p.Reconnect || p.Metric != 7 || p.DNS != DNSSplit || !slices.Equal(p.Domains, []string{"lab.example"}) || p.Password != "" {
		t.Errorf("%s", p.YAML())
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{"zone=work", "autoconnect=true", "in the keyring", "unit=3", "timeout=20", "vpn-secrets.other=[redacted]", "ipv4.dns=10.0.0.53;",
		"route10=0.0.0.0/0,10.0.0.1", "route1_options=mtu=1300", "dns-search=a b"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note of %s in\n%s", want, all)
		}
	}
}

func TestFromNetworkManagerRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"nonsense":                        "not a keyfile",
		"[connection]\ntype=wifi\n":       `its type is "wifi"`,
		"[connection\nid=x":               "not a keyfile",
		"[connection]\ntype=vpn\n[vpn]\n": "is not ours",
		strings.Replace(editorsFile, "refuse-pap=yes", "refuse-pap=yes\nsecret-sauce=1", 1): "unknown key",
	} {
		if _, _, err := FromNetworkManager([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
	}
}

// TestThereAndBack: what a connection can say survives export and import.
func TestThereAndBack(t *testing.T) {
	full := New("lab")
	full.Gateway, full.Port, full.User, full.Password = "station", 1724, `LAB\sio4`, " p4ss\\w;rd="
	full.Routes = []Route{{To: netip.MustParsePrefix("172.16.0.0/16")}, {To: netip.MustParsePrefix("192.168.14.0/24"), Metric: 5}}
	full.PushedRoutes = Pushed{PushedWithin, prefixes("10.0.0.0/8", "172.30.0.0/16")}
	full.DNS, full.Domains = DNSSplit, []string{"lab.example"}
	full.MPPE = MPPE{Require: true, Bits: []int{128, 56}, Stateful: true}
	full.Auth = []string{"mschapv2", "eap"}
	full.MTU, full.Keepalive, full.Reconnect = 1400, Keepalive{10 * time.Second, 2}, false
	plain := New("plain")
	plain.Gateway, plain.User, plain.Password = "192.0.2.1", "sio4", "x"
	open := New("open")
	open.Gateway, open.User, open.Password, open.DefaultRoute, open.DNS = "192.0.2.1", "sio4", "x", true, DNSUse
	open.MPPE = MPPE{Bits: []int{128, 40}}
	open.Keepalive.Interval = 0
	for _, p := range []*Profile{full, plain, open} {
		file, _ := p.ToNetworkManager()
		got, notes, err := FromNetworkManager(file)
		if err != nil {
			t.Errorf("%s: %v\n%s", p.Name, err, file)
			continue
		}
		if len(notes) > 0 {
			t.Errorf("%s: coming back: %q", p.Name, notes)
		}
		if a, b := got.plain(), p.plain(); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %s\nwas\n%s\nby way of\n%s", p.Name, got.YAML(), p.YAML(), file)
		}
	}
}

func TestToNetworkManagerNotes(t *testing.T) {
	p, err := Parse("lab.yaml", []byte(`gateway: station
user: sio4
keyring: true
routes: [build.lab.example]
exclude: [172.16.9.0/24]
leak: block
on_conflict: warn
keepalive: {interval: 1500ms, failures: 2}
dns: split
domains: [lab.example]
on_up: [[/bin/true]]
`))
	if err != nil {
		t.Fatal(err)
	}
	file, notes := p.ToNetworkManager()
	all := strings.Join(notes, "\n")
	for _, want := range []string{"build.lab.example", "172.16.9.0/24", "keyring", "leak", "on_conflict", "1.5s", "split", "on_up"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note of %s in\n%s", want, all)
		}
	}
	if !strings.Contains(string(file), "lcp-echo-interval=2\n") {
		t.Errorf("the interval is not rounded up:\n%s", file)
	}
}

// setup is what pptpsetup --create work --server vpn.example.com --username kate
// --password … --domain CORP --encrypt writes.
const setup = `# written by pptpsetup
pty "pptp vpn.example.com --nolaunchpppd"
lock
noauth
nobsdcomp
nodeflate
name CORP\\kate
remotename work
ipparam work
require-mppe-128
`

func files(list map[string]string) ReadFile {
	return func(path string) ([]byte, error) {
		if text, ok := list[path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
}

func TestFromPPPD(t *testing.T) {
	read := files(map[string]string{
		"/r/etc/ppp/chap-secrets": "# secrets\nother work wrong *\n\"CORP\\\\kate\" elsewhere \"not this\" *\n\"CORP\\\\kate\"\twork\t\"a \\\"b\\\" # c\" *\n",
		"/r/etc/ppp/options.pptp": "lock noauth refuse-pap refuse-eap refuse-chap refuse-mschap nobsdcomp nodeflate\nlcp-echo-interval 20 # seconds\nlcp-echo-failure 3\nmtu 1400 mru 1400\nmaxfail 0\n",
	})
	p, notes, err := FromPPPD("/etc/ppp/peers/work", []byte(setup+"file /etc/ppp/options.pptp\nfile /etc/ppp/missing\ndefaultroute usepeerdns nopersist\nfrobnicate\n"), "/r", read)
	if err != nil {
		t.Fatal(err)
	}
	want := New("work")
	want.Gateway, want.User, want.Password = "vpn.example.com", `CORP\kate`, `a "b" # c`
	want.Auth, want.MTU, want.Keepalive = []string{"mschapv2"}, 1400, Keepalive{20 * time.Second, 3}
	want.DefaultRoute, want.DNS, want.Reconnect = true, DNSUse, false
	if a, b := p.plain(), want.plain(); !reflect.DeepEqual(a, b) {
		t.Errorf("%s\nwant\n%s", p.YAML(), want.YAML())
	}
	if want := []string{"ipparam work: scripts of /etc/ppp/ip-up.d may go by it", "mru 1400 has no counterpart in a profile", "maxfail 0 has no counterpart in a profile",
		"file /etc/ppp/missing: file does not exist", "frobnicate has no counterpart in a profile"}; !slices.Equal(notes, want) {
		t.Errorf("notes: %q", notes)
	}
}

func TestFromPPPDSmall(t *testing.T) {
	p, notes, err := FromPPPD("/etc/ppp/peers/old", []byte(`pty "/usr/sbin/pptp --phone 555 192.0.2.7 --nolaunchpppd --loglevel 2"
user kate
password 'a b'
mppe required,stateless,no40
`), "/", files(nil))
	if err != nil {
		t.Fatal(err)
	}
	if p.Gateway != "192.0.2.7" || p.User != "kate" || p.Password != "a b" || !p.MPPE.Require || !slices.Equal(p.MPPE.Bits, []int{128}) || p.DefaultRoute || len(p.Auth) != 5 {
		t.Errorf("%s", p.YAML())
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "--phone 555") || !strings.Contains(all, "routes made by scripts") {
		t.Errorf("notes: %q", notes)
	}
}

// TestFromPPPDSecret: as pppd has it, the line that names the server counts
// before one for any, and the first before later ones.
func TestFromPPPDSecret(t *testing.T) {
	for secrets, want := range map[string]string{
		"kate * any *\nkate work named *\nkate work later *\n": "named",
		"kate work named *\nkate * any *\n":                    "named",
		"kate * any *\nkate * later *\n":                       "any",
		"kate elsewhere x *\n* work x *\n":                     "",
		"kate work \"two\nlines\" *\n":                         "two\nlines",
		`kate work \101\\b`:                                    `A\b`,
	} {
		p, _, err := FromPPPD("/etc/ppp/peers/x", []byte("pty 'pptp a.b'\nname kate\nremotename work\n"), "/",
			files(map[string]string{"/etc/ppp/chap-secrets": secrets}))
		if err != nil || p.Password.Reveal() != want {
			t.Errorf("%q: %q, %v, want %q", secrets, p.Password.Reveal(), err, want)
		}
	}
}

func TestFromPPPDRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"/dev/ttyS0 115200\n":                "no set-up of pptp-linux",
		"pty 'pppoe -I eth0'\nname x\n":      "no set-up of pptp-linux",
		"pty \"pptp vpn":                     "does not end",
		"pty 'pptp vpn.example.com'\n":       "the account's name is missing",
		"call loop\npty 'pptp a'\nname x\n":  "include each other",
		"pty 'pptp a.b'\nname x\nmtu soon\n": "expected a whole number",
	} {
		_, _, err := FromPPPD("/etc/ppp/peers/x", []byte(text), "/", files(map[string]string{"/etc/ppp/peers/loop": "call loop"}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzFromNetworkManager(f *testing.F) {
	f.Add(editorsFile)
	plain := New("plain")
	plain.Gateway, plain.User = "192.0.2.1", "sio4"
	file, _ := plain.ToNetworkManager()
	f.Add(string(file))
	f.Fuzz(func(t *testing.T, text string) {
		p, _, err := FromNetworkManager([]byte(text))
		if err != nil {
			return
		}
		file, _ := p.ToNetworkManager()
		q, _, err := FromNetworkManager(file)
		if err != nil {
			t.Fatalf("what is exported is refused: %v\n%s", err, file)
		}
		if a, b := p.plain(), q.plain(); !reflect.DeepEqual(a, b) {
			t.Fatalf("%s\nand comes back as\n%s\nby way of\n%s", p.YAML(), q.YAML(), file)
		}
	})
}

func FuzzFromPPPD(f *testing.F) {
	f.Add(setup)
	f.Fuzz(func(t *testing.T, text string) {
		FromPPPD("/etc/ppp/peers/x", []byte(text), "/", files(map[string]string{"/etc/ppp/peers/x": text}))
	})
}
