package nm

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// A network is what NetworkManager is to make of a tunnel.
type network struct {
	Interface    string
	Gateway      netip.Addr // the address dialled
	MTU          int
	Local, Peer  netip.Addr
	Local6       uint64 // interface identifiers (RFC 5072); 0: no IPv6
	Peer6        uint64
	DNS          []netip.Addr
	Domains      []string
	Routes       []netip.Prefix
	DefaultRoute bool
}

// word is an IPv4 address as NetworkManager has it: in network byte order,
// read as a number of the machine.
func word(a netip.Addr) uint32 {
	b := a.As4()
	return binary.NativeEndian.Uint32(b[:])
}

// config returns the arguments of the signal Config.
func (n *network) config() values {
	return variants(map[string]any{
		"tundev": n.Interface, "gateway": word(n.Gateway), "mtu": uint32(n.MTU),
		"has-ip4": true, "has-ip6": n.Local6 != 0,
	})
}

// ip4Config returns the arguments of the signal Ip4Config. NetworkManager
// ignores the metric of a route; its own setting ipv4.route-metric says it.
func (n *network) ip4Config() values {
	m := map[string]any{"address": word(n.Local), "prefix": uint32(32), "never-default": !n.DefaultRoute}
	// A route to the peer would catch the tunnel's own packets where the peer
	// has the gateway's address.
	if n.Peer.Is4() && !n.Peer.IsUnspecified() && n.Peer != n.Gateway && n.Peer != n.Local {
		m["ptp"] = word(n.Peer)
	}
	var servers []uint32
	for _, a := range n.DNS {
		if a.Is4() {
			servers = append(servers, word(a))
		}
	}
	if servers != nil {
		m["dns"] = servers
	}
	if len(n.Domains) > 0 {
		m["domains"] = n.Domains
	}
	var routes [][]uint32
	for _, to := range n.Routes {
		if to.Addr().Is4() && to.Bits() > 0 {
			routes = append(routes, []uint32{word(to.Addr()), uint32(to.Bits()), 0, 0})
		}
	}
	if routes != nil {
		m["routes"] = routes
	}
	return variants(m)
}

// route6 is an IPv6 route: destination, prefix, next hop, metric.
type route6 struct {
	To     []byte
	Prefix uint32
	Via    []byte
	Metric uint32
}

// ip6Config returns the arguments of the signal Ip6Config.
func (n *network) ip6Config() values {
	m := map[string]any{
		"address": linkLocal(n.Local6), "prefix": uint32(64), "ptp": linkLocal(n.Peer6), "never-default": true,
	}
	var routes []route6
	for _, to := range n.Routes {
		if to.Addr().Is6() && to.Bits() > 0 {
			routes = append(routes, route6{To: to.Addr().AsSlice(), Prefix: uint32(to.Bits()), Via: make([]byte, 16)})
		}
	}
	if routes != nil {
		m["routes"] = routes
	}
	return variants(m)
}

// linkLocal is the address fe80::ID.
func linkLocal(id uint64) []byte {
	b := make([]byte, 16)
	b[0], b[1] = 0xfe, 0x80
	binary.BigEndian.PutUint64(b[8:], id)
	return b
}

// equal reports whether NetworkManager would be told the same.
func (n *network) equal(o *network) bool {
	return n.Interface == o.Interface && n.Gateway == o.Gateway && n.MTU == o.MTU && n.Local == o.Local && n.Peer == o.Peer &&
		n.Local6 == o.Local6 && n.Peer6 == o.Peer6 && n.DefaultRoute == o.DefaultRoute &&
		slices.Equal(n.DNS, o.DNS) && slices.Equal(n.Domains, o.Domains) && slices.Equal(n.Routes, o.Routes)
}
