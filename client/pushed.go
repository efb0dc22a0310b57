package client

import (
	"fmt"
	"net/netip"
	"slices"

	"goppptp/internal/control"
	"goppptp/profiles"
)

// An offer is a route that the server offers; 0.0.0.0/0 is its default route.
type offer struct {
	to     netip.Prefix
	via    netip.Addr // as the server says, and of no consequence; may be not valid
	source string     // "dhcp option 121"
	// instead names what counts in its place, "" where it counts itself.
	instead string
}

const (
	// minBits is the shortest prefix that a pushed route may have. What is
	// broader is nobody's network but a default route in pieces.
	minBits = 8
	// maxOffers bounds what is kept of one answer. Every one of them may become
	// a route.
	maxOffers = 1024
)

// A subnet is one that this machine is connected to.
type subnet struct {
	prefix netip.Prefix
	dev    string
}

// pushPolicy is what the server's offers are judged by.
type pushPolicy struct {
	pushed       profiles.Pushed
	defaultRoute bool
	requested    []netip.Prefix // through the tunnel already
	dropped      []netip.Prefix // taken out by hand
	exclude      []netip.Prefix // stays outside
	gateway      netip.Addr
	local, peer  netip.Addr // in the tunnel
	own          []subnet   // that this machine is connected to
}

// decide says of every offer whether it is taken, and why. Of several offers
// of one destination the first counts, and is the only one told of.
func (p *pushPolicy) decide(offers []offer) []control.OfferedRoute {
	out := make([]control.OfferedRoute, 0, len(offers))
	seen := map[netip.Prefix]bool{}
	for _, o := range offers {
		o.to = o.to.Masked()
		if !o.to.IsValid() || seen[o.to] {
			continue
		}
		seen[o.to] = true
		r := control.OfferedRoute{To: o.to, Via: o.via, Source: o.source}
		r.Taken, r.Why = p.judge(&o)
		out = append(out, r)
	}
	return out
}

func (p *pushPolicy) judge(o *offer) (taken bool, why string) {
	switch {
	case o.instead != "":
		return false, o.instead
	case !p.defaultRoute && o.to.Bits() == 0:
		return false, "default_route is false"
	case !p.defaultRoute && o.to.Bits() < minBits:
		return false, fmt.Sprintf("broader than /%d is a default route in pieces, and default_route is false", minBits)
	case o.to.Bits() < minBits:
		return true, "default_route is true: everything goes through the tunnel already"
	case !reachable(o.to):
		return false, "no address of it can be sent to through a tunnel"
	case slices.Contains(p.requested, o.to):
		return false, "it goes through the tunnel already"
	case o.to.IsSingleIP() && o.to.Addr() == p.peer:
		return false, "the server's own address has its route already"
	case o.to.IsSingleIP() && o.to.Addr() == p.local:
		return false, "it is our own address in the tunnel"
	case p.pushed.Mode == profiles.PushedIgnore:
		return false, "pushed_routes is ignore"
	case o.to.Contains(p.gateway):
		return false, "it covers the gateway " + p.gateway.String()
	case slices.Contains(p.dropped, o.to):
		return false, "it was taken out by hand"
	}
	for _, e := range p.exclude {
		if inside(o.to, e) {
			return false, "exclude holds it: " + e.String()
		}
	}
	named := p.pushed.Mode == profiles.PushedWithin
	if named && !slices.ContainsFunc(p.pushed.Within, func(w netip.Prefix) bool { return inside(o.to, w) }) {
		return false, "none of the subnets in pushed_routes holds it"
	}
	for _, own := range p.own {
		switch {
		case o.to == own.prefix:
			return false, fmt.Sprintf("it is this machine's own network on %s", own.dev)
		case inside(o.to, own.prefix):
			return false, fmt.Sprintf("it is a part of this machine's own network %v on %s", own.prefix, own.dev)
		case inside(own.prefix, o.to) && !named:
			return false, fmt.Sprintf("it covers this machine's own network %v on %s; pushed_routes: [%v] takes it all the same", own.prefix, own.dev, o.to)
		}
	}
	if named {
		return true, "a subnet in pushed_routes holds it"
	}
	return true, "pushed_routes is accept"
}

// inside reports whether all of p is in q.
func inside(p, q netip.Prefix) bool { return p.Bits() >= q.Bits() && q.Contains(p.Addr()) }

// reserved is what no route leads to: this network, loopback, link-local,
// multicast and the rest up to 255.255.255.255 (RFC 6890).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
}

func reachable(p netip.Prefix) bool {
	return p.Addr().Is4() && !slices.ContainsFunc(reserved, p.Overlaps)
}

// classful returns the subnet that a route of option 33 means, which has no
// mask: by the class of the address (RFC 2132, Section 5.8; RFC 791).
func classful(a netip.Addr) (netip.Prefix, bool) {
	bits := 0
	switch first := a.As4()[0]; {
	case first < 128:
		bits = 8
	case first < 192:
		bits = 16
	case first < 224:
		bits = 24
	default:
		return netip.Prefix{}, false
	}
	if a.IsUnspecified() {
		bits = 0 // not allowed there, and what else could it mean
	}
	return netip.PrefixFrom(a, bits).Masked(), true
}
