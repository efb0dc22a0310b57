package profiles

import (
	"crypto/sha1"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ToNetworkManager returns the profile as a connection of NetworkManager's, of
// type goppptp, in a keyfile, which holds the password if the profile does. The
// notes name, one line each, what it does not carry.
func (p *Profile) ToNetworkManager() (file []byte, notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	var b strings.Builder
	group := func(name string) { fmt.Fprintf(&b, "\n[%s]\n", name) }
	line := func(key, value string) { fmt.Fprintf(&b, "%s=%s\n", key, keyfileText(value)) }
	yes := func(v bool) string {
		if v {
			return "yes"
		}
		return "no"
	}

	b.WriteString("[connection]\n")
	line("id", p.Name)
	line("uuid", nameUUID(p.Name))
	line("type", "vpn")
	line("autoconnect", "false")

	group("vpn")
	line("service-type", NMService)
	gateway := p.Gateway
	if p.Port != DefaultPort {
		gateway += ":" + strconv.Itoa(int(p.Port))
	}
	line("gateway", gateway)
	line("user", p.User)
	flags := "0"
	if p.Password == "" {
		flags = "2" // always asked for
		if p.Keyring {
			flags = "1"
		}
	}
	line("password-flags", flags)
	line("auth", strings.Join(p.Auth, " "))
	line("require-mppe", yes(p.MPPE.Require))
	bits := make([]string, len(p.MPPE.Bits))
	for i, n := range p.MPPE.Bits {
		bits[i] = strconv.Itoa(n)
	}
	line("mppe-bits", strings.Join(bits, " "))
	if p.MPPE.Stateful {
		line("mppe-stateful", "yes")
	}
	// Whole seconds, and none is not what a fraction stands for.
	interval := int((p.Keepalive.Interval + time.Second - 1) / time.Second)
	line("lcp-echo-interval", strconv.Itoa(interval))
	line("lcp-echo-failure", strconv.Itoa(p.Keepalive.Failures))
	if p.MTU != 0 {
		line("mtu", strconv.Itoa(p.MTU))
	}
	line("default-route", yes(p.DefaultRoute))
	switch p.PushedRoutes.Mode {
	case PushedWithin:
		line("pushed-routes", strings.Trim(flowPrefixes(p.PushedRoutes.Within), "[]"))
	default:
		line("pushed-routes", string(p.PushedRoutes.Mode))
	}
	line("dns", map[bool]string{true: "keep", false: "use"}[p.DNS == DNSKeep])
	line("persistent", strconv.FormatBool(p.Reconnect))
	if p.Password != "" {
		group("vpn-secrets")
		line("password", p.Password.Reveal())
	}

	n := map[string]int{}
	settings := map[string]*strings.Builder{"ipv4": {}, "ipv6": {}}
	for _, r := range p.Routes {
		if r.Host != "" {
			note("routes: %s is a host name, and NetworkManager has routes to addresses alone", r.Host)
			continue
		}
		family := "ipv4"
		if r.To.Addr().Is6() {
			family = "ipv6"
		}
		metric := r.Metric
		if metric == 0 {
			metric = p.Metric
		}
		n[family]++
		fmt.Fprintf(settings[family], "route%d=%s", n[family], r.To)
		if metric > 0 {
			fmt.Fprintf(settings[family], ",,%d", metric)
		}
		settings[family].WriteByte('\n')
	}
	group("ipv4")
	line("method", "auto")
	line("never-default", strconv.FormatBool(!p.DefaultRoute))
	if p.Metric != New("").Metric {
		line("route-metric", strconv.Itoa(p.Metric))
	}
	if p.DNS == DNSKeep {
		line("ignore-auto-dns", "true")
	}
	if len(p.Domains) > 0 {
		line("dns-search", strings.Join(p.Domains, ";")+";")
	}
	b.WriteString(settings["ipv4"].String())
	group("ipv6")
	line("method", map[bool]string{true: "auto", false: "disabled"}[n["ipv6"] > 0])
	b.WriteString(settings["ipv6"].String())

	p.notCarried(note)
	return []byte(b.String()), notes
}

// notCarried names what a connection of NetworkManager's cannot say.
func (p *Profile) notCarried(note func(format string, args ...any)) {
	for _, e := range p.Exclude {
		note("exclude: %v: NetworkManager cannot keep a subnet outside", e)
	}
	switch {
	case p.PasswordFile != "":
		note("password_file: NetworkManager asks for the password")
	case len(p.PasswordCommand) > 0:
		note("password_command: NetworkManager asks for the password")
	case p.Keyring:
		note("keyring: NetworkManager's agent has one of its own, and asks once")
	}
	if p.DNS == DNSSplit {
		note("dns: split: NetworkManager does so with systemd-resolved or dnsmasq only")
	}
	if p.Leak == LeakBlock {
		note("leak: block: while the tunnel is away its subnets take the path they have without it")
	}
	if p.OnConflict != New("").OnConflict {
		note("on_conflict: %s: NetworkManager makes routes without asking", p.OnConflict)
	}
	if len(p.OnUp)+len(p.OnDown)+len(p.OnChange) > 0 {
		note("on_up, on_down, on_change: NetworkManager has scripts in /etc/NetworkManager/dispatcher.d")
	}
	if p.Keepalive.Interval%time.Second != 0 {
		note("keepalive.interval: %s is taken for whole seconds", p.Keepalive.Interval)
	}
}

// nameUUID makes the UUID (RFC 9562, Section 5.5: of a name) of the connection
// that stands for a profile, so that exporting it again replaces it.
func nameUUID(name string) string {
	h := sha1.Sum([]byte("goppptp profile " + name))
	u := h[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
