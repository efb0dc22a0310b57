package routing

import (
	"net/netip"
	"strings"
)

var (
	halves4 = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("128.0.0.0/1")}
	halves6 = []netip.Prefix{netip.MustParsePrefix("::/1"), netip.MustParsePrefix("8000::/1")}
)

// collect lists the requested subnets, each once.
func (p *planner) collect() {
	excluded := map[netip.Prefix]bool{}
	for _, x := range p.cfg.Exclude {
		excluded[x] = true
	}
	all := p.cfg.DefaultRoute
	for _, r := range p.cfg.Routes {
		to, metric := r.To.Masked(), r.Metric
		if metric == 0 {
			metric = p.cfg.Metric
		}
		_, twice := p.requested[to]
		switch {
		case !to.IsValid():
		case to.Bits() == 0 && to.Addr().Is4():
			all = true
		case to.Addr().Is6() && !p.cfg.IPv6:
			p.carryless = append(p.carryless, Route{to, metric})
			if p.cfg.Link != "" {
				what := "is not routed"
				if p.cfg.Block {
					what = "is blocked"
				}
				p.find(Warning, IPv6NotCarried, "remove it, or have the server offer IPv6", "%s %s: the tunnel carries no IPv6", to, what)
			}
		case twice:
			p.find(Warning, Duplicate, "remove one of them", "%s is requested twice; the first counts", to)
		case to.IsSingleIP() && to.Addr() == p.cfg.Gateway:
			p.find(Warning, GatewayIsRoute, "remove it from the routes", "the gateway %s itself cannot be reached through its own tunnel: that route is left out", to.Addr())
		case excluded[to]:
			p.find(Warning, ExcludeIsRoute, "remove it from one of the two", "%s is requested and excluded: it stays outside", to)
		default:
			p.order = append(p.order, to)
			p.requested[to] = metric
		}
	}
	if !all {
		return
	}
	p.find(Info, DefaultRouteInfo, "", "everything that no more specific route takes goes through the tunnel")
	halves := halves4
	if p.cfg.IPv6 {
		halves = append(append([]netip.Prefix(nil), halves4...), halves6...)
	} else if p.cfg.Block {
		for _, h := range halves6 {
			p.carryless = append(p.carryless, Route{h, p.cfg.Metric})
		}
		if p.cfg.Link != "" && p.st.hasIPv6() {
			p.find(Info, IPv6NotCarried, "", "all IPv6 is blocked: the tunnel carries none")
		}
	} else if path, _ := p.fib.lookup(netip.MustParseAddr("2000::"), 128, p.without); path != nil {
		p.find(Warning, IPv6Outside, "turn IPv6 off on this machine if nothing must leave outside the tunnel",
			"IPv6 keeps its way outside the tunnel, through %s", path.Dev)
	}
	for _, h := range halves {
		if _, twice := p.requested[h]; !twice {
			p.order = append(p.order, h)
			p.requested[h] = p.cfg.Metric
			p.halves[h] = true
		}
	}
}

// covering returns the longest requested subnet that holds to, itself not counted.
func (p *planner) covering(to netip.Prefix) (netip.Prefix, bool) {
	for bits := to.Bits() - 1; bits >= 0; bits-- {
		r, err := to.Addr().Prefix(bits)
		if err != nil {
			break
		}
		if _, ok := p.requested[r]; ok {
			return r, true
		}
	}
	return netip.Prefix{}, false
}

// exclusions plans the excluded subnets.
func (p *planner) exclusions() {
	seen := map[netip.Prefix]bool{}
	for _, x := range p.cfg.Exclude {
		x = x.Masked()
		if !x.IsValid() || seen[x] || x.Addr().Is6() && !p.cfg.IPv6 {
			continue
		}
		seen[x] = true
		if x.IsSingleIP() && p.pin.To == x {
			continue // the pin does that
		}
		if x.IsSingleIP() && p.via == x.Addr() {
			p.find(Info, ExcludeUnused, "", "the exclusion of %s has no effect: it is the server's address in the tunnel", x.Addr())
			continue
		}
		if _, ok := p.covering(x); !ok {
			p.find(Info, ExcludeUnused, "", "the exclusion of %s has no effect: no requested subnet covers it", x)
			continue
		}
		e := Entry{To: x, Metric: p.cfg.Metric, Protocol: Protocol}
		if x.Addr().Is6() && e.Metric == 0 {
			e.Metric = defaultMetric6
		}
		switch path, _ := p.fib.lookup(x.Addr(), x.Bits(), p.without); {
		case path == nil:
			e.Kind = Unreachable
		case path.To == x || path.Kind != Unicast:
			continue // it has a route of its own, which is as specific
		default:
			e.Via, e.Dev = path.hop()
			e.OnLink = path.OnLink
			if !e.Via.IsValid() && x.Addr().Is4() {
				e.Scope = ScopeLink
			}
			if path.Src.IsValid() && path.Src != p.st.source(e.Via, e.Dev) {
				e.Src = path.Src
			}
		}
		if (p.cfg.Link != "" || p.cfg.Block) && p.blocker(&e) == nil {
			p.want = append(p.want, e)
		}
	}
}

func (p *planner) excluded(to netip.Prefix) bool {
	for _, x := range p.cfg.Exclude {
		if x.Bits() <= to.Bits() && x.Contains(to.Addr()) {
			return true
		}
	}
	return false
}

// subnets plans the requested subnets and says where they meet other routes.
func (p *planner) subnets() {
	var connected []*Entry
	for i := range p.st.Routes {
		if e := &p.st.Routes[i]; p.foreign(e) && p.st.connected(e) {
			connected = append(connected, e)
		}
	}
	rules := map[*Rule]bool{}
	for _, to := range p.order {
		if p.via.IsValid() && to == netip.PrefixFrom(p.via, 32) {
			continue // the peer's own route does that
		}
		e := p.tunnelRoute(to, p.requested[to])
		if p.meets(&e) && p.cfg.Link != "" {
			p.want = append(p.want, e)
		}
		if p.halves[to] {
			continue
		}
		for _, c := range connected {
			if c.To.Bits() < to.Bits() && c.To.Contains(to.Addr()) {
				p.part(to, c)
			}
		}
		if p.pin.To.IsValid() && to.Contains(p.cfg.Gateway) {
			p.find(Info, GatewayInRoute, "", "%s covers the gateway %s, which keeps its own route: %s", to, p.cfg.Gateway, p.pin)
		}
		p.policy(to, rules)
	}
	p.inside()
	p.resolvers(connected)
}

// meets reports whether e can go in, or is in, after saying which routes to the
// same subnet it meets: also those that came after it.
func (p *planner) meets(e *Entry) bool {
	in := p.present(e) != nil
	var other *Entry
	for _, have := range p.fib.exact(e.To) {
		if p.foreign(have) && !have.same(e) && (other == nil || have.Metric < other.Metric) {
			other = have
		}
	}
	if other == nil {
		return in || p.blocker(e) == nil
	}
	_, dev := other.hop()
	switch {
	case p.st.connected(other) && other.Metric > e.Metric:
		p.find(Fatal, OverlapExact, "request single hosts or smaller subnets of it, or say \"on_conflict: warn\"",
			"%s is the subnet that %s itself is in: this machine would lose its own network", e.To, dev)
	case p.st.connected(other):
		p.find(Warning, OverlapExact, "request single hosts or smaller subnets of it, or renumber one of the two networks",
			"%s is the subnet that %s itself is in, and stays there: the machines behind the tunnel are not reached", e.To, dev)
	case other.Metric == e.Metric:
		p.find(Warning, RouteTaken, "remove that route, or give this one another metric", "%s does not go through the tunnel: there is a route to it already, %s", e.To, other)
	case other.Metric < e.Metric:
		p.find(Warning, RouteShadowed, "request its two halves, which are more specific"+smaller(other.Metric),
			"%s does not go through the tunnel: a route with a smaller metric is preferred, %s", e.To, other)
	default:
		p.find(Info, RouteOverrides, "", "%s goes through the tunnel in preference to %s, which stays", e.To, other)
	}
	return in || p.blocker(e) == nil
}

// smaller suggests a metric below m, where there is one.
func smaller(m int) string {
	if m <= 1 {
		return ""
	}
	return ", or give it a metric below that"
}

// part says that to is taken out of the connected subnet c.
func (p *planner) part(to netip.Prefix, c *Entry) {
	var lost []string
	for i := range p.st.Routes {
		if e := &p.st.Routes[i]; p.foreign(e) && e.To.Bits() == 0 {
			if via, dev := e.hop(); via.IsValid() && dev == c.Dev && to.Contains(via) {
				lost = append(lost, "the router "+via.String())
				break
			}
		}
	}
	if via := p.pin.Via; len(lost) == 0 && via.IsValid() && p.pin.Dev == c.Dev && to.Contains(via) {
		lost = append(lost, "the router "+via.String())
	}
	for _, d := range p.st.DNS {
		if to.Contains(d) {
			lost = append(lost, "the DNS server "+d.String())
		}
	}
	if len(lost) > 0 {
		p.find(Fatal, OverlapPart, "request subnets beside it, or single hosts, or say \"on_conflict: warn\"",
			"%s is a part of %s on %s and holds %s: this machine would lose it", to, c.To, c.Dev, strings.Join(lost, " and "))
		return
	}
	p.find(Warning, OverlapPart, "", "%s is a part of %s on %s: machines there with such addresses are not reached meanwhile", to, c.To, c.Dev)
}

// policy says where a rule before the main table's takes a subnet away.
func (p *planner) policy(to netip.Prefix, said map[*Rule]bool) {
	_, rule := p.fib.lookup(to.Addr(), to.Bits(), p.without)
	if rule == nil || rule.Table == TableLocal || said[rule] {
		return
	}
	for i := range p.fib.rules {
		r := &p.fib.rules[i]
		if r == rule {
			break
		}
		if r.Table == TableMain && r.selects(to.Addr()) && r.Suppress < to.Bits() {
			return
		}
	}
	if rule.Table == TableMain {
		return
	}
	said[rule] = true
	if rule.Table == 0 {
		p.find(Warning, PolicyRule, "look at \"ip rule\"", "%s does not go through the tunnel: a policy rule (priority %d) refuses such packets", to, rule.Priority)
		return
	}
	p.find(Warning, PolicyRule, "look at \"ip rule\": another VPN may have to be taken down",
		"%s does not go through the tunnel: a policy rule (priority %d) sends it to table %d before the main table is looked at", to, rule.Priority, rule.Table)
}

const maxSpecific = 8 // findings of one kind; more are counted

// inside says which routes of others are more specific than a requested subnet.
func (p *planner) inside() {
	told, more := 0, 0
	for i := range p.st.Routes {
		e := &p.st.Routes[i]
		if !p.foreign(e) || e.To.IsSingleIP() && e.To.Addr() == p.cfg.Gateway || p.excluded(e.To) {
			continue
		}
		r, ok := p.covering(e.To)
		if !ok || p.halves[r] {
			continue
		}
		switch {
		case p.st.connected(e):
			p.find(Warning, OverlapWhole, "exclude "+e.To.String()+" to say that this is meant",
				"%s holds %s, the subnet that %s itself is in: that part stays there", r, e.To, e.Dev)
		case told < maxSpecific:
			told++
			p.find(Warning, MoreSpecific, "remove that route, or exclude "+e.To.String()+" to say that this is meant",
				"a part of %s does not go through the tunnel: %s is more specific", r, e)
		default:
			more++
		}
	}
	if more > 0 {
		p.find(Warning, MoreSpecific, "", "%d more routes are more specific than a requested subnet", more)
	}
}

// resolvers says which DNS servers in use come to lie behind the tunnel.
func (p *planner) resolvers(connected []*Entry) {
next:
	for _, d := range p.st.DNS {
		host := netip.PrefixFrom(d, d.BitLen())
		r, ok := host, true
		if _, direct := p.requested[host]; !direct {
			r, ok = p.covering(host)
		}
		if !ok || d.IsLoopback() || p.excluded(host) || d == p.cfg.Gateway {
			continue
		}
		for _, c := range connected {
			if c.To.Contains(d) {
				continue next // stays on its link, or part and meets have said it
			}
		}
		if p.halves[r] {
			p.find(Info, DNSInRoute, "", "the DNS server %s in use is asked through the tunnel", d)
		} else {
			p.find(Warning, DNSInRoute, "exclude "+d.String()+", or set \"dns: use\" to take the tunnel's servers",
				"the DNS server %s in use is inside %s: it is asked through the tunnel, and does not answer if it is not there", d, r)
		}
	}
}
