package profiles

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"goppptp/internal/strictyaml"
)

const (
	maxMetric = 1<<31 - 1 // netlink's priority is unsigned; int on every platform is not
	minMTU    = 576       // RFC 791: what every host takes
	maxMTU    = 9000
)

func setGateway(ps *parser, p *Profile, key string, n *yaml.Node) {
	s, ok := ps.text(key, n, "the server's name or address")
	if !ok {
		return
	}
	host, port, found := strings.Cut(s, ":")
	if strings.Contains(port, ":") {
		ps.Fail(n, key, "give an IPv4 address or a name", "%s: PPTP's GRE runs over IPv4, %s cannot be dialled", key, strictyaml.Quote(s))
		return
	}
	if found {
		v, err := strconv.ParseUint(port, 10, 16)
		if err != nil || v == 0 {
			ps.Fail(n, key, "a port is 1 to 65535, usually 1723", "%s: %s is no port", key, strictyaml.Quote(port))
			return
		}
		p.Port = uint16(v)
	}
	if a, err := netip.ParseAddr(host); (err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast()) && !IsHostName(host) {
		ps.Fail(n, key, "write it as in vpn.example.com or 192.0.2.1:1723", "%s: %s is neither a host name nor an IPv4 address", key, strictyaml.Quote(host))
		return
	}
	p.Gateway = host
}

func setUser(ps *parser, p *Profile, key string, n *yaml.Node) {
	s, ok := ps.text(key, n, "the account's name")
	if !ok {
		return
	}
	if domain, account, found := strings.Cut(s, `\`); found && (domain == "" || account == "" || strings.Contains(account, `\`)) {
		ps.Fail(n, key, `write it as in DOMAIN\user`, "%s: %s is not a domain, one backslash and a name", key, strictyaml.Quote(s))
		return
	}
	if len(s) > 255 { // the name field of a CHAP response that fits every peer
		ps.Fail(n, key, "", "%s: longer than 255 octets", key)
		return
	}
	p.User = s
}

func setPassword(ps *parser, p *Profile, key string, n *yaml.Node) {
	// The value never goes into an error.
	if n.Kind != yaml.ScalarNode || strictyaml.IsNull(n) || n.Value == "" {
		what := "a list or a mapping"
		if n.Kind == yaml.ScalarNode {
			what = "nothing"
		}
		ps.Fail(n, key, "remove the key to be asked, and quote a password with special characters", "%s: expected a text, found %s", key, what)
		return
	}
	p.Password = Secret(n.Value)
}

func setPasswordFile(ps *parser, p *Profile, key string, n *yaml.Node) {
	if s, ok := ps.text(key, n, "the path of a file"); ok {
		p.PasswordFile = s
	}
}

func setPasswordCommand(ps *parser, p *Profile, key string, n *yaml.Node) {
	p.PasswordCommand = ps.argv(key, n, `write it as in ["pass", "show", "vpn/lab"]; there is no shell`)
}

func setRoutes(ps *parser, p *Profile, key string, n *yaml.Node) {
	ps.list(key, n, func(key string, n *yaml.Node) {
		r := Route{Line: n.Line}
		switch n.Kind {
		case yaml.MappingNode:
			at := ps.mapping(n, key, []string{"to", "metric"}, func(name string, v *yaml.Node) {
				if name == "to" {
					ps.destination(key+".to", v, &r)
				} else if m, ok := ps.integer(key+".metric", v, 1, maxMetric); ok {
					r.Metric = m
				}
			})
			if at["to"] == nil {
				ps.Fail(n, key, "write it as in {to: 172.16.0.0/16, metric: 5}", `%s: the key "to" is missing`, key)
			}
		default:
			ps.destination(key, n, &r)
		}
		if r.Host != "" || r.To.IsValid() {
			p.Routes = append(p.Routes, r)
		}
	})
}

// destination reads a subnet or a host name into r.
func (ps *parser) destination(key string, n *yaml.Node, r *Route) {
	s, ok := ps.text(key, n, "a subnet or a host name")
	if !ok {
		return
	}
	if IsHostName(s) {
		r.Host = s
		return
	}
	r.To, _ = ps.prefix(key, n)
}

func setExclude(ps *parser, p *Profile, key string, n *yaml.Node) {
	ps.list(key, n, func(key string, n *yaml.Node) {
		if v, ok := ps.prefix(key, n); ok {
			p.Exclude = append(p.Exclude, v)
		}
	})
}

func setPushedRoutes(ps *parser, p *Profile, key string, n *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		pushed := Pushed{Mode: PushedWithin}
		ps.list(key, n, func(key string, n *yaml.Node) {
			if v, ok := ps.prefix(key, n); ok {
				pushed.Within = append(pushed.Within, v)
			}
		})
		p.PushedRoutes = pushed
		return
	}
	if v, message, _ := parsePrefix(n.Value); n.Kind == yaml.ScalarNode && message == "" {
		ps.Fail(n, key, "write ["+v.String()+"]", "%s: the subnets inside which routes are taken stand in a list", key)
		return
	}
	if s, ok := ps.oneOf(key, n, string(PushedIgnore), string(PushedAccept)); ok {
		p.PushedRoutes = Pushed{Mode: PushedMode(s)}
	}
}

func setMetric(ps *parser, p *Profile, key string, n *yaml.Node) {
	if v, ok := ps.integer(key, n, 0, maxMetric); ok {
		p.Metric = v
	}
}

func setDNS(ps *parser, p *Profile, key string, n *yaml.Node) {
	if s, ok := ps.oneOf(key, n, string(DNSKeep), string(DNSSplit), string(DNSUse)); ok {
		p.DNS = DNS(s)
	}
}

func setDomains(ps *parser, p *Profile, key string, n *yaml.Node) {
	ps.list(key, n, func(key string, n *yaml.Node) {
		s, ok := ps.text(key, n, "a domain such as lab.example")
		if !ok {
			return
		}
		if s = strings.TrimSuffix(s, "."); !IsHostName(s) {
			ps.Fail(n, key, "write it as in lab.example", "%s: %s is not a domain", key, strictyaml.Quote(s))
			return
		}
		p.Domains = append(p.Domains, s)
	})
}

func setMPPE(ps *parser, p *Profile, key string, n *yaml.Node) {
	ps.section(key, n, []string{"require", "bits", "stateful"}, func(name, full string, n *yaml.Node) {
		switch name {
		case "require":
			if v, ok := ps.boolean(full, n); ok {
				p.MPPE.Require = v
			}
		case "stateful":
			if v, ok := ps.boolean(full, n); ok {
				p.MPPE.Stateful = v
			}
		case "bits":
			p.MPPE.Bits = ps.bits(full, n)
		}
	})
}

func (ps *parser) bits(key string, n *yaml.Node) []int {
	var out []int
	before := len(ps.Errs)
	seen := map[int]bool{}
	ps.list(key, n, func(key string, n *yaml.Node) {
		v, err := strconv.Atoi(n.Value)
		switch {
		case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || v != 40 && v != 56 && v != 128:
			ps.Fail(n, key, "", "%s: expected 40, 56 or 128, found %s", key, strictyaml.Describe(n))
		case seen[v]:
			ps.Fail(n, key, "remove it", "%s: %d is named twice", key, v)
		default:
			seen[v] = true
			out = append(out, v)
		}
	})
	if len(out) == 0 && len(ps.Errs) == before {
		ps.Fail(n, key, `write [128], or "mppe: {require: false}" to go without`, "%s: no key length is named", key)
	}
	return out
}

func setAuth(ps *parser, p *Profile, key string, n *yaml.Node) {
	var out []string
	before := len(ps.Errs)
	ps.list(key, n, func(key string, n *yaml.Node) {
		s, ok := ps.oneOf(key, n, "mschapv2", "eap", "mschap", "chap", "pap")
		switch {
		case !ok:
		case slices.Contains(out, s):
			ps.Fail(n, key, "remove it", "%s: %s is named twice", key, s)
		default:
			out = append(out, s)
		}
	})
	if len(out) == 0 && len(ps.Errs) == before {
		ps.Fail(n, key, "write [mschapv2]", "%s: no method is named", key)
	}
	p.Auth = out
}

func setMTU(ps *parser, p *Profile, key string, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Value == "auto" {
		p.MTU = 0
		return
	}
	if v, err := strconv.Atoi(n.Value); n.Kind != yaml.ScalarNode || err != nil || v < minMTU || v > maxMTU {
		ps.Fail(n, key, "", "%s: expected auto or a number from %d to %d, found %s", key, minMTU, maxMTU, strictyaml.Describe(n))
	} else {
		p.MTU = v
	}
}

func setKeepalive(ps *parser, p *Profile, key string, n *yaml.Node) {
	ps.section(key, n, []string{"interval", "failures"}, func(name, full string, n *yaml.Node) {
		switch name {
		case "interval":
			if v, ok := ps.duration(full, n, 0, time.Hour); ok {
				p.Keepalive.Interval = v
			}
		case "failures":
			if v, ok := ps.integer(full, n, 1, 100); ok {
				p.Keepalive.Failures = v
			}
		}
	})
}
