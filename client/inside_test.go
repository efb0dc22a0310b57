package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
)

// A world is all that a session that is up stands on, in memory.
type world struct {
	t *testing.T

	mu     sync.Mutex
	hosts  map[string]string // name to addresses, or "!" and an error; mu guards
	ttl    time.Duration     // mu guards
	dialed []string          // mu guards: name servers asked through the tunnel
	server nameServer        // in the tunnel
	dhcp   *wire             // nil: cannot be asked

	sets  []string                    // mu guards: what the applier was told
	fail  func(*routing.Config) error // of the applier
	dns   []string                    // mu guards: what the resolver was told
	found []routing.Finding           // what it says
	notes []string                    // mu guards
}

func (w *world) Resolve(_ context.Context, host string) ([]netip.Addr, error) {
	addrs, _, err := w.ResolveTTL(context.Background(), host)
	return addrs, err
}

func (w *world) ResolveTTL(_ context.Context, host string) (out []netip.Addr, ttl time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.hosts[host]
	if why, bad := strings.CutPrefix(text, "!"); bad || text == "" {
		return nil, 0, &net.DNSError{Err: why, Name: host, IsNotFound: why == ""}
	}
	for _, s := range strings.Fields(text) {
		out = append(out, addr(s))
	}
	return out, w.ttl, nil
}

func (w *world) name(host, addrs string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[host] = addrs
}

func (*world) DialControl(context.Context, netip.AddrPort) (net.Conn, error) { panic("dials") }
func (*world) OpenGRE(netip.Addr) (GRE, error)                               { panic("opens GRE") }
func (*world) OpenTUN(osnet.TUNConfig) (tunnel.TUN, error)                   { panic("opens a TUN") }
func (*world) PathMTU(netip.Addr) (int, error)                               { panic("asks for the MTU") }

func (w *world) ListenDHCP(link string) (net.PacketConn, error) {
	if w.dhcp == nil || link != "ppp0" {
		return nil, errors.New("port in use")
	}
	return w.dhcp, nil
}

func (w *world) DialName(ctx context.Context, link, network string, server netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, link+" "+network+" "+server.String())
	w.mu.Unlock()
	return w.server.dial(ctx, network, server)
}

// routes is the applier.
type worldRoutes struct{ *world }

func (w worldRoutes) Set(_ context.Context, cfg *routing.Config) error {
	if w.fail != nil {
		if err := w.fail(cfg); err != nil {
			return err
		}
	}
	var list []string
	for _, r := range cfg.Routes {
		s := r.To.String()
		if r.Metric != 0 {
			s += fmt.Sprint("*", r.Metric)
		}
		list = append(list, s)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sets = append(w.sets, strings.Join(list, " "))
	return nil
}

func (w worldRoutes) Close() error { return nil }

// dns is the resolver.
type worldDNS struct{ *world }

func (w worldDNS) Set(_ context.Context, cfg *routing.DNSConfig) ([]routing.Finding, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dns = append(w.dns, fmt.Sprint(cfg.Link, cfg.Servers, cfg.Domains, cfg.All))
	return w.found, nil
}

func (w worldDNS) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dns = append(w.dns, "closed")
	return nil
}

// newWorld returns a world and a session for a profile with these keys.
func newWorld(t *testing.T, keys string) (*world, *Session) {
	t.Helper()
	p, err := profiles.Parse("lab.yaml", []byte("gateway: 203.235.199.133\nuser: sio4\n"+keys))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, hosts: map[string]string{}, dhcp: newWire()}
	s := New(Config{Profile: p, Platform: w, Routes: worldRoutes{w}, DNS: worldDNS{w}, OnEvent: func(e control.Event) {
		if e.Type == control.EventNote {
			w.mu.Lock()
			w.notes = append(w.notes, e.Text)
			w.mu.Unlock()
		}
	}})
	s.readState = func() (*routing.State, error) {
		return &routing.State{
			Links: []routing.Link{{Name: "lo", Loopback: true}, {Name: "eth0"}, {Name: "ppp0"}},
			Addrs: []routing.Addr{{Dev: "lo", Prefix: prefix("127.0.0.1/8")}, {Dev: "eth0", Prefix: prefix("10.250.166.10/24")}, {Dev: "ppp0", Prefix: prefix("192.168.13.240/32")}},
		}, nil
	}
	s.routes.Gateway = addr("203.235.199.133")
	return w, s
}

var tunnelUp = tunnel.Up{Interface: "ppp0", Network: tunnel.Network{Local: me, Peer: addr("192.168.13.254")}}

// up brings the session up, without all that dialling is about.
func (w *world) up(s *Session) *attendants {
	w.t.Helper()
	if err := s.up(w.t.Context(), tunnelUp); err != nil {
		w.t.Fatal(err)
	}
	a := s.attendants(w.t.Context())
	a.start(tunnelUp)
	return a
}

// last is the latest that the applier was told.
func (w *world) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sets) == 0 {
		return "nothing"
	}
	return w.sets[len(w.sets)-1]
}

func (w *world) want(what, routes string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.last(); got != routes {
		w.t.Errorf("%s: the routes are %q, want %q", what, got, routes)
	}
}

// warns reports whether one of the warnings holds text.
func warns(s *Session, text string) bool {
	return slices.ContainsFunc(s.Status().Warnings, func(w string) bool { return strings.Contains(w, text) })
}

// answer is the server's to the next question.
func (w *world) answer(options string) {
	w.t.Helper()
	w.dhcp.in <- ack(w.dhcp.asked(w.t), options)
	synctest.Wait()
}

// pass lets the bubble's time pass.
func pass(d time.Duration) { <-time.After(d) }

const (
	viaPeer = "c0a80dfe"
	// 192.168.13.0/24, the default route, 172.20.0.0/16.
	someRoutes = "79 14 18c0a80d" + viaPeer + " 00" + viaPeer + " 10ac14" + viaPeer
)

func offered(s *Session) string {
	var list []string
	for _, o := range s.Status().RoutesOffered {
		mark := "-"
		if o.Taken {
			mark = "+"
		}
		list = append(list, mark+o.To.String())
	}
	return strings.Join(list, " ")
}

func TestPushedIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [172.16.0.0/16]\n")
		defer w.up(s).stop()
		w.answer(someRoutes + "06 04 c0a80d01 0f 0b 6c61622e6578616d706c65")
		w.want("ignore", "172.16.0.0/16")
		if len(w.sets) != 1 {
			t.Errorf("the table was touched: %q", w.sets)
		}
		st := s.Status()
		if got := offered(s); got != "-192.168.13.0/24 -0.0.0.0/0 -172.20.0.0/16" || st.RoutesOffered[1].Why != "default_route is false" || st.RoutesOffered[2].Why != "pushed_routes is ignore" {
			t.Errorf("offered %+v", st.RoutesOffered)
		}
		if st.DomainOffered != "lab.example" || fmt.Sprint(st.DNS) != "[192.168.13.1]" || len(w.dns) != 0 {
			t.Errorf("domain %q, servers %v, the resolver was told %q", st.DomainOffered, st.DNS, w.dns)
		}
	})
}

// TestPushedAccepted: pushed routes go in, can be taken out by hand, and go
// when the server that offered them is dialled again and says nothing.
func TestPushedAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [172.16.0.0/16]\npushed_routes: accept\n")
		a := w.up(s)
		w.want("before the answer", "172.16.0.0/16")
		w.answer(someRoutes)
		w.want("accept", "172.16.0.0/16 192.168.13.0/24 172.20.0.0/16")

		if err := s.DelRoute(t.Context(), prefix("172.20.0.0/16")); err != nil {
			t.Fatal(err)
		}
		w.want("one taken out", "172.16.0.0/16 192.168.13.0/24")
		if got := offered(s); got != "+192.168.13.0/24 -0.0.0.0/0 -172.20.0.0/16" {
			t.Errorf("offered %s", got)
		}
		if err := s.DelRoute(t.Context(), prefix("172.20.0.0/16")); Explain(err) == nil || Explain(err).Reason != control.ReasonUsage {
			t.Errorf("a second time: %v", err)
		}
		if err := s.AddRoute(t.Context(), routing.Route{To: prefix("172.20.0.0/16"), Metric: 5}); err != nil {
			t.Fatal(err)
		}
		w.want("one put back by hand", "172.16.0.0/16 172.20.0.0/16*5 192.168.13.0/24")

		// Lost, and dialled again: as before, until the server says otherwise.
		a.stop()
		s.leave(tunnel.Stats{})
		a = w.up(s)
		w.want("up again", "172.16.0.0/16 172.20.0.0/16*5 192.168.13.0/24")
		w.answer("79 08 18c0a80e" + viaPeer)
		w.want("another answer", "172.16.0.0/16 172.20.0.0/16*5 192.168.14.0/24")
		a.stop()
		s.leave(tunnel.Stats{})
		a = w.up(s)
		defer a.stop()
		pass(time.Minute)
		w.want("no answer", "172.16.0.0/16 172.20.0.0/16*5")
		if got := offered(s); got != "" {
			t.Errorf("offered %s", got)
		}
	})
}

// TestPushedElsewhere: a route that is fine in one network is refused in
// another that has the same subnet.
func TestPushedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [172.16.0.0/16]\npushed_routes: accept\n")
		defer w.up(s).stop()
		w.answer(someRoutes)
		s.readState = func() (*routing.State, error) {
			return &routing.State{Addrs: []routing.Addr{{Dev: "wlan0", Prefix: prefix("172.20.3.4/16")}, {Dev: "ppp0", Prefix: prefix("192.168.13.240/24")}}}, nil
		}
		s.setting.Lock()
		s.rejudgeLocked()
		s.setting.Unlock()
		if got := offered(s); got != "+192.168.13.0/24 -0.0.0.0/0 -172.20.0.0/16" || len(s.routes.Routes) != 2 {
			t.Errorf("offered %s, routes %v", got, s.routes.Routes)
		}
	})
}

// TestPushedRefused: where the table forbids them, none is taken, and it is said.
func TestPushedRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [172.16.0.0/16]\npushed_routes: accept\n")
		w.fail = func(cfg *routing.Config) error {
			if len(cfg.Routes) > 1 {
				return &routing.ConflictError{Findings: []routing.Finding{{Text: "it would cut you off"}}}
			}
			return nil
		}
		defer w.up(s).stop()
		w.answer(someRoutes + "21 03 010203")
		w.want("a conflict", "172.16.0.0/16")
		st := s.Status()
		if offered(s) != "-192.168.13.0/24 -0.0.0.0/0 -172.20.0.0/16" || !strings.Contains(st.RoutesOffered[0].Why, "it would cut you off") {
			t.Errorf("offered %+v", st.RoutesOffered)
		}
		if !warns(s, "its DHCP option 33 is malformed") {
			t.Errorf("warnings %q", st.Warnings)
		}
	})
}

func TestHostNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [172.16.0.0/16, {to: build.lab.example, metric: 7}, nowhere.example]\n")
		w.name("build.lab.example", "10.0.0.2 10.0.0.1")
		w.ttl = 5 * time.Minute
		defer w.up(s).stop()
		w.want("up", "172.16.0.0/16 10.0.0.1/32*7 10.0.0.2/32*7")
		if r := s.Status().Routes; len(r) != 3 || r[1].Host != "build.lab.example" || r[0].Host != "" {
			t.Errorf("status shows %+v", r)
		}
		if !warns(s, "nowhere.example does not resolve: no such host; it has no route until it does") {
			t.Errorf("warnings %q", s.Status().Warnings)
		}

		w.name("build.lab.example", "10.0.0.3")
		w.name("nowhere.example", "10.0.9.9")
		pass(holdMin + time.Second)
		w.want("30 s later", "172.16.0.0/16 10.0.0.1/32*7 10.0.0.2/32*7 10.0.9.9/32")
		if warns(s, "nowhere") {
			t.Errorf("warnings %q", s.Status().Warnings)
		}
		pass(5 * time.Minute)
		w.want("when their time is over", "172.16.0.0/16 10.0.0.3/32*7 10.0.9.9/32")

		w.name("build.lab.example", "!server misbehaving")
		pass(6 * time.Minute)
		w.want("resolves no more", "172.16.0.0/16 10.0.0.3/32*7 10.0.9.9/32")
		if !warns(s, "build.lab.example does not resolve any more: server misbehaving; it keeps the addresses it had") {
			t.Errorf("warnings %q", s.Status().Warnings)
		}

		// The gateway itself never goes into its own tunnel.
		w.name("build.lab.example", "203.235.199.133 10.0.0.4")
		pass(time.Minute)
		w.want("it is the gateway", "172.16.0.0/16 10.0.0.4/32*7 10.0.9.9/32")
		if !warns(s, "build.lab.example is 203.235.199.133, the gateway's own address, which stays outside") {
			t.Errorf("warnings %q", s.Status().Warnings)
		}
	})
}

// TestHostTimes: an address that holds for a second is asked for no more often
// than every 30 s, one that holds for a week every hour.
func TestHostTimes(t *testing.T) {
	for ttl, want := range map[time.Duration]time.Duration{time.Second: holdMin, 7 * 24 * time.Hour: holdMax, 0: holdUnknown, time.Minute: time.Minute} {
		now := time.Unix(1000, 0)
		if r := settle(resolution{}, []netip.Addr{addr("10.0.0.1")}, ttl, nil, now); r.until.Sub(now) != want {
			t.Errorf("%v: asked again after %v, want %v", ttl, r.until.Sub(now), want)
		}
	}
	r := settle(resolution{addrs: []netip.Addr{addr("10.0.0.1")}}, []netip.Addr{addr("2001:db8::1")}, time.Hour, nil, time.Now())
	if r.err != errNoAddress || len(r.addrs) != 1 {
		t.Errorf("IPv6 alone: %+v", r)
	}
}

func TestAddHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [172.16.0.0/16]\n")
		a := w.up(s)
		w.name("new.example", "10.0.0.2")
		if err := s.AddHost(t.Context(), "new.example", 3); err != nil {
			t.Fatal(err)
		}
		w.want("added", "172.16.0.0/16 10.0.0.2/32*3")
		w.name("new.example", "10.0.0.3")
		pass(holdUnknown + time.Second)
		w.want("kept current", "172.16.0.0/16 10.0.0.3/32*3")
		if err := s.AddHost(t.Context(), "none.example", 0); err == nil || !strings.Contains(err.Error(), "none.example does not resolve: no such host; nothing was changed") {
			t.Errorf("one that does not resolve: %v", err)
		}
		a.stop()
		s.leave(tunnel.Stats{})
		a = w.up(s)
		defer a.stop()
		w.want("up again", "172.16.0.0/16 10.0.0.3/32*3")
		if err := s.DelHost(t.Context(), "NEW.example"); err != nil {
			t.Fatal(err)
		}
		w.want("taken out", "172.16.0.0/16")
		if err := s.DelHost(t.Context(), "new.example"); Explain(err) == nil || Explain(err).Reason != control.ReasonUsage {
			t.Errorf("a second time: %v", err)
		}
	})
}

// TestSplit: names in the domains are asked of the tunnel's servers, through
// the tunnel, and of nobody else; the system is told of both.
func TestSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [build.lab.example, www.example]\ndns: split\ndomains: [lab.example]\n")
		w.name("www.example", "10.0.0.1")
		w.name("build.lab.example", "10.6.6.6") // what the system would say
		w.server = func(_ string, _ netip.AddrPort, q []byte) [][]byte {
			return [][]byte{answerTo(q, 0, false, "build.lab.example. A 300 10.0.0.2")}
		}
		up := tunnelUp
		up.Network.DNS = []netip.Addr{addr("192.168.13.1")}
		if err := s.up(t.Context(), up); err != nil {
			t.Fatal(err)
		}
		w.want("up", "10.0.0.2/32 10.0.0.1/32")
		if got := fmt.Sprint(w.dialed); got != "[ppp0 udp4 192.168.13.1:53]" {
			t.Errorf("asked %s", got)
		}
		if got := fmt.Sprint(w.dns); got != "[ppp0[192.168.13.1] [lab.example] false]" || fmt.Sprint(s.Status().Domains) != "[lab.example]" {
			t.Errorf("the resolver was told %s; domains %v", got, s.Status().Domains)
		}
		s.leave(tunnel.Stats{})
		if got := w.dns[len(w.dns)-1]; got != "closed" {
			t.Errorf("at the end the resolver was told %q", got)
		}
	})
}

// TestUse: all names are the tunnel's; IPCP names no servers, DHCP does.
func TestUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [192.168.13.0/24]\ndns: use\n")
		w.found = []routing.Finding{{Severity: routing.Warning, Code: routing.DNSUnused, Text: "nobody asks", Fix: "make them"}}
		defer w.up(s).stop()
		w.answer("06 04 c0a80d01 0f 0b 6c61622e6578616d706c65")
		if got := fmt.Sprint(w.dns); got != "[ppp0[] [] true ppp0[192.168.13.1] [lab.example] true]" {
			t.Errorf("the resolver was told %s", got)
		}
		if !warns(s, "dns: nobody asks; make them") {
			t.Errorf("warnings %q", s.Status().Warnings)
		}
	})
}

func TestNoResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "dns: use\n")
		s.cfg.DNS = nil
		defer w.up(s).stop()
		if !warns(s, "dns: use is not carried out here") {
			t.Errorf("warnings %q", s.Status().Warnings)
		}
		s.leave(tunnel.Stats{})
	})
}

// TestChangeFails: what cannot be set changes nothing, neither now nor later.
func TestChangeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, "routes: [172.16.0.0/16]\n")
		defer w.up(s).stop()
		w.fail = func(*routing.Config) error { return errors.New("no") }
		if err := s.AddRoute(t.Context(), routing.Route{To: prefix("10.9.0.0/16")}); err == nil {
			t.Error("no error")
		}
		w.fail = nil
		if err := s.AddRoute(t.Context(), routing.Route{To: prefix("10.8.0.0/16")}); err != nil {
			t.Error(err)
		}
		w.want("after a failure", "172.16.0.0/16 10.8.0.0/16")
	})
}

var _ tunnelPlatform = Linux{}
var _ ttlResolver = Linux{}
