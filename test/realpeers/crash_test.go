//go:build linux

package realpeers

import (
	"testing"
	"time"
)

// testCrashes kills one end as a crash would.
func testCrashes(t *testing.T) {
	t.Run("client-then-repair", func(t *testing.T) {
		begin(t)
		n := newNetwork(t, natHelper)
		before := n.client.state(t)
		s := n.connect(t, ends{"ours", "theirs", false})
		s.client.kill(t)
		if status := n.client.start(t, program, "repair").status(t, waitForProgram); status != 0 {
			t.Errorf("repair ended with status %d", status)
		}
		nothingLeft(t, n.client, before)
	})
	t.Run("client-then-up", func(t *testing.T) {
		begin(t)
		n := newNetwork(t, natHelper)
		n.inner.serveTransfers(t)
		before := n.client.state(t)
		s := n.connect(t, ends{"ours", "ours", false})
		s.client.kill(t)
		again := dial(t, n.client, usualProfile)
		st := awaitUp(t, again)
		onlyRequested(t, n.client, before, st)
		n.client.mustCarry(t, tunnelAddr, behindAddr)
		if status := again.stop(t); status != 0 {
			t.Errorf("the client ended with status %d", status)
		}
		n.client.sameState(t, before)
	})
	t.Run("client-seen-by-server", func(t *testing.T) {
		begin(t)
		n := newNetwork(t, natHelper)
		s := n.connect(t, ends{"theirs", "ours", false})
		killAll(t, "pptp", "pppd")
		eventually(t, 5*time.Second, "the server's ppp0 gone", func() bool { return n.server.address("ppp0") == "" })
		if s.server.ended() {
			t.Error("the server ended with its client")
		}
		again := n.dialPPTPLinux(t, n.client, pppdOptions{mppe: "128"})
		routePPTPLinux(t, n.client, "ppp0", again)
		n.client.mustPing(t, tunnelAddr, innerAddr)
	})
	for _, kind := range []string{"theirs", "ours"} {
		t.Run("server-"+kind, func(t *testing.T) {
			begin(t)
			n := newNetwork(t, natHelper)
			n.inner.serveTransfers(t)
			before := n.client.state(t)
			s := n.connect(t, ends{"ours", kind, false}, "keepalive: {interval: 1s, failures: 3}")
			s.server.kill(t)
			if kind == "theirs" {
				killAll(t, "pptpd", "pptpctrl", "pppd")
			}
			eventually(t, 15*time.Second, "the client's notice of it", func() bool { return n.client.address(s.link) == "" })
			if kind == "theirs" {
				n.startPPTPD(t, pppdOptions{mppe: "128"})
			} else {
				serve(t, n.server, usualServer)
			}
			eventually(t, 60*time.Second, "the client back", func() bool { return n.client.hasRoute("172.16.0.0/16") })
			n.client.mustCarry(t, tunnelAddr, behindAddr)
			if status := s.client.stop(t); status != 0 {
				t.Errorf("the client ended with status %d", status)
			}
			n.client.sameState(t, before)
		})
	}
	t.Run("server-falls-silent", func(t *testing.T) {
		begin(t)
		n := newNetwork(t, natHelper)
		before := n.client.state(t)
		s := n.connect(t, ends{"ours", "theirs", false}, "keepalive: {interval: 1s, failures: 3}", "reconnect: false")
		n.silence(t)
		eventually(t, 15*time.Second, "the client's end", s.client.ended)
		if status := s.client.status(t, 0); status == 0 {
			t.Error("the client ended with status 0 though its session was lost")
		}
		nothingLeft(t, n.client, before)
	})
}
