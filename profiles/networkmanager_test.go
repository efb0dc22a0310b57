package profiles

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func connection(kind string, data map[string]string) *NMConnection {
	all := map[string]string{"gateway": "vpn.example.com", "user": "sio4"}
	for k, v := range data {
		if v == "-" {
			delete(all, k)
		} else {
			all[k] = v
		}
	}
	return &NMConnection{ID: "Office 1", UUID: "6e1c9a52-6a0c-4a9e-9b5c-2b6d4c1f0a11", Type: kind, Data: all}
}

// TestNMProfile: what each key makes of a profile.
func TestNMProfile(t *testing.T) {
	type d = map[string]string
	base := func(p *Profile) {
		p.Gateway, p.User, p.Reconnect, p.Name = "vpn.example.com", "sio4", false, "Office-1"
	}
	own := func(p *Profile) { base(p); p.DefaultRoute, p.PushedRoutes.Mode = true, PushedAccept }
	pptp := func(p *Profile) {
		base(p)
		p.DefaultRoute = true
		p.Auth = []string{"mschapv2", "eap", "mschap", "chap", "pap"}
		p.MPPE = MPPE{Bits: []int{128, 40}}
	}
	for _, c := range []struct {
		name, kind string
		data       d
		base       func(*Profile)
		change     func(*Profile)
	}{
		{"own, nothing said", NMService, nil, own, nil},
		{"pptp, nothing said", NMServicePPTP, nil, pptp, nil},
		{"port", NMService, d{"gateway": "192.0.2.1:1724"}, own, func(p *Profile) { p.Gateway, p.Port = "192.0.2.1", 1724 }},
		{"domain", NMServicePPTP, d{"domain": "CORP"}, pptp, func(p *Profile) { p.User = `CORP\sio4` }},
		{"refusals", NMServicePPTP, d{"refuse-eap": "yes", "refuse-pap": "yes", "refuse-chap": "yes", "refuse-mschap": "yes", "refuse-mschapv2": "no"}, pptp,
			func(p *Profile) { p.Auth = []string{"mschapv2"} }},
		{"any MPPE", NMServicePPTP, d{"require-mppe": "yes"}, pptp, func(p *Profile) { p.MPPE.Require = true }},
		{"128", NMServicePPTP, d{"require-mppe-128": "yes"}, pptp, func(p *Profile) { p.MPPE = MPPE{Require: true, Bits: []int{128}} }},
		{"any MPPE, and 128", NMServicePPTP, d{"require-mppe": "yes", "require-mppe-128": "yes"}, pptp, func(p *Profile) { p.MPPE = MPPE{Require: true, Bits: []int{128}} }},
		{"40, stateful", NMServicePPTP, d{"require-mppe-40": "yes", "mppe-stateful": "yes"}, pptp, func(p *Profile) { p.MPPE = MPPE{Require: true, Bits: []int{40}, Stateful: true} }},
		{"own, no MPPE", NMService, d{"require-mppe": "no"}, own, func(p *Profile) { p.MPPE = MPPE{Bits: []int{128, 40}} }},
		{"own, bits", NMService, d{"mppe-bits": "56, 40"}, own, func(p *Profile) { p.MPPE.Bits = []int{56, 40} }},
		{"own, methods", NMService, d{"auth": "mschapv2 eap"}, own, func(p *Profile) { p.Auth = []string{"mschapv2", "eap"} }},
		{"no echoes", NMServicePPTP, d{"lcp-echo-interval": "0", "lcp-echo-failure": "0"}, pptp, func(p *Profile) { p.Keepalive.Interval = 0 }},
		{"many echoes", NMServicePPTP, d{"lcp-echo-interval": "100000", "lcp-echo-failure": "1000"}, pptp, func(p *Profile) { p.Keepalive = Keepalive{time.Hour, 100} }},
		{"echoes", NMServicePPTP, d{"lcp-echo-interval": "30", "lcp-echo-failure": "5"}, pptp, func(p *Profile) { p.Keepalive = Keepalive{30 * time.Second, 5} }},
		{"compressions, unit", NMServicePPTP, d{"nobsdcomp": "yes", "nodeflate": "yes", "no-vj-comp": "yes", "unit": "3"}, pptp, nil},
		{"mtu", NMServicePPTP, d{"mtu": "1400"}, pptp, func(p *Profile) { p.MTU = 1400 }},
		{"routes", NMService, d{"routes": "172.16.0.0/16, 10.1.2.3"}, own, func(p *Profile) {
			p.DefaultRoute = false
			p.Routes = []Route{{To: netip.MustParsePrefix("172.16.0.0/16")}, {To: netip.MustParsePrefix("10.1.2.3/32")}}
		}},
		{"routes and all else", NMService, d{"routes": "172.16.0.0/16", "default-route": "yes"}, own, func(p *Profile) { p.Routes = []Route{{To: netip.MustParsePrefix("172.16.0.0/16")}} }},
		{"pushed", NMService, d{"pushed-routes": "10.0.0.0/8"}, own, func(p *Profile) {
			p.PushedRoutes = Pushed{PushedWithin, prefixes("10.0.0.0/8")}
		}},
		{"domains", NMService, d{"domains": "lab.example; other.example."}, own, func(p *Profile) { p.Domains = []string{"lab.example", "other.example"} }},
	} {
		got, err := connection(c.kind, c.data).Profile()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := New("")
		c.base(want)
		if c.change != nil {
			c.change(want)
		}
		if !reflect.DeepEqual(got.plain(), want.plain()) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got.Show(), want.Show())
		}
	}
}

func TestNMSettings(t *testing.T) {
	c := connection(NMService, map[string]string{"user": "-"})
	c.UserName, c.NeverDefault = "unix", true
	p, err := c.Profile()
	if err != nil {
		t.Fatal(err)
	}
	if p.User != "unix" || p.DefaultRoute || p.PushedRoutes.Mode != PushedAccept {
		t.Errorf("%+v", p)
	}
	c.NeverDefault, c.IgnoreAutoRoutes = false, true
	if p, err = c.Profile(); err != nil || p.DefaultRoute || p.PushedRoutes.Mode != PushedIgnore {
		t.Errorf("ignore-auto-routes: %v, %+v", err, p)
	}
	if !c.OffersDNS() {
		t.Error("no name servers are offered")
	}
	c.IgnoreAutoDNS = true
	if c.OffersDNS() {
		t.Error("name servers are offered")
	}
}

func TestNMMistakes(t *testing.T) {
	type d = map[string]string
	for _, c := range []struct {
		kind string
		data d
		want string
	}{
		{"org.freedesktop.NetworkManager.l2tp", nil, "is not ours"},
		{NMServicePPTP, d{"gateway": "-"}, "gateway: the server's name or address is missing"},
		{NMServicePPTP, d{"user": "-"}, "user: the account's name is missing"},
		{NMServicePPTP, d{"gateway": "vpn example"}, "is neither a host name nor an IPv4 address"},
		{NMServicePPTP, d{"gateway": "vpn.example.com:0"}, "is no port"},
		{NMServicePPTP, d{"require-mpee": "yes"}, `unknown key "require-mpee" in vpn.data: did you mean "require-mppe"?`},
		{NMServicePPTP, d{"routes": "10.0.0.0/8"}, `the key "routes" is not for connections of type pptp`},
		{NMServicePPTP, d{"require-mppe": "true"}, `require-mppe: expected yes or no, found "true"`},
		{NMServicePPTP, d{"refuse-pap": "maybe"}, "refuse-pap: expected yes or no"},
		{NMServicePPTP, d{"require-mppe-40": "yes", "require-mppe-128": "yes"}, "contradict each other"},
		{NMServicePPTP, d{"require-mppe": "yes", "refuse-mschap": "yes", "refuse-mschapv2": "yes", "refuse-eap": "yes"}, "encryption is required, and every authentication method that gives it keys is refused"},
		{NMService, d{"refuse-mschapv2": "yes"}, "every authentication method is refused"},
		{NMService, d{"require-mppe": "no", "require-mppe-128": "yes"}, "a key length is required"},
		{NMService, d{"mppe-bits": "64"}, "expected 40, 56 or 128"},
		{NMService, d{"mppe-bits": "40", "require-mppe-128": "yes"}, "both name a key length"},
		{NMService, d{"auth": "chapv3"}, "expected mschapv2, eap, mschap, chap or pap"},
		{NMService, d{"routes": "10.1.0.0/8"}, "did you mean 10.0.0.0/8"},
		{NMService, d{"lcp-echo-interval": "soon"}, "expected a whole number from 0 to 2147483647"},
		{NMService, d{"mtu": "200"}, "mtu: expected 0 or a number from 576"},
		{NMService, d{"unit": "-1"}, "unit: expected a whole number"},
		{NMService, d{"dns": "maybe"}, "dns: expected keep or use"},
		{NMService, d{"domains": "a b!c"}, "is not a domain"},
		{NMService, d{"user": `A\b`, "domain": "C"}, "names a domain already"},
	} {
		_, err := connection(c.kind, c.data).Profile()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v; want %q", c.data, err, c.want)
		}
	}
}

func TestNMName(t *testing.T) {
	for id, want := range map[string]string{"office": "office", "Büro 2": "Bro-2", "...": "6e1c9a52-6a0c-4a9e-9b5c-2b6d4c1f0a11", "日本": "6e1c9a52-6a0c-4a9e-9b5c-2b6d4c1f0a11"} {
		c := connection(NMService, nil)
		c.ID = id
		if got := nmName(c); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}
