package generator

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"goppptp/internal/osnet"
)

func (p *peer) dial(ctx context.Context, source netip.Addr) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source.AsSlice()}}
	return d.DialContext(ctx, "tcp4", p.l.Addr().String())
}

// eventually waits for something that is about to happen.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func upAll(t *testing.T, g *Generator, n int) {
	t.Helper()
	r, err := g.Up(t.Context(), n)
	if err != nil || r.Up != n || r.Failed != 0 || len(r.Each) != n {
		t.Fatalf("%+v, %v; failures %v", r, err, g.Failures())
	}
	if alive := g.Alive(); alive != n {
		t.Fatalf("%d sessions are alive, want %d", alive, n)
	}
}

// allCame waits until all that was sent has come, and wants it to be right.
func allCame(t *testing.T, g *Generator, sent Sent) {
	t.Helper()
	eventually(t, "all that was sent comes", func() bool { return g.Traffic().Packets >= sent.Packets })
	got := g.Traffic()
	if got.Packets != sent.Packets || got.Numbers != sent.Numbers || got.Octets != sent.Octets {
		t.Errorf("came: %+v; sent: %+v", got.Count, sent)
	}
	if len(got.Bad) > 0 {
		t.Errorf("also came: %v", got.Bad)
	}
}

func TestLife(t *testing.T) {
	p := newPeer(t)
	g := p.start(right)
	upAll(t, g, 20)

	// Each session's packets come back to it.
	load := Load{Packets: 1000, Train: 7, Size: 600, To: netip.AddrPortFrom(netip.Addr{}, Port)}
	sent, err := g.Send(t.Context(), load)
	if err != nil || sent.Packets != 1000 {
		t.Fatalf("%+v, %v", sent, err)
	}
	allCame(t, g, sent)
	for i, c := range g.Counts() {
		if c.Packets < 49 || c.Packets > 56 { // 142 trains of 7 and one of 6, in turn
			t.Errorf("session %d got %d packets", i, c.Packets)
		}
	}

	// From each session to another.
	for _, l := range []Load{{Packets: 200, Across: 3, Size: MinSize, Rate: 1e6}, {Packets: 100, Across: 21, TCP: true, Train: 200}} {
		more, err := g.Send(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		sent.Packets, sent.Numbers, sent.Octets = sent.Packets+more.Packets, sent.Numbers+more.Numbers, sent.Octets+more.Octets
		allCame(t, g, sent)
	}
	if got := g.Traffic(); got.Sessions != 20 {
		t.Errorf("%d sessions got packets, want 20", got.Sessions)
	}

	// They answer when asked whether they are there.
	p.mu.Lock()
	for _, c := range p.calls {
		c.link.Probe(time.Now(), 10*time.Second)
		c.drain(time.Now())
	}
	p.mu.Unlock()
	eventually(t, "all answer LCP's echo", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !slices.ContainsFunc(p.calls, func(c *peerCall) bool { return !c.answered })
	})

	// And they end one thing after the other.
	if n := g.Down(t.Context()); n != 20 {
		t.Errorf("%d sessions ended in order, want 20", n)
	}
	if f := g.Failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.calls {
		if got := strings.Join(p.story[i], ", "); got != "link ends, call cleared, connection stopped" {
			t.Errorf("call %d: %s", i, got)
		}
	}
}

// TestAgain has sessions come and go.
func TestAgain(t *testing.T) {
	g := newPeer(t).start(right)
	upAll(t, g, 3)
	if r, err := g.Up(t.Context(), 2); err != nil || r.Up != 2 || g.Alive() != 5 {
		t.Fatalf("%+v, %v; %d alive", r, err, g.Alive())
	}
	targets := g.Targets()
	if len(targets) != 5 || targets[4].Session != 4 {
		t.Errorf("targets: %v", targets)
	}
	if n := g.Down(t.Context()); n != 5 || g.Alive() != 0 {
		t.Fatalf("%d ended, %d are alive", n, g.Alive())
	}
	upAll(t, g, 1)
	if target := g.Targets()[0]; target.Session != 5 {
		t.Errorf("the sixth session is number %d, want 5", target.Session)
	}
}

func TestSetUpFailures(t *testing.T) {
	for _, c := range []struct {
		name     string
		prepare  func(p *peer)
		password func(i int) string
		want     string // in the failure's name
	}{
		{"wrong password", func(*peer) {}, func(i int) string { return []string{"wrong", secret}[i%2] }, "wrong user name or password"},
		{"call refused", func(p *peer) { p.refuse = func(i int) bool { return i%2 == 0 } }, right, "busy"},
		{"hung up", func(p *peer) { p.hangUp = func(i int) bool { return i%2 == 0 } }, right, "control connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			c.prepare(p)
			g := p.start(c.password)
			r, err := g.Up(t.Context(), 10)
			if err != nil || r.Up != 5 || r.Failed != 5 || g.Alive() != 5 {
				t.Errorf("%+v, %v; %d alive", r, err, g.Alive())
			}
			for name, n := range g.Failures() {
				if !strings.Contains(name, c.want) || !strings.HasPrefix(name, "set-up: ") || n != 5 {
					t.Errorf("failure %q, %d times; want one with %q, 5 times", name, n, c.want)
				}
			}
			if n := g.Down(t.Context()); n != 5 {
				t.Errorf("%d ended in order, want 5", n)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	p := newPeer(t)
	g := p.start(right)
	p.l.Close()
	r, err := g.Up(t.Context(), 3)
	if err != nil || r.Up != 0 || r.Failed != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, n := range g.Failures() { // without the port, which differs
		if !strings.HasPrefix(name, "set-up: dial: connect:") || n != 3 {
			t.Errorf("failure %q, %d times", name, n)
		}
	}
	if _, err := g.Send(t.Context(), Load{Packets: 1}); err == nil {
		t.Error("packets were sent into no session")
	}
}

func TestRequiresEncryption(t *testing.T) {
	p := newPeer(t)
	p.clear = true
	g := p.start(right)
	if r, _ := g.Up(t.Context(), 1); r.Up != 0 {
		t.Error("a session is up without encryption")
	}
	if f := g.Failures(); len(f) != 1 {
		t.Errorf("failures: %v", f)
	}
}

// TestLost has the server drop sessions that are up.
func TestLost(t *testing.T) {
	p := newPeer(t)
	g := p.start(right)
	upAll(t, g, 4)
	dead := g.Targets()[1].Addr
	p.mu.Lock()
	for _, c := range p.calls {
		if c.inner == dead {
			c.conn.Close()
		}
	}
	p.mu.Unlock()
	eventually(t, "one is lost", func() bool { return g.Alive() == 3 })
	sent, err := g.Send(t.Context(), Load{Packets: 30, To: netip.AddrPortFrom(netip.Addr{}, Port)})
	if err != nil || sent.Packets != 30 {
		t.Fatalf("%+v, %v", sent, err)
	}
	allCame(t, g, sent)
	if slices.ContainsFunc(g.Targets(), func(x Target) bool { return x.Session == 1 }) {
		t.Error("the lost session is among the targets")
	}
	if n := g.Down(t.Context()); n != 3 {
		t.Errorf("%d ended in order, want 3", n)
	}
	lost, over := 0, 0
	for name, n := range g.Failures() {
		if strings.HasPrefix(name, "lost: ") {
			lost += n
		}
		if strings.HasPrefix(name, "tear-down: it was over: ") {
			over += n
		}
	}
	if lost != 1 || over != 1 {
		t.Errorf("failures: %v", g.Failures())
	}
}

// TestMistakes: what the server does to packets is seen, and named.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name    string
		mistake func(p *peer, packet []byte)
		want    string
	}{
		{"contents", func(_ *peer, b []byte) { b[len(b)-1] ^= 1 }, counterNames[badContents]},
		{"to another session", func(p *peer, b []byte) { p.calls[0].sendIP(b) }, counterNames[badContents]},
		{"something else", func(p *peer, b []byte) { b[9] = 1 }, counterNames[foreign]},
		{"in clear", func(p *peer, b []byte) { p.calls[0].send(ppp21(b)) }, counterNames[clearData]},
		{"old numbers", func(p *peer, b []byte) {
			p.calls[0].out, b[0] = renumbered(p.calls[0]), 0
		}, counterNames[oldGRE]},
		{"a bad header", func(p *peer, b []byte) { p.gre.WriteBatch([][]byte{badGREPacket(p.calls[0])}, p.calls[0].path) }, counterNames[badGRE]},
		{"no such call", func(p *peer, b []byte) { p.gre.WriteBatch([][]byte{strayPacket()}, p.calls[0].path) }, counterNames[strayGRE]},
		{"a wrong key", func(p *peer, b []byte) { p.calls[0].sealer = otherSealer() }, counterNames[undecryptable]},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.mistake = func(b []byte) { c.mistake(p, b) }
			g := p.start(right)
			upAll(t, g, 2)
			if _, err := g.Send(t.Context(), Load{Packets: 8, To: netip.AddrPortFrom(netip.Addr{}, Port)}); err != nil {
				t.Fatal(err)
			}
			eventually(t, c.want, func() bool { return g.Traffic().Bad[c.want] > 0 })
		})
	}
}

// TestSendRefused: what the socket does not take is counted.
func TestSendRefused(t *testing.T) {
	p := newPeer(t)
	g := p.start(right)
	upAll(t, g, 1)
	g.cfg.GRE.(interface{ FailWrites(error) }).FailWrites(errors.New("no"))
	if _, err := g.Send(t.Context(), Load{Packets: 5, To: netip.AddrPortFrom(netip.Addr{}, Port)}); err != nil {
		t.Fatal(err)
	}
	if n := g.Traffic().Bad[counterNames[sendErrors]]; n < 5 {
		t.Errorf("%d refusals are counted, want 5", n)
	}
	g.cfg.GRE.(interface{ FailWrites(error) }).FailWrites(nil)
}

// TestCancelled: what waits ends with the context.
func TestCancelled(t *testing.T) {
	p := newPeer(t)
	g := p.start(right)
	upAll(t, g, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := g.Up(ctx, 5); err == nil || r.Up != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if sent, err := g.Send(ctx, Load{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", sent, err)
	}
	for _, l := range []Load{{First: 1}, {First: -1}, {Count: 2}, {Across: -1}} {
		if _, err := g.Send(t.Context(), l); err == nil {
			t.Errorf("%+v was sent", l)
		}
	}
}

// TestStranger: packets from elsewhere than the server, or to another of our
// addresses, are nobody's.
func TestStranger(t *testing.T) {
	g := newPeer(t).start(right)
	upAll(t, g, 1)
	s := g.all()[0]
	good := osnet.Path{Local: clientSource(0), Remote: peerAddr}
	for _, c := range []struct {
		path osnet.Path
		data []byte
		want bool
	}{
		{good, []byte{0, 0, 0, 0, 0, 0, 0, 1}, true},
		{good, []byte{0, 0, 0, 0, 0, 0, 0, 2}, false},
		{good, []byte{0, 0, 0, 0, 0, 0, 0}, false},
		{osnet.Path{Local: clientSource(1), Remote: peerAddr}, []byte{0, 0, 0, 0, 0, 0, 0, 1}, false},
		{osnet.Path{Local: clientSource(0), Remote: clientSource(0)}, []byte{0, 0, 0, 0, 0, 0, 0, 1}, false},
	} {
		if got := g.find(&osnet.Packet{Data: c.data, Path: c.path}) == s; got != c.want {
			t.Errorf("%v %x: found %v, want %v", c.path, c.data, got, c.want)
		}
	}
}
