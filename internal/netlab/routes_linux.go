package netlab

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Routes gives the IPv4 routes of the main table as `ip route` prints them, one
// a line, in the kernel's order.
func (n *Namespace) Routes() (lines []string, err error) {
	err = n.Do(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return fmt.Errorf("netlab: links of %s: %w", n.Name, err)
		}
		names := map[int]string{}
		for _, l := range links {
			names[l.Attrs().Index] = l.Attrs().Name
		}
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4,
			&netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return fmt.Errorf("netlab: routes of %s: %w", n.Name, err)
		}
		for _, r := range routes {
			lines = append(lines, formatRoute(&r, names))
		}
		return nil
	})
	return lines, err
}

// formatRoute writes a route in the syntax of `ip route`; names are the links'.
func formatRoute(r *netlink.Route, names map[int]string) string {
	var w []string
	add := func(words ...string) { w = append(w, words...) }
	dev := func(index int) {
		if name, ok := names[index]; ok {
			add("dev", name)
		} else if index != 0 {
			add("dev", "if"+strconv.Itoa(index))
		}
	}
	if t := routeTypes[r.Type]; t != "" {
		add(t)
	}
	add(formatPrefix(r.Dst))
	if r.Tos != 0 {
		add("tos", fmt.Sprintf("%#02x", r.Tos))
	}
	if r.Gw != nil {
		add("via", r.Gw.String())
	}
	dev(r.LinkIndex)
	if r.Table != 0 && r.Table != unix.RT_TABLE_MAIN {
		add("table", strconv.Itoa(r.Table))
	}
	if r.Protocol != unix.RTPROT_BOOT {
		add("proto", protocolName(int(r.Protocol)))
	}
	if r.Scope != netlink.SCOPE_UNIVERSE {
		add("scope", r.Scope.String())
	}
	if r.Src != nil {
		add("src", r.Src.String())
	}
	if r.Priority != 0 {
		add("metric", strconv.Itoa(r.Priority))
	}
	w = append(w, flagNames(r.Flags)...)
	if r.MTU != 0 && r.MTULock {
		add("mtu", "lock", strconv.Itoa(r.MTU))
	} else if r.MTU != 0 {
		add("mtu", strconv.Itoa(r.MTU))
	}
	if r.AdvMSS != 0 {
		add("advmss", strconv.Itoa(r.AdvMSS))
	}
	for _, h := range r.MultiPath {
		add("nexthop")
		if h.Gw != nil {
			add("via", h.Gw.String())
		}
		dev(h.LinkIndex)
		add("weight", strconv.Itoa(h.Hops+1))
		w = append(w, flagNames(h.Flags)...)
	}
	return strings.Join(w, " ")
}

func formatPrefix(p *net.IPNet) string {
	if p == nil {
		return "default"
	}
	ones, bits := p.Mask.Size()
	switch ones {
	case 0:
		return "default"
	case bits:
		return p.IP.String()
	}
	return p.String()
}

var routeTypes = map[int]string{
	unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast",
	unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw", unix.RTN_NAT: "nat",
}

// protocolName is iproute2's name of a routing protocol, or its number.
func protocolName(p int) string {
	names := map[int]string{
		unix.RTPROT_REDIRECT: "redirect", unix.RTPROT_KERNEL: "kernel", unix.RTPROT_BOOT: "boot",
		unix.RTPROT_STATIC: "static", unix.RTPROT_GATED: "gated", unix.RTPROT_RA: "ra", unix.RTPROT_MRT: "mrt",
		unix.RTPROT_ZEBRA: "zebra", unix.RTPROT_BIRD: "bird", unix.RTPROT_DNROUTED: "dnrouted",
		unix.RTPROT_XORP: "xorp", unix.RTPROT_NTK: "ntk", unix.RTPROT_DHCP: "dhcp",
		unix.RTPROT_KEEPALIVED: "keepalived", unix.RTPROT_BABEL: "babel", unix.RTPROT_BGP: "bgp",
		unix.RTPROT_ISIS: "isis", unix.RTPROT_OSPF: "ospf", unix.RTPROT_RIP: "rip", unix.RTPROT_EIGRP: "eigrp",
	}
	if name, ok := names[p]; ok {
		return name
	}
	return strconv.Itoa(p)
}

func flagNames(flags int) (names []string) {
	for _, f := range []struct {
		bit  int
		name string
	}{{unix.RTNH_F_DEAD, "dead"}, {unix.RTNH_F_ONLINK, "onlink"}, {unix.RTNH_F_PERVASIVE, "pervasive"},
		{unix.RTNH_F_LINKDOWN, "linkdown"}} {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}
