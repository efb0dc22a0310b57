package client

import (
	"maps"
	"net/netip"
	"slices"

	"goppptp/internal/control"
	"goppptp/profiles"
	"goppptp/routing"
)

// destinations are what is to go through the tunnel, by where they come from.
// Slices and maps in it are replaced, never changed, so that a copy stays what
// it is.
type destinations struct {
	base    []routing.Route // the profile's subnets, and those added by hand
	names   []namedHost     // the profile's host names, and those added by hand
	found   map[string]resolution
	offers  []offer
	dropped []netip.Prefix // of the offers, taken out by hand
	own     []subnet       // that the machine is connected to, for judging the offers
}

// A namedHost is a name whose addresses go through the tunnel.
type namedHost struct {
	host   string
	metric int // 0: the profile's
}

func newDestinations(p *profiles.Profile, base []routing.Route) destinations {
	d := destinations{base: base}
	for _, r := range p.HostRoutes() {
		d.names = append(d.names, namedHost{r.Host, r.Metric})
	}
	return d
}

// routes returns all routes that are wanted, and what became of the offers.
// cfg gives the addresses of the tunnel, with zero values before it is there.
func (d *destinations) routes(p *profiles.Profile, cfg *routing.Config) ([]routing.Route, []control.OfferedRoute) {
	out := slices.Clone(d.base)
	have := map[netip.Prefix]bool{}
	for _, r := range out {
		have[r.To] = true
	}
	add := func(r routing.Route) {
		if !have[r.To] {
			have[r.To] = true
			out = append(out, r)
		}
	}
	for _, n := range d.names {
		for _, a := range d.found[n.host].addrs {
			if routable(a, cfg) {
				add(routing.Route{To: netip.PrefixFrom(a, a.BitLen()), Metric: n.metric})
			}
		}
	}
	policy := pushPolicy{
		pushed: p.PushedRoutes, defaultRoute: p.DefaultRoute, dropped: d.dropped, exclude: p.Exclude,
		gateway: cfg.Gateway, local: cfg.Local, peer: cfg.Peer, own: d.own,
	}
	for _, r := range out {
		policy.requested = append(policy.requested, r.To)
	}
	offered := policy.decide(d.offers)
	for _, o := range offered {
		if o.Taken && o.To.Bits() >= minBits {
			add(routing.Route{To: o.To})
		}
	}
	return out, offered
}

// routable reports whether an address that a name stands for may go through
// the tunnel.
func routable(a netip.Addr, cfg *routing.Config) bool {
	return a != cfg.Gateway && a != cfg.Local && a != cfg.Peer && reachable(netip.PrefixFrom(a, a.BitLen()))
}

// hosts returns the names by the address that they were resolved to.
func (d *destinations) hosts() map[netip.Prefix]string {
	out := map[netip.Prefix]string{}
	for _, n := range d.names {
		for _, a := range d.found[n.host].addrs {
			if to := netip.PrefixFrom(a, a.BitLen()); out[to] == "" {
				out[to] = n.host
			}
		}
	}
	for _, r := range d.base {
		delete(out, r.To)
	}
	return out
}

// resolved is d with what names were resolved to.
func (d destinations) resolved(results map[string]resolution) destinations {
	d.found = maps.Clone(d.found)
	if d.found == nil {
		d.found = map[string]resolution{}
	}
	maps.Copy(d.found, results)
	return d
}

// connected returns the subnets that the machine is connected to, without the
// tunnel.
func connected(st *routing.State, link string) (out []subnet) {
	loopback := map[string]bool{}
	for _, l := range st.Links {
		loopback[l.Name] = l.Loopback
	}
	for _, a := range st.Addrs {
		s := subnet{a.Prefix.Masked(), a.Dev}
		if a.Dev != link && !loopback[a.Dev] && a.Prefix.Addr().Is4() && !a.Prefix.IsSingleIP() && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
