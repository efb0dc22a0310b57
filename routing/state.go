package routing

import (
	"net/netip"
	"sort"
)

// State is what NewPlan has to know of the machine. ReadState reads it from
// the kernel; tests write it down.
type State struct {
	Links  []Link
	Addrs  []Addr
	Routes []Entry      // of all tables, in the kernel's order
	Rules  []Rule       // none: the kernel's three
	DNS    []netip.Addr // servers in use

	Mine   []Entry // what this session has installed, in the order it did
	Others []Claim // what other living sessions have
}

// Link is an interface.
type Link struct {
	Index        int
	Name         string
	Kind         string // "tun", "wireguard", "ppp", ...; "device" or "" for hardware
	Up           bool
	PointToPoint bool
	Loopback     bool
}

// Addr is an address of a Link.
type Addr struct {
	Dev    string
	Prefix netip.Prefix // our address with the length of its subnet
	Peer   netip.Addr   // of a point-to-point link
}

// Rule is a policy rule (ip-rule(8)). Zero fields select everything.
type Rule struct {
	Priority int
	Invert   bool // "not"
	From, To netip.Prefix
	Mark     uint32
	In, Out  string // iif, oif
	Other    bool   // selects by something else: ports, protocol, TOS, user
	Table    int    // 0 with Goto 0: packets are refused
	Goto     int
	Suppress int // results with a prefix this short are passed over; -1: none
}

// Claim is what another living session has in the table.
type Claim struct {
	Name    string
	Gateway netip.Addr
	Link    string
	Routes  []Entry
}

var kernelRules = []Rule{
	{Priority: 0, Table: TableLocal, Suppress: -1},
	{Priority: 32766, Table: TableMain, Suppress: -1},
	{Priority: 32767, Table: TableDefault, Suppress: -1},
}

// fib finds routes as the kernel does: by table, then by prefix.
type fib struct {
	rules  []Rule
	tables map[int]map[netip.Prefix][]*Entry
}

func newFIB(st *State) *fib {
	f := &fib{rules: append([]Rule(nil), st.Rules...), tables: map[int]map[netip.Prefix][]*Entry{}}
	if len(f.rules) == 0 {
		f.rules = kernelRules
	}
	sort.SliceStable(f.rules, func(i, j int) bool { return f.rules[i].Priority < f.rules[j].Priority })
	for i := range st.Routes {
		e := &st.Routes[i]
		t := f.tables[e.table()]
		if t == nil {
			t = map[netip.Prefix][]*Entry{}
			f.tables[e.table()] = t
		}
		t[e.To] = append(t[e.To], e)
	}
	return f
}

// exact returns the routes of the main table to p.
func (f *fib) exact(p netip.Prefix) []*Entry { return f.tables[TableMain][p] }

// lookup returns the route of a packet of ours to dst, and the rule that led
// to it. Routes for which skip returns true do not exist for it, nor those
// with a prefix longer than maxBits. nil: there is none, or one that refuses.
//
// The packet has no mark, and no source address yet: rules that select by
// either do not see it.
func (f *fib) lookup(dst netip.Addr, maxBits int, skip func(*Entry) bool) (*Entry, *Rule) {
	jump := 0
	for i := range f.rules {
		r := &f.rules[i]
		if r.Priority < jump || !r.selects(dst) {
			continue
		}
		if r.Goto > 0 {
			jump = r.Goto
			continue
		}
		if r.Table == 0 {
			return nil, r
		}
		e := f.longest(r.Table, dst, maxBits, skip)
		switch {
		case e == nil || e.Kind == Throw || e.To.Bits() <= r.Suppress:
			continue
		case e.Kind == Unicast || e.Kind == Local || e.Kind == Broadcast || e.Kind == Multicast:
			return e, r
		default:
			return nil, r
		}
	}
	return nil, nil
}

// longest returns the best route of one table.
func (f *fib) longest(table int, dst netip.Addr, maxBits int, skip func(*Entry) bool) *Entry {
	t := f.tables[table]
	for bits := min(dst.BitLen(), maxBits); bits >= 0; bits-- {
		p, err := dst.Prefix(bits)
		if err != nil {
			return nil // an address with a zone: not routable by us
		}
		var best *Entry
		for _, e := range t[p] {
			if !e.Dead && e.TOS == 0 && (skip == nil || !skip(e)) && (best == nil || e.Metric < best.Metric) {
				best = e
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

func (r *Rule) selects(dst netip.Addr) bool {
	if r.Other {
		return false
	}
	hit := (!r.From.IsValid() || r.From.Bits() == 0) && r.Mark == 0 && (r.In == "" || r.In == "lo") && r.Out == "" &&
		(!r.To.IsValid() || r.To.Contains(dst))
	return hit != r.Invert
}

func (st *State) link(name string) *Link {
	for i := range st.Links {
		if st.Links[i].Name == name {
			return &st.Links[i]
		}
	}
	return nil
}

// connected reports whether e is the subnet of one of this machine's own addresses.
func (st *State) connected(e *Entry) bool {
	if e.Kind != Unicast || e.Via.IsValid() || len(e.Hops) > 0 || e.To.IsSingleIP() || e.To.Bits() == 0 {
		return false
	}
	for _, a := range st.Addrs {
		if a.Dev == e.Dev && e.To.Contains(a.Prefix.Addr()) {
			return true
		}
	}
	return false
}

// source returns the address that the kernel would take for packets to via on
// dev, of a route without "src" (inet_select_addr).
func (st *State) source(via netip.Addr, dev string) netip.Addr {
	var first netip.Addr
	for _, a := range st.Addrs {
		if a.Dev != dev || !a.Prefix.Addr().Is4() {
			continue
		}
		if via.IsValid() && a.Prefix.Contains(via) {
			return a.Prefix.Addr()
		}
		if !first.IsValid() {
			first = a.Prefix.Addr()
		}
	}
	return first
}
