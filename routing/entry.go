package routing

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Kinds of an Entry other than a plain route, as ip(8) writes them.
const (
	Unicast     = ""
	Local       = "local"
	Broadcast   = "broadcast"
	Multicast   = "multicast"
	Blackhole   = "blackhole"
	Unreachable = "unreachable"
	Prohibit    = "prohibit"
	Throw       = "throw"
)

// Route tables with a name of their own.
const (
	TableDefault = 253
	TableMain    = 254
	TableLocal   = 255
)

// Scopes of an IPv4 route (rtnetlink(7)): where its destination is.
const (
	ScopeGlobal = 0   // behind a router
	ScopeLink   = 253 // on the link
	ScopeHost   = 254 // this machine
)

// Hop is one of several next hops of an Entry.
type Hop struct {
	Via    netip.Addr // not valid: on the link
	Dev    string
	Weight int // 1 is usual
}

// Entry is a route as the kernel has it. The zero Table is the main one.
type Entry struct {
	Kind     string // Unicast, Local, ...
	To       netip.Prefix
	Via      netip.Addr // not valid: on the link
	Dev      string
	Src      netip.Addr // preferred source address, mostly not set
	Metric   int
	Protocol int // who made it: 2 the kernel, 3 boot, 4 static, 16 dhcp, 178 we
	Scope    int // of IPv4 routes
	Table    int
	TOS      int
	OnLink   bool  // Via need not be covered by a route of Dev's
	Dead     bool  // its link is down: the kernel does not use it
	Hops     []Hop // instead of Via and Dev
}

var (
	protocols = map[int]string{2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp", 186: "bgp", 188: "ospf"}
	scopes    = map[int]string{ScopeLink: "link", ScopeHost: "host"}
	tables    = map[int]string{TableDefault: "default", TableMain: "main", TableLocal: "local"}
	kinds     = []string{Local, Broadcast, Multicast, Blackhole, Unreachable, Prohibit, Throw}
)

// String returns the route in the syntax of "ip route add", without the
// command: "172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178".
func (e Entry) String() string {
	var b strings.Builder
	if e.Kind != Unicast {
		b.WriteString(e.Kind + " ")
	}
	b.WriteString(destination(e.To))
	if e.Via.IsValid() {
		b.WriteString(" via " + family(e.To, e.Via))
	}
	if e.Dev != "" {
		b.WriteString(" dev " + e.Dev)
	}
	if s, ok := scopes[e.Scope]; ok && e.Kind != Local && e.Kind != Broadcast {
		b.WriteString(" scope " + s)
	}
	if e.Src.IsValid() {
		b.WriteString(" src " + e.Src.String())
	}
	if e.TOS != 0 {
		fmt.Fprintf(&b, " tos 0x%02x", e.TOS)
	}
	if e.Table != 0 && e.Table != TableMain {
		b.WriteString(" table " + named(tables, e.Table))
	}
	if e.Metric != 0 {
		b.WriteString(" metric " + strconv.Itoa(e.Metric))
	}
	if e.Protocol != 0 {
		b.WriteString(" proto " + named(protocols, e.Protocol))
	}
	if e.OnLink {
		b.WriteString(" onlink")
	}
	for _, h := range e.Hops {
		b.WriteString(" nexthop")
		if h.Via.IsValid() {
			b.WriteString(" via " + family(e.To, h.Via))
		}
		fmt.Fprintf(&b, " dev %s weight %d", h.Dev, h.Weight)
	}
	if e.Dead {
		b.WriteString(" dead")
	}
	return b.String()
}

func named(names map[int]string, v int) string {
	if s, ok := names[v]; ok {
		return s
	}
	return strconv.Itoa(v)
}

// destination writes a prefix as ip(8) does: "default", and hosts bare. The
// IPv6 default is told from the IPv4 one by its notation.
func destination(p netip.Prefix) string {
	switch {
	case p.Bits() == 0 && p.Addr().Is4():
		return "default"
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.String()
}

// family writes a next hop, with ip(8)'s "inet6" where it is not of the
// destination's family (RFC 8950).
func family(to netip.Prefix, via netip.Addr) string {
	if to.Addr().Is4() && via.Is6() {
		return "inet6 " + via.String()
	}
	return via.String()
}

// MarshalText and UnmarshalText store an Entry in ip(8)'s syntax.
func (e Entry) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText is ParseEntry.
func (e *Entry) UnmarshalText(b []byte) (err error) {
	*e, err = ParseEntry(string(b))
	return err
}

// ParseEntry reads what String writes and what "ip route show" prints, as far
// as Entry has a field for it; anything else is an error.
func ParseEntry(s string) (Entry, error) {
	words := strings.Fields(s)
	var e Entry
	if len(words) > 0 {
		for _, k := range kinds {
			if words[0] == k {
				e.Kind, words = k, words[1:]
				break
			}
		}
	}
	if len(words) == 0 {
		return e, fmt.Errorf("routing: %q is no route", s)
	}
	to, err := parseDestination(words[0])
	if err != nil {
		return e, fmt.Errorf("routing: %q: %w", s, err)
	}
	e.To = to
	if e.Kind == Local || e.Kind == Broadcast {
		e.Scope = map[string]int{Local: ScopeHost, Broadcast: ScopeLink}[e.Kind]
	}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		switch key := words[0]; key {
		case "onlink":
			e.OnLink = true
			continue
		case "dead":
			e.Dead = true
			continue
		case "linkdown", "pref", "medium":
			continue
		case "nexthop":
			e.Hops = append(e.Hops, Hop{Weight: 1})
			continue
		case "via":
			if len(words) > 2 && words[1] == "inet6" {
				words = words[1:]
			}
		}
		if len(words) < 2 {
			return e, fmt.Errorf("routing: %q ends after %q", s, words[0])
		}
		if err := e.attribute(words[0], words[1]); err != nil {
			return e, fmt.Errorf("routing: %q: %w", s, err)
		}
		words = words[1:]
	}
	nameless := e.Dev == "" && len(e.Hops) == 0 && e.Kind == Unicast
	for _, h := range e.Hops {
		nameless = nameless || h.Dev == ""
	}
	if nameless {
		return e, fmt.Errorf("routing: %q names no device", s)
	}
	return e, nil
}

func parseDestination(s string) (netip.Prefix, error) {
	if s == "default" {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && p != p.Masked() {
		return p, fmt.Errorf("%s has bits set outside its mask", s)
	}
	return p, err
}

// attribute sets one "key value" of a route's text. "inet6" after via is gone.
func (e *Entry) attribute(key, value string) (err error) {
	number := func(names map[int]string) int {
		for v, name := range names {
			if name == value {
				return v
			}
		}
		var v uint64
		v, err = strconv.ParseUint(value, 0, 31)
		return int(v)
	}
	hop := func() *Hop {
		if len(e.Hops) > 0 {
			return &e.Hops[len(e.Hops)-1]
		}
		return nil
	}
	switch key {
	case "via", "inet6":
		var a netip.Addr
		if a, err = netip.ParseAddr(value); hop() != nil {
			hop().Via = a
		} else {
			e.Via = a
		}
	case "dev":
		if hop() != nil {
			hop().Dev = value
		} else {
			e.Dev = value
		}
	case "weight":
		if hop() == nil {
			return fmt.Errorf("weight outside a nexthop")
		}
		hop().Weight = number(nil)
	case "src":
		e.Src, err = netip.ParseAddr(value)
	case "metric":
		e.Metric = number(nil)
	case "proto":
		e.Protocol = number(protocols)
	case "scope":
		e.Scope = number(map[int]string{ScopeGlobal: "global", ScopeLink: "link", ScopeHost: "host"})
	case "table":
		e.Table = number(tables)
	case "tos":
		e.TOS = number(nil)
	default:
		return fmt.Errorf("%q is not known", key)
	}
	return err
}

// kernelProtocol marks the routes that the kernel makes for addresses.
const kernelProtocol = 2

// routeKey is where a route goes: what tells ours from one another. Who made
// it, its scope and its source address do not count.
type routeKey struct {
	to               netip.Prefix
	kind, dev        string
	via              netip.Addr
	metric, tab, tos int
	several          bool
}

func (e *Entry) key() routeKey {
	return routeKey{to: e.To, kind: e.Kind, dev: e.Dev, via: e.Via, metric: e.Metric, tab: e.table(), tos: e.TOS, several: len(e.Hops) > 0}
}

// same reports whether b goes where a goes; routes with several next hops are
// never the same.
func (e *Entry) same(b *Entry) bool { return e.key() == b.key() && len(e.Hops) == 0 }

func (e *Entry) table() int {
	if e.Table == 0 {
		return TableMain
	}
	return e.Table
}

// hop returns the next hop that is taken: the first of several.
func (e *Entry) hop() (via netip.Addr, dev string) {
	if len(e.Hops) > 0 {
		return e.Hops[0].Via, e.Hops[0].Dev
	}
	return e.Via, e.Dev
}
