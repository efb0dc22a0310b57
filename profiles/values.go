package profiles

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"goppptp/internal/strictyaml"
	"goppptp/routing"
)

// text returns the characters of a scalar as they are written: an unquoted
// 0123 is the password 0123. Empty and control characters are errors.
func (ps *parser) text(key string, n *yaml.Node, want string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode || strictyaml.IsNull(n):
		ps.Fail(n, key, "", "%s: expected %s, found %s", key, want, strictyaml.Describe(n))
	case n.Value == "":
		ps.Fail(n, key, "", "%s: expected %s, found an empty text", key, want)
	case strings.IndexFunc(n.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0:
		ps.Fail(n, key, "", "%s: control characters and line ends are not allowed", key)
	default:
		return n.Value, true
	}
	return "", false
}

// integer reads a whole number of lo to hi.
func (ps *parser) integer(key string, n *yaml.Node, lo, hi int) (int, bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		if v, err := strconv.Atoi(n.Value); err == nil && v >= lo && v <= hi {
			return v, true
		}
	}
	ps.Fail(n, key, "", "%s: expected a whole number from %d to %d, found %s", key, lo, hi, strictyaml.Describe(n))
	return 0, false
}

func (ps *parser) boolean(key string, n *yaml.Node) (value, ok bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		return strings.EqualFold(n.Value, "true"), true
	}
	suggestion := ""
	switch strings.ToLower(n.Value) {
	case "yes", "on", "y", "1":
		suggestion = `write "true"`
	case "no", "off", "n", "0":
		suggestion = `write "false"`
	}
	ps.Fail(n, key, suggestion, "%s: expected true or false, found %s", key, strictyaml.Describe(n))
	return false, false
}

// oneOf reads one of a few words.
func (ps *parser) oneOf(key string, n *yaml.Node, words ...string) (string, bool) {
	if n.Kind == yaml.ScalarNode && slices.Contains(words, n.Value) {
		return n.Value, true
	}
	suggestion := ""
	if n.Kind == yaml.ScalarNode {
		suggestion = didYouMean(n.Value, words)
	}
	ps.Fail(n, key, suggestion, "%s: expected %s, found %s", key, alternatives(words), strictyaml.Describe(n))
	return "", false
}

func alternatives(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// list calls each for every entry of n, which may be absent (null), a list, or
// a single value that stands for a list of one.
func (ps *parser) list(key string, n *yaml.Node, each func(key string, n *yaml.Node)) {
	switch {
	case strictyaml.IsNull(n):
	case n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			each(key+"["+strconv.Itoa(i)+"]", strictyaml.Follow(item))
		}
	case n.Kind == yaml.ScalarNode:
		each(key, n)
	default:
		ps.Fail(n, key, "write a list, one entry a line after a dash", "%s: expected a list, found %s", key, strictyaml.Describe(n))
	}
}

// section calls each for the keys of the mapping n, which may be absent.
func (ps *parser) section(key string, n *yaml.Node, known []string, each func(name, full string, n *yaml.Node)) {
	switch {
	case strictyaml.IsNull(n):
	case n.Kind == yaml.MappingNode:
		ps.mapping(n, key, known, func(name string, v *yaml.Node) { each(name, key+"."+name, v) })
	default:
		ps.Fail(n, key, "known in it: "+strings.Join(known, ", "), "%s: expected a mapping, found %s", key, strictyaml.Describe(n))
	}
}

// duration reads Go's notation ("30s", "1m30s"), lo to hi.
func (ps *parser) duration(key string, n *yaml.Node, lo, hi time.Duration) (time.Duration, bool) {
	suggestion := ""
	if n.Kind == yaml.ScalarNode {
		v, err := time.ParseDuration(n.Value)
		if err == nil && v >= lo && v <= hi {
			return v, true
		}
		if _, err := strconv.Atoi(n.Value); err == nil && n.Value != "0" {
			suggestion = "name the unit, as in " + n.Value + "s"
		}
	}
	ps.Fail(n, key, suggestion, "%s: expected a time such as 30s, from %s to %s, found %s", key, short(lo), short(hi), strictyaml.Describe(n))
	return 0, false
}

// short writes a duration without the zero units that String appends: 1m, not 1m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// prefix reads a subnet in CIDR notation; a bare address is a subnet of one.
func (ps *parser) prefix(key string, n *yaml.Node) (netip.Prefix, bool) {
	s, ok := ps.text(key, n, "a subnet such as 172.16.0.0/16")
	if !ok {
		return netip.Prefix{}, false
	}
	p, message, suggestion := parsePrefix(s)
	if message != "" {
		ps.Fail(n, key, suggestion, "%s: %s", key, message)
		return netip.Prefix{}, false
	}
	return p, true
}

// parsePrefix returns the subnet that s is, or what is wrong and what would mend it.
func parsePrefix(s string) (p netip.Prefix, message, suggestion string) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return p, "an address with a zone is no destination", "drop " + strconv.Quote("%"+a.Zone())
		}
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), "", ""
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, strictyaml.Quote(s) + " is not a subnet", maskToBits(s)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, strictyaml.Quote(s) + " is an IPv4 subnet in IPv6 notation", "write it as in 172.16.0.0/16"
	}
	if m := p.Masked(); m != p {
		return netip.Prefix{}, s + " has bits set outside its mask",
			"did you mean " + m.String() + ", or the one host " + p.Addr().String() + "?"
	}
	if p.Bits() == 0 {
		return netip.Prefix{}, p.String() + " is everything, not a subnet", `for that set "default_route: true"`
	}
	return p, "", ""
}

// maskToBits suggests 10.0.0.0/8 for 10.0.0.0/255.0.0.0.
func maskToBits(s string) string {
	addr, mask, found := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if !found || err != nil || !a.Is4() {
		return "write it as in 172.16.0.0/16"
	}
	if m, err := netip.ParseAddr(mask); err == nil && m.Is4() {
		b := m.As4()
		v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		ones := 0
		for v&0x80000000 != 0 {
			v <<= 1
			ones++
		}
		if v == 0 {
			return "did you mean " + netip.PrefixFrom(a, ones).Masked().String() + "?"
		}
	}
	return "the number after the slash is 1 to 32"
}

// IsHostName reports whether s can be a DNS name: labels of letters, digits,
// '-' and '_', and not all digits and dots, which is an address gone wrong.
func IsHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 || strings.Trim(s, "0123456789.") == "" {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

func boolean(field func(*Profile) *bool) setter {
	return func(ps *parser, p *Profile, key string, n *yaml.Node) {
		if v, ok := ps.boolean(key, n); ok {
			*field(p) = v
		}
	}
}

func setOnConflict(ps *parser, p *Profile, key string, n *yaml.Node) {
	if s, ok := ps.oneOf(key, n, routing.Refuse, routing.Warn); ok {
		p.OnConflict = s
	}
}
