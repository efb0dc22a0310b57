package profiles

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"goppptp/internal/strictyaml"
)

// The types of VPN connection that NetworkManager hands to us.
const (
	NMServicePPTP = "org.freedesktop.NetworkManager.pptp"    // network-manager-pptp's, taken over
	NMService     = "org.freedesktop.NetworkManager.goppptp" // our own
)

// NMConnection is a VPN connection of NetworkManager, as much of it as matters
// to a tunnel.
type NMConnection struct {
	ID, UUID string
	Type     string            // NMServicePPTP or NMService
	UserName string            // vpn.user-name: stands in for the data key "user"
	Data     map[string]string // vpn.data
	Secrets  map[string]string // vpn.secrets

	// What the IPv4 settings say. NetworkManager carries them out itself.
	NeverDefault, IgnoreAutoRoutes, IgnoreAutoDNS bool
	NoGatewayRoute                                bool // auto-route-ext-gw is off
	Routes                                        []Route
	DNSSearch                                     []string
}

// nmKey is a key of vpn.data. What it does to a profile is in Profile.
type nmKey struct {
	name string
	own  bool // not for connections of type pptp
}

// nmKeys are the keys that network-manager-pptp knows, "mtu", which its
// successors have, and our own.
var nmKeys = []nmKey{
	{"gateway", false}, {"user", false}, {"domain", false}, {"password-flags", false},
	{"refuse-eap", false}, {"refuse-pap", false}, {"refuse-chap", false}, {"refuse-mschap", false}, {"refuse-mschapv2", false},
	{"require-mppe", false}, {"require-mppe-40", false}, {"require-mppe-128", false}, {"mppe-stateful", false},
	{"nobsdcomp", false}, {"nodeflate", false}, {"no-vj-comp", false},
	{"lcp-echo-failure", false}, {"lcp-echo-interval", false}, {"unit", false}, {"mtu", false},
	{"auth", true}, {"mppe-bits", true}, {"routes", true}, {"default-route", true},
	{"pushed-routes", true}, {"dns", true}, {"domains", true},
}

func nmKeyNames(own bool) (names []string) {
	for _, k := range nmKeys {
		if own || !k.own {
			names = append(names, k.name)
		}
	}
	return names
}

// nmReader reads vpn.data and collects what is wrong with it.
type nmReader struct {
	c    *NMConnection
	errs Errors
}

func (r *nmReader) fail(key, suggestion, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: "connection " + strictyaml.Quote(r.c.ID), Key: key, Message: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// yes reads a boolean; fallback where the key is missing.
func (r *nmReader) yes(key string, fallback bool) bool {
	switch v, ok := r.c.Data[key]; {
	case !ok || v == "":
		return fallback
	case v == "yes":
		return true
	case v == "no":
		return false
	default:
		r.fail(key, "", "%s: expected yes or no, found %s", key, strictyaml.Quote(v))
		return fallback
	}
}

// number reads a number of lo to hi; ok is false where the key is missing or wrong.
func (r *nmReader) number(key string, lo, hi int) (n int, ok bool) {
	v := r.c.Data[key]
	if v == "" {
		return 0, false
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < lo || n > hi {
		r.fail(key, "", "%s: expected a whole number from %d to %d, found %s", key, lo, hi, strictyaml.Quote(v))
		return 0, false
	}
	return n, true
}

// words splits a list at commas, semicolons and blanks.
func (r *nmReader) words(key string) []string {
	return strings.FieldsFunc(r.c.Data[key], func(c rune) bool { return strings.ContainsRune(",; \t\n", c) })
}

// prefixes reads a list of subnets.
func (r *nmReader) prefixes(key string) (out []netip.Prefix) {
	for _, w := range r.words(key) {
		p, message, suggestion := parsePrefix(w)
		if message != "" {
			r.fail(key, suggestion, "%s: %s", key, message)
			continue
		}
		out = append(out, p)
	}
	return out
}

// Profile returns what the connection asks of a tunnel. Routes that
// NetworkManager makes itself, those of its own IPv4 settings, are not in it.
// The error is an Errors, of every key that is unknown or makes no sense.
func (c *NMConnection) Profile() (*Profile, error) {
	r := &nmReader{c: c}
	own := c.Type == NMService
	if !own && c.Type != NMServicePPTP {
		r.fail("", "it is "+NMService+" or "+NMServicePPTP, "the service type %s is not ours", strictyaml.Quote(c.Type))
		return nil, r.errs
	}
	r.unknown(own)
	p := New(nmName(c))
	r.account(p)
	r.security(p, own)
	r.link(p)
	r.routing(p, own)
	// NetworkManager dials again itself, as the connection says.
	p.Reconnect = false
	if len(r.errs) > 0 {
		return nil, r.errs
	}
	return p, nil
}

func (r *nmReader) unknown(own bool) {
	known := nmKeyNames(own)
	keys := make([]string, 0, len(r.c.Data))
	for k := range r.c.Data {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		switch {
		case slices.Contains(known, k):
		case slices.Contains(nmKeyNames(true), k):
			r.fail(k, "make it a connection of type goppptp", "the key %q is not for connections of type pptp", k)
		default:
			r.fail(k, strictyaml.DidYouMean(k, known), "unknown key %q in vpn.data", strictyaml.Clip(k))
		}
	}
}

// nmName is a profile's name for a connection's, which may be any text.
func nmName(c *NMConnection) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', strings.ContainsRune(".-_@", r):
			return r
		case r == ' ':
			return '-'
		}
		return -1
	}, c.ID)
	name = strings.TrimLeft(name, ".-")
	if len(name) > 64 {
		name = name[:64]
	}
	if CheckName(name) == nil {
		return name
	}
	if CheckName(c.UUID) == nil {
		return c.UUID
	}
	return "vpn"
}

// account reads who is called, and by whom.
func (r *nmReader) account(p *Profile) {
	host, port, found := strings.Cut(r.c.Data["gateway"], ":")
	switch a, err := netip.ParseAddr(host); {
	case host == "":
		r.fail("gateway", "", "gateway: the server's name or address is missing")
	case (err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast()) && !IsHostName(host):
		r.fail("gateway", "write it as in vpn.example.com or 192.0.2.1", "gateway: %s is neither a host name nor an IPv4 address", strictyaml.Quote(r.c.Data["gateway"]))
	default:
		p.Gateway = host
	}
	if found {
		if v, err := strconv.ParseUint(port, 10, 16); err != nil || v == 0 {
			r.fail("gateway", "a port is 1 to 65535, usually 1723", "gateway: %s is no port", strictyaml.Quote(port))
		} else {
			p.Port = uint16(v)
		}
	}
	p.User = r.c.Data["user"]
	if p.User == "" {
		p.User = r.c.UserName
	}
	if p.User == "" {
		r.fail("user", "", "user: the account's name is missing")
	}
	if domain := r.c.Data["domain"]; domain != "" && p.User != "" {
		if strings.ContainsRune(p.User, '\\') {
			r.fail("domain", "", "domain: the user %s names a domain already", strictyaml.Quote(p.User))
		}
		p.User = domain + `\` + p.User
	}
	switch before, account, found := strings.Cut(p.User, `\`); {
	case strings.IndexFunc(p.User, func(c rune) bool { return c < ' ' || c == 0x7f }) >= 0, !utf8.ValidString(p.User):
		r.fail("user", "", "user: control characters are not allowed")
	case found && (before == "" || account == "" || strings.Contains(account, `\`)):
		r.fail("user", `write it as in DOMAIN\user`, "user: %s is not a domain, one backslash and a name", strictyaml.Quote(p.User))
	case len(p.User) > 255:
		r.fail("user", "", "user: longer than 255 octets")
	}
	r.number("password-flags", 0, 7)
	p.Password = Secret(r.c.Secrets["password"])
}

// security reads how the two ends prove who they are, and the encryption.
//
// A connection of type pptp means what it meant to pppd: any method that is not
// refused, and encryption only where it is required, or the server asks for it.
// One of our own type means what a profile means.
func (r *nmReader) security(p *Profile, own bool) {
	if !own {
		p.Auth = []string{"mschapv2", "eap", "mschap", "chap", "pap"}
		p.MPPE = MPPE{Bits: []int{128, 40}}
	}
	if list := r.words("auth"); len(list) > 0 {
		p.Auth = nil
		for _, m := range list {
			if !slices.Contains([]string{"mschapv2", "eap", "mschap", "chap", "pap"}, m) {
				r.fail("auth", "", "auth: expected mschapv2, eap, mschap, chap or pap, found %s", strictyaml.Quote(m))
			} else if !slices.Contains(p.Auth, m) {
				p.Auth = append(p.Auth, m)
			}
		}
	}
	var left []string
	for _, m := range p.Auth {
		if !r.yes("refuse-"+m, false) {
			left = append(left, m)
		}
	}
	for _, m := range []string{"eap", "pap", "chap", "mschap", "mschapv2"} {
		r.yes("refuse-"+m, false) // its value is checked although it is not in the list
	}
	p.Auth = left
	any := r.yes("require-mppe", own)
	only40, only128 := r.yes("require-mppe-40", false), r.yes("require-mppe-128", false)
	explicitNo := r.c.Data["require-mppe"] == "no"
	switch {
	case only40 && only128:
		r.fail("require-mppe-40", "leave one of them out; require-mppe takes either", "require-mppe-40 and require-mppe-128 contradict each other")
	case own && explicitNo && (only40 || only128):
		r.fail("require-mppe", "", "require-mppe is no, and a key length is required")
	case only40:
		p.MPPE.Require, p.MPPE.Bits = true, []int{40}
	case only128:
		p.MPPE.Require, p.MPPE.Bits = true, []int{128}
	case any:
		p.MPPE.Require = true
		if own && r.c.Data["require-mppe"] == "yes" {
			p.MPPE.Bits = []int{128, 40}
		}
	default:
		p.MPPE.Require = false
		p.MPPE.Bits = []int{128, 40}
	}
	if list := r.words("mppe-bits"); len(list) > 0 {
		if only40 || only128 {
			r.fail("mppe-bits", "leave one of them out", "mppe-bits and require-mppe-40 or -128 both name a key length")
		}
		p.MPPE.Bits = nil
		for _, w := range list {
			switch w {
			case "40", "56", "128":
				n, _ := strconv.Atoi(w)
				p.MPPE.Bits = append(p.MPPE.Bits, n)
			default:
				r.fail("mppe-bits", "", "mppe-bits: expected 40, 56 or 128, found %s", strictyaml.Quote(w))
			}
		}
	}
	p.MPPE.Stateful = r.yes("mppe-stateful", false)
	switch {
	case len(p.Auth) == 0:
		r.fail("auth", "allow one of them", "every authentication method is refused")
	case p.MPPE.Require && !slices.Contains(p.Auth, "mschapv2") && !slices.Contains(p.Auth, "mschap") && !slices.Contains(p.Auth, "eap"):
		r.fail("require-mppe", "allow MS-CHAPv2", "encryption is required, and every authentication method that gives it keys is refused (MS-CHAP, MS-CHAPv2, EAP)")
	}
}

// link reads what concerns the PPP link. Compressions that the keys refuse do
// not exist here.
func (r *nmReader) link(p *Profile) {
	for _, key := range []string{"nobsdcomp", "nodeflate", "no-vj-comp"} {
		r.yes(key, false)
	}
	// Existing connections may have any number here; beyond what a profile
	// takes, its most comes to the same.
	interval, hasInterval := r.number("lcp-echo-interval", 0, math.MaxInt32)
	failures, hasFailures := r.number("lcp-echo-failure", 0, math.MaxInt32)
	interval, failures = min(interval, 3600), min(failures, 100)
	switch {
	case hasInterval && interval == 0, hasFailures && failures == 0:
		p.Keepalive = Keepalive{Failures: p.Keepalive.Failures}
	default:
		if hasInterval {
			p.Keepalive.Interval = time.Duration(interval) * time.Second
		}
		if hasFailures {
			p.Keepalive.Failures = failures
		}
	}
	if mtu, ok := r.number("mtu", 0, maxMTU); ok && mtu != 0 {
		if mtu < minMTU {
			r.fail("mtu", "", "mtu: expected 0 or a number from %d to %d, found %d", minMTU, maxMTU, mtu)
		}
		p.MTU = mtu
	}
	r.number("unit", 0, 32767)
}

// Unit returns the number that the interface is to have, -1 for any.
func (c *NMConnection) Unit() int {
	if n, err := strconv.Atoi(c.Data["unit"]); err == nil && n >= 0 {
		return n
	}
	return -1
}

// routing reads what is to go through the tunnel. Whether an offered route is
// made is for NetworkManager's own settings to say; those that rule it out
// spare the server the question.
func (r *nmReader) routing(p *Profile, own bool) {
	c := r.c
	for _, to := range r.prefixes("routes") {
		p.Routes = append(p.Routes, Route{To: to})
	}
	wants := r.yes("default-route", len(p.Routes) == 0)
	p.DefaultRoute = wants && !c.NeverDefault && !c.IgnoreAutoRoutes
	p.PushedRoutes = Pushed{Mode: PushedIgnore}
	if own {
		p.PushedRoutes = Pushed{Mode: PushedAccept}
	}
	switch list := r.words("pushed-routes"); {
	case len(list) == 0:
	case len(list) == 1 && (list[0] == string(PushedAccept) || list[0] == string(PushedIgnore)):
		p.PushedRoutes = Pushed{Mode: PushedMode(list[0])}
	default:
		p.PushedRoutes = Pushed{Mode: PushedWithin, Within: r.prefixes("pushed-routes")}
	}
	if c.IgnoreAutoRoutes {
		p.PushedRoutes = Pushed{Mode: PushedIgnore}
	}
	// The resolver is NetworkManager's business: the session touches nothing.
	p.DNS = DNSKeep
	if v := c.Data["dns"]; v != "" && v != string(DNSKeep) && v != string(DNSUse) {
		r.fail("dns", "", "dns: expected keep or use, found %s", strictyaml.Quote(v))
	}
	for _, d := range r.words("domains") {
		if !IsHostName(strings.TrimSuffix(d, ".")) {
			r.fail("domains", "", "domains: %s is not a domain", strictyaml.Quote(d))
			continue
		}
		p.Domains = append(p.Domains, strings.TrimSuffix(d, "."))
	}
}

// OffersDNS reports whether the server's name servers are to be handed to
// NetworkManager, whose own settings say whether it uses them.
func (c *NMConnection) OffersDNS() bool { return c.Data["dns"] != string(DNSKeep) && !c.IgnoreAutoDNS }
