package profiles

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"sort"
	"strconv"
	"strings"
)

// keyfile is a file of GLib's GKeyFile: group, key, value as written.
type keyfile map[string]map[string]string

func parseKeyfile(data []byte) (keyfile, error) {
	k := keyfile{}
	var group map[string]string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		// Blanks at the end belong to a value.
		line := strings.TrimLeft(strings.TrimSuffix(lines.Text(), "\r"), " \t")
		if header := strings.TrimRight(line, " \t"); header == "" || header[0] == '[' {
			line = header
		}
		switch key, value, found := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			name := line[1 : len(line)-1]
			if k[name] == nil {
				k[name] = map[string]string{}
			}
			group = k[name]
		case !found || group == nil:
			return nil, fmt.Errorf("line %d is no key, value or group", n)
		default:
			group[strings.TrimSpace(key)] = strings.TrimLeft(value, " ")
		}
	}
	return k, lines.Err()
}

// text returns a value with its escapes undone.
func (k keyfile) text(group, key string) string {
	v := k[group][key]
	if !strings.Contains(v, `\`) {
		return v
	}
	return strings.NewReplacer(`\\`, `\`, `\s`, " ", `\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(v)
}

func (k keyfile) yes(group, key string) bool {
	v := k[group][key]
	return v == "true" || v == "1" || v == "yes"
}

// list splits a value at semicolons.
func (k keyfile) list(group, key string) (out []string) {
	for _, v := range strings.Split(k.text(group, key), ";") {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

// keyfileText writes a value so that parsing gives it back.
func keyfileText(s string) string {
	s = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
	if strings.HasPrefix(s, " ") {
		s = `\s` + s[1:]
	}
	return s
}

// ignorable are keys that say what is the case anyway, or nothing about a
// tunnel: a value, or * for any.
var ignorable = map[string]string{
	"connection.id": "*", "connection.uuid": "*", "connection.type": "*", "connection.timestamp": "*",
	"connection.autoconnect": "false", "connection.permissions": "", "connection.version": "*",
	"ipv4.method": "auto", "ipv4.dns-search": "*", "ipv4.never-default": "*", "ipv4.ignore-auto-routes": "*",
	"ipv4.ignore-auto-dns": "*", "ipv4.route-metric": "*", "ipv4.may-fail": "*",
	"ipv6.method": "*", "ipv6.addr-gen-mode": "*", "ipv6.dns-search": "", "ipv6.ip6-privacy": "*", "ipv6.never-default": "*",
	"ipv6.ignore-auto-routes": "*", "ipv6.ignore-auto-dns": "*",
	"vpn.service-type": "*", "vpn.user-name": "*", "vpn.persistent": "*", "vpn-secrets.password": "*",
}

// FromNetworkManager reads a connection of NetworkManager's from a keyfile
// (/etc/NetworkManager/system-connections/NAME.nmconnection). The profile is
// made in memory. The notes name, one line each, what it does not carry.
func FromNetworkManager(data []byte) (p *Profile, notes []string, err error) {
	k, err := parseKeyfile(data)
	if err != nil {
		return nil, nil, fmt.Errorf("not a keyfile of NetworkManager's: %w", err)
	}
	if kind := k["connection"]["type"]; kind != "vpn" {
		return nil, nil, fmt.Errorf("it is no VPN connection of NetworkManager's: its type is %q", kind)
	}
	c := &NMConnection{
		ID: k.text("connection", "id"), UUID: k.text("connection", "uuid"), Type: k.text("vpn", "service-type"),
		UserName: k.text("vpn", "user-name"), Data: map[string]string{}, Secrets: map[string]string{},
		NeverDefault: k.yes("ipv4", "never-default"), IgnoreAutoRoutes: k.yes("ipv4", "ignore-auto-routes"),
		IgnoreAutoDNS: k.yes("ipv4", "ignore-auto-dns"), DNSSearch: k.list("ipv4", "dns-search"),
	}
	for key := range k["vpn"] {
		if _, known := ignorable["vpn."+key]; !known && key != "timeout" {
			c.Data[key] = k.text("vpn", key)
		}
	}
	if v := k.text("vpn-secrets", "password"); v != "" {
		c.Secrets["password"] = v
	}
	if p, err = c.Profile(); err != nil {
		return nil, nil, err
	}
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	p.Reconnect = New("").Reconnect
	if v, ok := k["vpn"]["persistent"]; ok {
		p.Reconnect = v == "true"
	}
	if m := k["ipv4"]["route-metric"]; m != "" && m != "-1" {
		if n, err := strconv.Atoi(m); err == nil && n >= 0 {
			p.Metric = n
		}
	}
	importRoutes(k, p, note)
	p.Domains = append(p.Domains, importDomains(c.DNSSearch, note)...)
	if c.OffersDNS() {
		p.DNS = DNSUse
		if len(p.Domains) > 0 && !p.DefaultRoute {
			p.DNS = DNSSplit
		}
	}
	switch flags := c.Data["password-flags"]; {
	case p.Password != "":
	case flags == "1":
		note("vpn.password-flags=1: the password is in the keyring of NetworkManager's agent; it is asked for here")
	case flags != "2":
		note("the file holds no password: it is asked for")
	}
	if u := c.Unit(); u >= 0 {
		note("vpn.unit=%d: interfaces are numbered as they come", u)
	}
	leftOut(k, note)
	return p, notes, nil
}

// leftOut names the keys that nothing was made of.
func leftOut(k keyfile, note func(format string, args ...any)) {
	var rest []string
	for group, keys := range k {
		if group == "vpn" { // what it has and is unknown was an error
			if v, ok := keys["timeout"]; ok {
				rest = append(rest, "vpn.timeout="+v)
			}
			continue
		}
		for key, value := range keys {
			if strings.HasPrefix(group, "ipv") && strings.HasPrefix(key, "route") && routeNumber(key) >= 0 {
				continue
			}
			if may, known := ignorable[group+"."+key]; known && (may == "*" || may == value) {
				continue
			}
			if group == "vpn-secrets" {
				value = redacted
			}
			rest = append(rest, group+"."+key+"="+value)
		}
	}
	sort.Strings(rest)
	for _, r := range rest {
		note("%s has no counterpart in a profile", r)
	}
}

// routeNumber returns the N of routeN, -1 for another key.
func routeNumber(key string) int {
	if n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(key, "routes"), "route")); err == nil {
		return n
	}
	return -1
}

// importRoutes takes the routes of NetworkManager's own settings:
// routeN=SUBNET[,NEXTHOP[,METRIC]].
func importRoutes(k keyfile, p *Profile, note func(format string, args ...any)) {
	hops := map[string]bool{}
	for _, group := range []string{"ipv4", "ipv6"} {
		var keys []string
		for key := range k[group] {
			if strings.HasPrefix(key, "route") && routeNumber(key) >= 0 {
				keys = append(keys, key)
			}
		}
		sort.Slice(keys, func(i, j int) bool { return routeNumber(keys[i]) < routeNumber(keys[j]) })
		for _, key := range keys {
			fields := strings.Split(k.text(group, key), ",")
			to, err := netip.ParsePrefix(fields[0])
			if a, e := netip.ParseAddr(fields[0]); e == nil {
				to, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if err != nil || to.Bits() == 0 {
				note("%s.%s=%s is not a subnet that a profile can name", group, key, k.text(group, key))
				continue
			}
			r := Route{To: to.Masked()}
			if len(fields) > 1 && fields[1] != "" {
				if hop, err := netip.ParseAddr(fields[1]); err != nil || !hop.IsUnspecified() {
					hops[fields[1]] = true
				}
			}
			if len(fields) > 2 {
				if m, err := strconv.Atoi(fields[2]); err == nil && m > 0 && m != p.Metric {
					r.Metric = m
				}
			}
			p.Routes = append(p.Routes, r)
		}
	}
	var list []string
	for hop := range hops {
		list = append(list, hop)
	}
	sort.Strings(list)
	for _, hop := range list {
		note("the next hop %s of routes: they go to the peer, whatever its address is", hop)
	}
}

func importDomains(search []string, note func(format string, args ...any)) (out []string) {
	for _, d := range search {
		name := strings.TrimSuffix(strings.TrimPrefix(d, "~"), ".")
		if IsHostName(name) {
			out = append(out, name)
		} else {
			note("ipv4.dns-search=%s is not a domain", d)
		}
	}
	return out
}
