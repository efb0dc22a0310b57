package tunnel

import (
	"net/netip"
	"testing"
	"time"

	"goppptp/internal/osnet/osnettest"
)

func count[T Event](e *end) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.events {
		if _, ok := ev.(T); ok {
			n++
		}
	}
	return n
}

// A probe is answered while the way is whole, and told to have failed when it
// is broken in either direction, also while packets still come the other way.
func TestProbe(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		c.session.Probe(time.Second) // too early: nothing comes of it
		waitUp(t, c, s)
		pass(2 * time.Second)
		if count[EchoReply](c)+count[ProbeFailed](c) != 0 {
			t.Fatalf("a probe before there is a link: %+v", c.events)
		}
		c.session.Probe(time.Second)
		pass(100 * time.Millisecond)
		if count[EchoReply](c) != 1 || c.session.Stats().EchoRTT != 40*time.Millisecond {
			t.Fatalf("round trip time %v, events %+v", c.session.Stats().EchoRTT, c.events)
		}
		c.gre.Filter(osnettest.Blackhole())
		c.session.Probe(time.Second)
		for range 20 { // the other direction works
			s.tun.Inject(packet(1, 100))
			pass(40 * time.Millisecond)
		}
		if count[ProbeFailed](c) != 0 {
			t.Fatal("failed too early")
		}
		pass(250 * time.Millisecond)
		if count[ProbeFailed](c) != 1 || count[EchoReply](c) != 1 {
			t.Fatalf("probe into a broken way: %+v", c.events)
		}
		c.gre.Filter(osnettest.Pass())
		c.session.Probe(time.Second)
		pass(time.Minute)
		if count[ProbeFailed](c) != 1 || count[EchoReply](c) != 2 || count[Finished](c) != 0 {
			t.Fatalf("after it was mended: %+v", c.events)
		}
	})
}

// Our own GRE packets, which some route has led into the tunnel, do not go
// through it; GRE of others, and other packets to the server, do.
func TestCircles(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		to := func(addr string, protocol byte) []byte {
			p := packet(1, 40)
			p[9] = protocol
			copy(p[16:], netip.MustParseAddr(addr).AsSlice())
			return p
		}
		before := c.session.Stats()
		c.tun.Inject(to("192.0.2.2", 47))
		c.tun.Inject(to("192.0.2.3", 47))
		c.tun.Inject(to("192.0.2.2", 6))
		pass(time.Second)
		stats := c.session.Stats()
		if got := len(s.tun.Received()); got != 2 || stats.Closed != before.Closed+1 {
			t.Errorf("%d of 3 packets came through, %d were turned away", got, stats.Closed-before.Closed)
		}
	})
}
