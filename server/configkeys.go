package server

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"goppptp/internal/ppp/auth"
	"goppptp/internal/strictyaml"
)

// keys is every key of server.yaml.
func (p *configParser) keys() keys {
	c := p.cfg
	return keys{
		"listen":       p.listen,
		"local":        func(_, n *yaml.Node) { c.Local = p.addresses("local", n) },
		"remote":       func(_, n *yaml.Node) { c.Remote = p.addresses("remote", n) },
		"name":         p.name,
		"users":        func(_, n *yaml.Node) { p.sources++; p.users(n, p.File, &p.secrets) },
		"users_file":   p.usersFile,
		"chap_secrets": p.chapSecrets,
		"strip_domain": p.flag(&c.StripDomain),
		"mppe":         p.mppe,
		"auth":         p.auth,
		"dns":          func(_, n *yaml.Node) { c.DNS = p.servers("dns", n) },
		"wins":         func(_, n *yaml.Node) { c.WINS = p.servers("wins", n) },
		"push_routes":  func(_, n *yaml.Node) { c.PushRoutes = p.subnets("push_routes", n) },
		"domain":       p.domain,
		"proxy_arp":    p.proxyARP,
		"forward":      p.flag(&c.Forward),
		"ipv6":         p.flag(&c.IPv6),
		"max_sessions": func(k, n *yaml.Node) { c.MaxSessions, _ = p.integer(k.Value, n, 0, 65535) },
		"mtu":          p.mtu,
		"keepalive":    p.keepalive,
		"radius":       p.unsupported("users, users_file or chap_secrets hold the users"),
		"metrics":      p.metrics,
	}
}

func (p *configParser) flag(v *bool) func(key, n *yaml.Node) {
	return func(key, n *yaml.Node) {
		if b, ok := p.boolean(key.Value, n); ok {
			*v = b
		}
	}
}

func (p *configParser) unsupported(instead string) func(key, n *yaml.Node) {
	return func(key, _ *yaml.Node) { p.hint(key, instead, "%s is not supported yet", key.Value) }
}

// metrics accepts the empty default, which means none.
func (p *configParser) metrics(key, n *yaml.Node) {
	if s, ok := p.text("metrics", n); ok && s != "" {
		p.hint(key, "GET /metrics on the control socket has the numbers", "metrics is not supported yet")
	}
}

func (p *configParser) listen(_, n *yaml.Node) {
	p.cfg.Listen = nil
	p.each(n, func(n *yaml.Node) {
		s, ok := p.text("listen", n)
		if !ok {
			return
		}
		addr, err := listenAddress(s)
		if err != nil {
			p.hint(n, `write it as ":1723" or "192.0.2.1:1723"`, "listen: %v", err)
			return
		}
		p.cfg.Listen = append(p.cfg.Listen, addr)
	})
}

// listenAddress reads host:port; the port may be left out.
func listenAddress(s string) (string, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return net.JoinHostPort(a.String(), "1723"), nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", err
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", &net.AddrError{Err: "bad port", Addr: s}
	}
	if host != "" {
		if a, err := netip.ParseAddr(host); err != nil || !a.Unmap().Is4() {
			return "", &net.AddrError{Err: "not an IPv4 address", Addr: host}
		}
	}
	return s, nil
}

// addresses reads a list of addresses and ranges.
func (p *configParser) addresses(key string, n *yaml.Node) []netip.Addr {
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	p.each(n, func(n *yaml.Node) {
		s, ok := p.text(key, n)
		if !ok {
			return
		}
		addrs, err := ParseAddresses(s)
		if err != nil {
			p.fail(n, "%s: %v", key, err)
			return
		}
		for _, a := range addrs {
			if !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
		if len(out) > maxPool {
			p.fail(n, "%s: more than %d addresses", key, maxPool)
			out = out[:maxPool]
		}
	})
	return out
}

// servers reads the addresses of name servers; clients can be told two.
func (p *configParser) servers(key string, n *yaml.Node) []netip.Addr {
	var out []netip.Addr
	p.each(n, func(n *yaml.Node) {
		if a, ok := p.address(key, n); ok {
			if len(out) == 2 {
				p.fail(n, "%s: a client can be told two, no more", key)
				return
			}
			out = append(out, a)
		}
	})
	return out
}

func (p *configParser) subnets(key string, n *yaml.Node) []netip.Prefix {
	var out []netip.Prefix
	p.each(n, func(n *yaml.Node) {
		if s, ok := p.subnet(key, n); ok {
			out = append(out, s)
		}
	})
	return out
}

func (p *configParser) domain(_, n *yaml.Node) {
	s, ok := p.text("domain", n)
	if !ok || s == "" {
		return
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	bad := len(s) > 253 || slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || strings.Trim(strings.ToLower(l), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || l[0] == '-' || l[len(l)-1] == '-'
	})
	if bad {
		p.hint(n, "write it as lab.example", "domain: %q is not a domain", strictyaml.Clip(s))
		return
	}
	p.cfg.Domain = strings.Join(labels, ".")
}

func (p *configParser) name(_, n *yaml.Node) {
	s, ok := p.text("name", n)
	if !ok {
		return
	}
	if s == "" || len(s) > 64 || strings.ContainsAny(s, "\x00\n") {
		p.fail(n, "name must be 1 to 64 characters")
		return
	}
	p.cfg.Name = s
}

func (p *configParser) mppe(_, n *yaml.Node) {
	m := &p.cfg.MPPE
	p.mapping(n, "mppe", keys{
		"require":  p.flag(&m.Require),
		"stateful": p.flag(&m.Stateful),
		"bits": func(_, n *yaml.Node) {
			m.Bits = nil
			p.each(n, func(n *yaml.Node) {
				switch s, _ := p.text("bits", n); s {
				case "40", "56", "128":
					b, _ := strconv.Atoi(s)
					m.Bits = append(m.Bits, b)
				default:
					p.fail(n, "bits must be any of 40, 56 and 128, not %q", strictyaml.Clip(s))
				}
			})
			if m.Require && len(m.Bits) == 0 && len(n.Content) == 0 {
				p.fail(n, "bits must be any of 40, 56 and 128")
			}
		},
	})
}

var methodNames = []string{"mschapv2", "eap", "mschap", "chap", "pap"}

func (p *configParser) auth(_, n *yaml.Node) {
	p.cfg.Auth, p.authNode = nil, n
	p.each(n, func(n *yaml.Node) {
		s, ok := p.text("auth", n)
		if !ok {
			return
		}
		m, err := auth.ParseMethod(s)
		if err != nil {
			suggestion := strictyaml.DidYouMean(strings.ReplaceAll(s, "-", ""), methodNames)
			p.hint(n, suggestion, "auth: %q is none of %s", strictyaml.Clip(s), strings.Join(methodNames, ", "))
			return
		}
		p.cfg.Auth = append(p.cfg.Auth, m)
	})
}

func (p *configParser) proxyARP(_, n *yaml.Node) {
	if n.Value == "auto" && n.Kind == yaml.ScalarNode {
		p.cfg.ProxyARP = ProxyARPAuto
		return
	}
	if n.Kind != yaml.ScalarNode || !isBoolean(n.Value) {
		p.fail(n, "proxy_arp must be auto, true or false")
		return
	}
	p.cfg.ProxyARP = ProxyARPOff
	if v, _ := p.boolean("proxy_arp", n); v {
		p.cfg.ProxyARP = ProxyARPOn
	}
}

func isBoolean(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "false", "no", "off":
		return true
	}
	return false
}

func (p *configParser) mtu(_, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Value == "auto" {
		p.cfg.MTU = 0
		return
	}
	p.cfg.MTU, _ = p.integer("mtu", n, 576, 9000)
}

func (p *configParser) keepalive(_, n *yaml.Node) {
	k := &p.cfg.Keepalive
	p.mapping(n, "keepalive", keys{
		"interval": func(_, n *yaml.Node) {
			if n.Value == "0" {
				k.Interval = 0
				return
			}
			if d, ok := p.duration("interval", n, 0, time.Hour); ok {
				k.Interval = d
			}
		},
		"failures": func(_, n *yaml.Node) {
			if v, ok := p.integer("failures", n, 1, 100); ok {
				k.Failures = v
			}
		},
	})
}
