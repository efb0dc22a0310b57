package routing

import (
	"fmt"
	"math/rand"
	"net/netip"
	"testing"
)

// world is a machine with two sessions on which chance works.
type world struct {
	*model
	r        *rand.Rand
	sessions [2]struct {
		cfg  Config
		mine []Entry
	}
}

var (
	somePrefixes = prefixes("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.0/28", "10.1.2.128/25", "172.16.0.0/12", "172.16.0.0/16",
		"192.0.2.0/24", "192.0.2.7/32", "192.0.2.8/32", "192.168.1.0/24", "192.168.1.1/32", "0.0.0.0/1", "0.0.0.0/0", "10.9.9.9/32")
	someAddrs = []string{"10.1.2.1", "192.168.1.1", "192.0.2.7", "192.0.2.8", "10.9.9.9", "10.1.2.53", "0.0.0.0", "192.168.1.20"}
)

func newWorld(t testing.TB, r *rand.Rand) *world {
	w := &world{model: &model{t: t, st: state(t, `
		addr lo 127.0.0.1/8
		addr eth0 10.1.2.53/24
		addr eth1 192.168.1.20/24
		10.1.2.0/24 dev eth0 proto kernel scope link src 10.1.2.53
		192.168.1.0/24 dev eth1 proto kernel scope link src 192.168.1.20 metric 600
		local 10.1.2.53 dev eth0 table local
		local 192.168.1.20 dev eth1 table local`)}, r: r}
	if r.Intn(8) > 0 {
		w.foreign()
		w.add("default via 10.1.2.1 dev eth0")
	}
	for i := range w.sessions {
		w.sessions[i].cfg = Config{Name: fmt.Sprint(i), OnConflict: Warn}
		w.sessions[i].cfg.Gateway = netip.MustParseAddr(someAddrs[2+r.Intn(2)])
	}
	return w
}

func (w *world) add(s string) {
	e, err := ParseEntry(s)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range w.st.Routes {
		if have := &w.st.Routes[i]; have.To == e.To && have.Metric == e.Metric && have.table() == e.table() {
			return // "file exists"
		}
	}
	w.st.Routes = append(w.st.Routes, e)
}

// foreign lets somebody else add a route.
func (w *world) foreign() {
	e := Entry{To: somePrefixes[w.r.Intn(len(somePrefixes))], Dev: "eth0", Metric: w.r.Intn(3), Protocol: 4}
	switch w.r.Intn(5) {
	case 0:
		e.Via = netip.MustParseAddr("10.1.2.9")
	case 1:
		e.Dev, e.Via = "eth1", netip.MustParseAddr("192.168.1.1")
	case 2:
		e.Kind, e.Dev = Unreachable, ""
	case 3:
		e.Dev, e.Scope = "eth1", ScopeLink
	}
	w.add(e.String())
}

// forget lets somebody else delete a route of which ours says whose it is.
func (w *world) forget(ours bool, which func(*Entry) bool) {
	var keep []Entry
	gone := false
	for _, e := range w.st.Routes {
		if !gone && (e.Protocol == Protocol) == ours && which(&e) && w.r.Intn(3) == 0 {
			gone = true
			continue
		}
		keep = append(keep, e)
	}
	w.st.Routes = keep
}

// change gives a session another configuration.
func (w *world) change(i int) {
	c := &w.sessions[i].cfg
	c.Link, c.Peer = "", netip.Addr{}
	if w.r.Intn(4) > 0 {
		c.Link = fmt.Sprintf("ppp%d", i)
		c.Peer = netip.MustParseAddr(someAddrs[w.r.Intn(len(someAddrs))])
	}
	c.Metric, c.DefaultRoute, c.Block = w.r.Intn(3), w.r.Intn(4) == 0, w.r.Intn(3) == 0
	c.Routes, c.Exclude = nil, nil
	for range w.r.Intn(4) {
		c.Routes = append(c.Routes, Route{To: somePrefixes[w.r.Intn(len(somePrefixes))], Metric: w.r.Intn(3)})
	}
	for range w.r.Intn(3) {
		if x := somePrefixes[w.r.Intn(len(somePrefixes))]; x.Bits() > 0 {
			c.Exclude = append(c.Exclude, x)
		}
	}
}

// turn makes the State that of session i.
func (w *world) turn(i int) {
	o := &w.sessions[1-i]
	w.st.Mine = w.sessions[i].mine
	w.st.Others = nil
	if len(o.mine) > 0 {
		w.st.Others = []Claim{{Name: o.cfg.Name, Gateway: o.cfg.Gateway, Link: o.cfg.Link, Routes: o.mine}}
	}
}

// set carries out what session i wants, and checks what must hold then.
func (w *world) set(i int) {
	w.turn(i)
	cfg := &w.sessions[i].cfg
	plan := NewPlan(cfg, w.st)
	if plan.Err(cfg.OnConflict) != nil {
		return
	}
	w.carryOut(plan)
	w.sessions[i].mine = w.st.Mine
	if again := NewPlan(cfg, w.st); len(again.Ops) > 0 {
		w.t.Errorf("after\n%s\nplanned again:\n%s\ntable:\n%s", opText(plan.Ops), opText(again.Ops), tableText(w.st))
	}
	if cfg.Link == "" {
		return
	}
	if e, _ := newFIB(w.st).lookup(cfg.Gateway, 32, nil); e == nil || e.Dev == cfg.Link {
		w.t.Errorf("the gateway %s is reached by %v", cfg.Gateway, e)
	}
}

// others is the table without our routes.
func (w *world) others() string {
	st := &State{}
	for _, e := range w.st.Routes {
		if e.Protocol != Protocol {
			st.Routes = append(st.Routes, e)
		}
	}
	return tableText(st)
}

// Whatever is asked for and whatever others do meanwhile, a plan carried out
// leaves nothing to plan, the gateway is never reached through its own tunnel,
// nobody else's route changes, and at the end none of ours is left.
func TestPlanProperties(t *testing.T) {
	for seed := range int64(1000) {
		w := newWorld(t, rand.New(rand.NewSource(seed)))
		for range 8 {
			i := w.r.Intn(2)
			switch w.r.Intn(6) {
			case 0:
				w.foreign()
			case 1:
				w.forget(false, func(e *Entry) bool { return e.Protocol == 4 })
			case 2:
				// One of a session's own; its next hop's route goes with the link alone.
				w.forget(true, func(e *Entry) bool { return e.Via.IsValid() })
			default:
				w.change(i)
			}
			before := w.others()
			w.set(i)
			if after := w.others(); after != before {
				t.Errorf("others' routes:\n%s\nwere:\n%s", after, before)
			}
		}
		before := w.others()
		for i := range w.sessions {
			w.turn(i)
			w.end()
			w.sessions[i].mine = nil
		}
		if after := tableText(w.st); after != before {
			t.Errorf("at the end:\n%s\nwant:\n%s", after, before)
		}
		if t.Failed() {
			t.Fatalf("seed %d, sessions %+v", seed, w.sessions)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, s := range []string{
		"default via 10.250.166.1 dev eth0",
		"unreachable 10.66.0.0/16 proto 178 metric 7",
		"203.235.199.133 via 10.250.166.1 dev eth0 proto 178",
		"default proto bgp metric 20 nexthop via 10.0.0.1 dev a weight 2 nexthop dev b weight 1",
		"local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1",
		"10.0.0.0/8 via inet6 fe80::1 dev eth0 onlink tos 0x10",
		"2001:db8::/32 dev ppp0 metric 1024 proto 178",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEntry(s)
		if err != nil {
			return
		}
		again, err := ParseEntry(e.String())
		if err != nil {
			t.Fatalf("%q is written %q: %v", s, e, err)
		}
		if again.String() != e.String() || again.key() != e.key() {
			t.Fatalf("%q is written %q, and that %q", s, e, again)
		}
	})
}
