package routing

import (
	"fmt"
	"net/netip"
)

// Verb is what an Op does.
type Verb string

// The verbs of ip-route(8) that plans use.
const (
	Add    Verb = "add"
	Append Verb = "append" // behind a route to the same subnet with the same metric, ours, which is then deleted
	Delete Verb = "del"
)

// Op is one change of the table.
type Op struct {
	Verb  Verb
	Route Entry
}

// String returns the command that would do it:
// "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178".
func (o Op) String() string {
	ip := "ip route "
	if o.Route.To.Addr().Is6() {
		ip = "ip -6 route "
	}
	return ip + string(o.Verb) + " " + o.Route.String()
}

// MarshalText serves encoding/json.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Plan is what has to be done, in this order, and what to know about it.
type Plan struct {
	Ops      []Op      `json:"ops"`
	Findings []Finding `json:"findings"`
	Own      []Entry   `json:"own"` // the routes that are the session's once the plan is carried out

	gateway netip.Addr
}

// NewPlan compares what cfg wants with what st has. It is pure: the same
// arguments give the same plan, and a plan carried out leaves nothing to plan.
//
// The table that results, next to what was there before:
//
//   - GATEWAY/32 by the path that leads to the gateway without the tunnel
//     (where several next hops do, the first): "via NEXTHOP dev LINK", or "dev
//     LINK scope link" for a gateway on the link. It is made in every case,
//     also where the gateway is in a connected subnet and nothing requested
//     covers it, so that no route made later, by a server that pushes one or
//     by the user, takes GRE into its own tunnel. Only a gateway that is this
//     machine itself gets none: its route is in the local table, which comes first.
//   - PEER dev PPP scope link; not where the peer has no address, or the
//     gateway's own, or another route has that place.
//   - SUBNET via PEER dev PPP metric M for each requested subnet; without "via"
//     where there is no route to PEER.
//   - With DefaultRoute 0.0.0.0/1 and 128.0.0.0/1 likewise. The two halves are
//     more specific than any default route, so that none has to be displaced,
//     and less specific than all else: connected subnets stay what they are.
//   - For each excluded subnet that a route above covers, the path it has
//     without the tunnel: "via NEXTHOP dev LINK metric M"; "unreachable" where it
//     has none, and nothing where a route of its own is there.
//   - With Block "unreachable SUBNET metric M+1" for each requested subnet,
//     from the first Set on; also for IPv6 subnets that the tunnel does not
//     carry, which with DefaultRoute is all of IPv6.
//
// Nothing is ever displaced: a subnet for which another route with the same
// metric is there stays with that, and a finding says so.
//
// While cfg.Link is "", only the first of these is planned, and with Block the
// last two; the findings are about all of it. Routes that the session had and cfg does not want go, except
// for those that another living session wants too.
func NewPlan(cfg *Config, st *State) *Plan {
	p := newPlanner(cfg, st)
	p.ignored()
	p.linkDown()
	p.pinGateway()
	p.collect()
	p.peerRoute()
	p.exclusions()
	p.holds()
	p.subnets()
	p.diff()
	return p.out
}

// planner is a plan in the making.
type planner struct {
	cfg *Config
	st  *State
	fib *fib
	out *Plan

	mine      map[routeKey]bool     // st.Mine
	others    map[routeKey]bool     // what st.Others have
	skip      map[*Entry]bool       // not there for the path without the tunnel; see ignored
	ours      map[*Entry]bool       // this session's, or nobody's who lives
	pin       Entry                 // zero: none
	path      *Entry                // that the pin was taken from
	order     []netip.Prefix        // the requested subnets, without those left out
	requested map[netip.Prefix]int  // their metrics
	halves    map[netip.Prefix]bool // those that stand for the default route
	carryless []Route               // IPv6 that the tunnel does not carry
	via       netip.Addr            // the peer, where there is a route to it
	want      []Entry               // in the order in which they go in
}

func newPlanner(cfg *Config, st *State) *planner {
	p := &planner{cfg: cfg, st: st, fib: newFIB(st), out: &Plan{gateway: cfg.Gateway},
		mine: map[routeKey]bool{}, others: map[routeKey]bool{}, requested: map[netip.Prefix]int{}, halves: map[netip.Prefix]bool{}}
	for i := range st.Mine {
		p.mine[st.Mine[i].key()] = true
	}
	for _, o := range st.Others {
		for i := range o.Routes {
			p.others[o.Routes[i].key()] = true
		}
	}
	return p
}

func (p *planner) find(s Severity, code, fix, format string, args ...any) {
	p.out.Findings = append(p.out.Findings, Finding{Severity: s, Code: code, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// ignored finds the routes that must not count when the path without the
// tunnel is looked for: our own, leftovers that nobody claims, and those of
// other living sessions, except for what goes through the tunnel of a session
// with another gateway, or holds the place of that: ours may be behind it. Their other routes, to their
// gateways and around their tunnels, are but copies of the path that is looked for.
func (p *planner) ignored() {
	p.skip, p.ours = map[*Entry]bool{}, map[*Entry]bool{}
	counts := map[routeKey]bool{}
	for _, o := range p.st.Others {
		for i := range o.Routes {
			k := o.Routes[i].key()
			counts[k] = counts[k] || o.Gateway != p.cfg.Gateway && (o.Routes[i].Dev == o.Link || isHold(&o.Routes[i]))
		}
	}
	for i := range p.st.Routes {
		e := &p.st.Routes[i]
		k := e.key()
		tied := p.cfg.Link != "" && e.Dev == p.cfg.Link
		p.skip[e] = tied || e.Protocol == Protocol && !counts[k]
		p.ours[e] = tied || e.Protocol == Protocol && (p.mine[k] || !p.others[k])
	}
}

func (p *planner) without(e *Entry) bool { return p.skip[e] }

// foreign reports whether e is another's route of the main table that the kernel uses.
func (p *planner) foreign(e *Entry) bool {
	return !p.ours[e] && e.table() == TableMain && !e.Dead && e.TOS == 0
}

// linkDown finds a tunnel's interface that somebody has set down: it takes no
// routes, which is no reason not to see to the others.
func (p *planner) linkDown() {
	l := p.st.link(p.cfg.Link)
	if p.cfg.Link == "" || l == nil || l.Up {
		return
	}
	p.find(Warning, LinkDown, "ip link set "+l.Name+" up", "somebody has set %s down: nothing goes through the tunnel until it is up again", l.Name)
	cfg := *p.cfg
	cfg.Link, cfg.Peer = "", netip.Addr{}
	p.cfg = &cfg
}

// pinGateway plans the host route to the gateway.
func (p *planner) pinGateway() {
	gw := p.cfg.Gateway
	if !gw.IsValid() || !gw.Is4() || gw.IsUnspecified() {
		p.find(Fatal, GatewayUnknown, "find out the gateway's IPv4 address first", "the gateway's address is not known")
		return
	}
	path, rule := p.fib.lookup(gw, 32, p.without)
	if path == nil {
		why := ""
		if !p.hasDefault() {
			why = ", and there is no default route"
		}
		p.find(Fatal, GatewayNoPath, "connect this machine to a network that reaches it", "no route leads to the gateway %s%s", gw, why)
		return
	}
	if !p.hasDefault() {
		p.find(Info, NoDefaultRoute, "", "this machine has no default route: what does not go through the tunnel reaches its own networks alone")
	}
	if path.Kind != Unicast {
		p.find(Info, GatewayLocal, "", "the gateway %s is an address of this machine: no route to it is needed", gw)
		return
	}
	p.path = path
	via, dev := path.hop()
	p.pin = Entry{To: netip.PrefixFrom(gw, 32), Via: via, Dev: dev, OnLink: path.OnLink, Protocol: Protocol}
	if !via.IsValid() {
		p.pin.Scope = ScopeLink
	}
	// The path's source address stays what it was.
	if path.Src.IsValid() && path.Src != p.st.source(via, dev) {
		p.pin.Src = path.Src
	}
	p.want = append(p.want, p.pin)
	if l := p.st.link(dev); l != nil && tunnelKinds[l.Kind] {
		p.find(Warning, GatewayViaVPN, "take the other VPN down first if that is not meant", "the gateway %s is reached through another tunnel, %s", gw, dev)
	} else if rule.Table != TableMain && rule.Table != TableDefault {
		p.find(Warning, GatewayViaVPN, "look at \"ip rule\" if that is not meant",
			"a policy rule (priority %d, table %d) decides how the gateway %s is reached: through %s", rule.Priority, rule.Table, gw, dev)
	}
}

// hasDefault reports whether there is a default route, in any table, but ours.
func (p *planner) hasDefault() bool {
	for i := range p.st.Routes {
		if e := &p.st.Routes[i]; e.To.Bits() == 0 && e.To.Addr().Is4() && !e.Dead && !p.ours[e] && e.Kind == Unicast {
			return true
		}
	}
	return false
}

var tunnelKinds = map[string]bool{"tun": true, "wireguard": true, "ppp": true, "ipip": true, "gre": true, "sit": true, "vti": true, "xfrm": true}

const (
	defaultMetric6 = 1024      // what the kernel makes of 0 for IPv6 (IP6_RT_PRIO_USER)
	maxMetric      = 1<<31 - 1 // that a Config has, and that ParseEntry reads
)

// tunnelRoute is a route to a subnet through the tunnel.
func (p *planner) tunnelRoute(to netip.Prefix, metric int) Entry {
	e := Entry{To: to, Dev: p.cfg.Link, Metric: metric, Protocol: Protocol}
	switch {
	case to.Addr().Is6():
		if e.Metric == 0 {
			e.Metric = defaultMetric6
		}
	case p.via.IsValid():
		e.Via = p.via
	default:
		e.Scope = ScopeLink
	}
	return e
}

// peerRoute plans the route to the peer.
func (p *planner) peerRoute() {
	peer := p.cfg.Peer
	if p.cfg.Link == "" {
		return
	}
	switch {
	case !peer.IsValid():
		return // not known yet
	case peer.IsUnspecified() || !peer.Is4():
		p.find(Info, PeerUnset, "", "the peer has no address in the tunnel: routes name %s alone", p.cfg.Link)
		return
	case peer == p.cfg.Gateway:
		p.find(Warning, PeerIsGateway, "nothing needs to be done; its administrator could give it an address of the tunnel's subnet",
			"the server calls itself %s in the tunnel, which is the gateway's address: that stays outside, and routes name %s alone", peer, p.cfg.Link)
		return
	case peer == p.cfg.Local || p.isOwn(peer):
		p.find(Warning, PeerUnset, "", "the server calls itself %s in the tunnel, which is an address of this machine: routes name %s alone", peer, p.cfg.Link)
		return
	}
	e := Entry{To: netip.PrefixFrom(peer, 32), Dev: p.cfg.Link, Scope: ScopeLink, Protocol: Protocol}
	if blocker := p.blocker(&e); blocker != nil {
		p.find(Warning, RouteTaken, "remove that route, or have the server use another address",
			"the peer's address %s has a route already, %s: routes name %s alone", peer, blocker, p.cfg.Link)
		return
	}
	p.via = peer
	p.want = append(p.want, e)
	for i := range p.st.Routes {
		if c := &p.st.Routes[i]; p.foreign(c) && p.st.connected(c) && c.To.Contains(peer) {
			p.find(Warning, PeerInConnected, "", "the server's address in the tunnel, %s, belongs to %s of %s: a machine with that address there is not reached meanwhile", peer, c.To, c.Dev)
			break
		}
	}
}

func (p *planner) isOwn(a netip.Addr) bool {
	for _, have := range p.st.Addrs {
		if have.Prefix.Addr() == a && have.Dev != p.cfg.Link {
			return true
		}
	}
	return false
}

// blocker returns the route of somebody else's that keeps e from being added:
// one to the same subnet with the same metric that goes elsewhere.
func (p *planner) blocker(e *Entry) *Entry {
	for _, have := range p.fib.exact(e.To) {
		if have.same(e) {
			return nil
		}
	}
	for _, have := range p.fib.exact(e.To) {
		if have.Metric == e.Metric && have.TOS == 0 && !p.replaced(have) {
			return have
		}
	}
	return nil
}

// replaced reports whether have is this session's alone, so that a new route
// to the same subnet takes its place.
func (p *planner) replaced(have *Entry) bool {
	k := have.key()
	return have.Protocol == Protocol && p.mine[k] && !p.others[k]
}

// diff turns what is wanted into operations.
func (p *planner) diff() {
	keep := map[routeKey]bool{}
	for i := range p.want {
		e := p.want[i]
		if have := p.present(&e); have != nil {
			if have.Protocol == Protocol {
				p.out.Own = append(p.out.Own, *have)
				keep[have.key()] = true
			} else if have.Protocol != kernelProtocol || have.Dev != p.cfg.Link {
				p.find(Info, RouteIdentical, "", "%s was there before, and stays afterwards", have)
			}
			continue
		}
		verb := Add
		for _, have := range p.fib.exact(e.To) {
			if have.Metric == e.Metric && have.TOS == 0 {
				verb = Append
			}
		}
		p.out.Own = append(p.out.Own, e)
		keep[e.key()] = true
		p.out.Ops = append(p.out.Ops, Op{verb, e})
	}
	for i := len(p.st.Mine) - 1; i >= 0; i-- {
		if have := p.present(&p.st.Mine[i]); have != nil && have.Protocol == Protocol && !keep[have.key()] && !p.others[have.key()] {
			p.out.Ops = append(p.out.Ops, Op{Delete, *have})
			keep[have.key()] = true // once
		}
	}
}

// present returns the route that does what e does, one of ours before others'.
func (p *planner) present(e *Entry) (found *Entry) {
	for _, have := range p.fib.tables[e.table()][e.To] {
		if have.same(e) && (found == nil || have.Protocol == Protocol) {
			found = have
		}
	}
	return found
}
