package routing

import "net/netip"

// holds plans, for a Config with Block, the routes that keep the place of the
// requested subnets while the tunnel is away: "unreachable SUBNET metric M+1",
// where M is the metric of the route through the tunnel. As long as that is
// there it is preferred; once it is gone with its interface, packets are
// refused instead of taking the path that they have without the tunnel. The
// next metric up leaves no room between the two for a route of somebody else's.
func (p *planner) holds() {
	if !p.cfg.Block {
		return
	}
	for _, to := range p.order {
		p.hold(Route{To: to, Metric: p.requested[to]})
	}
	// What the tunnel does not carry must not leave in clear either.
	held := map[netip.Prefix]bool{}
	for _, r := range p.carryless {
		if !held[r.To] {
			held[r.To] = true
			p.hold(r)
		}
	}
}

func (p *planner) hold(r Route) {
	e := Entry{Kind: Unreachable, To: r.To, Metric: r.Metric, Protocol: Protocol}
	if r.To.Addr().Is6() {
		if !p.st.hasIPv6() {
			return // nothing can leave, and the kernel takes no such route
		}
		if e.Metric == 0 {
			e.Metric = defaultMetric6
		}
	}
	if e.Metric >= maxMetric {
		p.find(Warning, HoldTaken, "give it a smaller metric", "%s is not blocked while the tunnel is away: no metric is greater than %d", r.To, e.Metric)
		return
	}
	e.Metric++
	if taken := p.blocker(&e); taken != nil {
		p.find(Warning, HoldTaken, "remove that route, or give this one another metric",
			"%s is not blocked while the tunnel is away: there is a route to it with the metric %d, %s", r.To, e.Metric, taken)
		return
	}
	p.want = append(p.want, e)
}

// isHold reports whether e is a route of holds', of any session.
func isHold(e *Entry) bool { return e.Protocol == Protocol && e.Kind == Unreachable }

// hasIPv6 reports whether IPv6 packets can leave this machine.
func (st *State) hasIPv6() bool {
	for _, a := range st.Addrs {
		if a.Prefix.Addr().Is6() && !a.Prefix.Addr().IsLoopback() {
			return true
		}
	}
	return false
}
