package routing

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// kernel is a netlink socket of the network namespace it was opened in.
type kernel struct {
	h *netlink.Handle
}

func openKernel() (*kernel, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: netlink: %w", err)
	}
	return &kernel{h: h}, nil
}

func (k *kernel) close() { k.h.Close() }

// ReadState reads the state of the calling thread's network namespace, and the
// DNS servers in use.
func ReadState() (*State, error) {
	k, err := openKernel()
	if err != nil {
		return nil, err
	}
	defer k.close()
	st, _, err := k.state()
	return st, err
}

const dumpTries = 5 // of a dump that changes interrupt

// dump repeats a dump until it is consistent.
func dump[T any](f func() ([]T, error)) ([]T, error) {
	for i := 1; ; i++ {
		list, err := f()
		if !errors.Is(err, netlink.ErrDumpInterrupted) || i == dumpTries {
			return list, err
		}
	}
}

// linkTable translates between the names and indices of links.
type linkTable struct {
	index map[string]int
	name  map[int]string
}

func (k *kernel) state() (*State, *linkTable, error) {
	fail := func(what string, err error) (*State, *linkTable, error) {
		return nil, nil, fmt.Errorf("routing: read %s: %w", what, err)
	}
	st := &State{}
	table := &linkTable{index: map[string]int{}, name: map[int]string{}}
	links, err := dump(k.h.LinkList)
	if err != nil {
		return fail("links", err)
	}
	for _, l := range links {
		a := l.Attrs()
		table.index[a.Name], table.name[a.Index] = a.Index, a.Name
		kind := l.Type()
		if kind == "tuntap" {
			kind = "tun"
			if t, ok := l.(*netlink.Tuntap); ok && t.Mode == netlink.TUNTAP_MODE_TAP {
				kind = "tap"
			}
		}
		st.Links = append(st.Links, Link{Index: a.Index, Name: a.Name, Kind: kind, Up: a.Flags&net.FlagUp != 0,
			PointToPoint: a.Flags&net.FlagPointToPoint != 0, Loopback: a.Flags&net.FlagLoopback != 0})
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return k.h.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return fail("addresses", err)
	}
	for _, a := range addrs {
		if p, ok := prefixOf(a.IPNet); ok {
			have := Addr{Dev: table.name[a.LinkIndex], Prefix: p}
			if peer, ok := prefixOf(a.Peer); ok {
				have.Peer = peer.Addr()
			}
			st.Addrs = append(st.Addrs, have)
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
		routes, err := dump(func() ([]netlink.Route, error) {
			return k.h.RouteListFiltered(family, all, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return fail("routes", err)
		}
		for i := range routes {
			if e, ok := table.entry(&routes[i], family); ok {
				st.Routes = append(st.Routes, e)
			}
		}
	}
	rules, err := dump(func() ([]netlink.Rule, error) { return k.h.RuleList(netlink.FAMILY_V4) })
	if err != nil {
		return fail("rules", err)
	}
	for i := range rules {
		st.Rules = append(st.Rules, ruleOf(&rules[i]))
	}
	st.DNS = resolvers()
	return st, table, nil
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	if !ok {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a.Unmap(), ones), true
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

var kindOf = map[int]string{
	unix.RTN_UNICAST: Unicast, unix.RTN_LOCAL: Local, unix.RTN_BROADCAST: Broadcast, unix.RTN_MULTICAST: Multicast,
	unix.RTN_BLACKHOLE: Blackhole, unix.RTN_UNREACHABLE: Unreachable, unix.RTN_PROHIBIT: Prohibit, unix.RTN_THROW: Throw,
	unix.RTN_ANYCAST: Local,
}

// entry translates a kernel route; false for one that is not IP's.
func (t *linkTable) entry(r *netlink.Route, family int) (Entry, bool) {
	kind, known := kindOf[r.Type]
	if !known || r.MPLSDst != nil {
		return Entry{}, false
	}
	e := Entry{Kind: kind, Src: addrOf(r.Src), Metric: r.Priority, Protocol: int(r.Protocol), Table: r.Table, TOS: r.Tos,
		OnLink: r.Flags&unix.RTNH_F_ONLINK != 0, Dead: r.Flags&unix.RTNH_F_DEAD != 0}
	if r.Table == TableMain {
		e.Table = 0
	}
	var ok bool
	if e.To, ok = prefixOf(r.Dst); !ok {
		e.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if family == netlink.FAMILY_V6 {
			e.To = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	if family == netlink.FAMILY_V4 {
		e.Scope = int(r.Scope)
	}
	if kind != Unicast && kind != Local && kind != Broadcast && kind != Multicast {
		return e, true // the kernel names lo in IPv6's; no device belongs to it
	}
	if len(r.MultiPath) > 0 {
		for _, h := range r.MultiPath {
			if h.Flags&unix.RTNH_F_DEAD == 0 {
				e.Hops = append(e.Hops, Hop{Via: via(h.Gw, h.Via), Dev: t.name[h.LinkIndex], Weight: h.Hops + 1})
			}
		}
		e.Dead = len(e.Hops) == 0
		return e, true
	}
	e.Via, e.Dev = via(r.Gw, r.Via), t.name[r.LinkIndex]
	return e, true
}

func via(gw net.IP, other netlink.Destination) netip.Addr {
	if v, ok := other.(*netlink.Via); ok && v != nil {
		return addrOf(v.Addr)
	}
	return addrOf(gw)
}

// route translates an Entry of ours.
func (t *linkTable) route(e *Entry) (*netlink.Route, error) {
	r := &netlink.Route{
		Dst:      &net.IPNet{IP: e.To.Addr().AsSlice(), Mask: net.CIDRMask(e.To.Bits(), e.To.Addr().BitLen())},
		Priority: e.Metric, Protocol: netlink.RouteProtocol(e.Protocol), Scope: netlink.Scope(e.Scope), Table: e.table(),
	}
	for value, kind := range kindOf {
		if kind == e.Kind && value != unix.RTN_ANYCAST {
			r.Type = value
		}
	}
	if e.Dev != "" {
		index, ok := t.index[e.Dev]
		if !ok {
			return nil, unix.ENODEV
		}
		r.LinkIndex = index
	}
	if e.Src.IsValid() {
		r.Src = e.Src.AsSlice()
	}
	if e.OnLink {
		r.Flags = unix.RTNH_F_ONLINK
	}
	switch {
	case e.Via.IsValid() && e.To.Addr().Is4() && e.Via.Is6():
		r.Via = &netlink.Via{AddrFamily: unix.AF_INET6, Addr: e.Via.AsSlice()}
	case e.Via.IsValid():
		r.Gw = e.Via.AsSlice()
	}
	return r, nil
}

// do carries out one operation.
func (k *kernel) do(t *linkTable, op Op) error {
	r, err := t.route(&op.Route)
	if err == nil {
		switch op.Verb {
		case Add:
			err = k.h.RouteAdd(r)
		case Append:
			err = k.h.RouteAppend(r)
		case Delete:
			err = k.h.RouteDel(r)
		}
	}
	if err != nil {
		return &OpError{Op: op, Err: err}
	}
	return nil
}

// OpError says which operation the kernel refused.
type OpError struct {
	Op  Op
	Err error // a syscall.Errno
}

// Error returns one line with the command that would have done it.
func (e *OpError) Error() string {
	text := e.Err.Error()
	switch {
	case errors.Is(e.Err, unix.EPERM):
		text = "not permitted: root or CAP_NET_ADMIN is needed"
	case errors.Is(e.Err, unix.EEXIST):
		text = "another route to it is there already"
	case errors.Is(e.Err, unix.ENETUNREACH):
		text = "the next hop is not on that link"
	case errors.Is(e.Err, unix.ENODEV):
		text = "there is no such link"
	case errors.Is(e.Err, unix.ENETDOWN):
		text = "the link is down"
	}
	return "routing: " + e.Op.String() + ": " + text
}

// Unwrap returns Err.
func (e *OpError) Unwrap() error { return e.Err }

// gone reports whether err says that what was to be deleted is not there.
func gone(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT)
}

// ruleOf translates a policy rule.
func ruleOf(r *netlink.Rule) Rule {
	out := Rule{Priority: r.Priority, Invert: r.Invert, Mark: r.Mark, In: r.IifName, Out: r.OifName, Table: r.Table, Suppress: r.SuppressPrefixlen,
		Other: r.Tos != 0 || r.Dport != nil || r.Sport != nil || r.IPProto != 0 || r.TunID != 0 ||
			r.UIDRange != nil && r.UIDRange.Start > 0}
	out.From, _ = prefixOf(r.Src)
	out.To, _ = prefixOf(r.Dst)
	if r.Goto > 0 {
		out.Goto = r.Goto
	}
	return out
}

// resolvers returns the servers in resolv.conf; behind the stub of
// systemd-resolved also those that it asks.
func resolvers() []netip.Addr {
	list := nameservers("/etc/resolv.conf")
	for _, a := range list {
		if a.IsLoopback() {
			return append(list, nameservers("/run/systemd/resolve/resolv.conf")...)
		}
	}
	return list
}

func nameservers(path string) (out []netip.Addr) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if words := strings.Fields(s.Text()); len(words) >= 2 && words[0] == "nameserver" {
			if a, err := netip.ParseAddr(words[1]); err == nil {
				out = append(out, a.WithZone(""))
			}
		}
	}
	return out
}

// Installed returns the routes of ours in the kernel's tables: those through
// link, or all for "".
func Installed(link string) ([]Entry, error) {
	st, err := ReadState()
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, e := range st.Routes {
		if e.Protocol == Protocol && (link == "" || e.Dev == link) {
			out = append(out, e)
		}
	}
	return out, nil
}
