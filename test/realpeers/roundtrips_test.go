//go:build linux

package realpeers

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testRoundTrips measures how many round trips lie between the first packet
// and the routes at 50 ms each. What the far end takes to answer, and its
// programs to start, is not the path's; it is reported and taken off.
func testRoundTrips(t *testing.T) {
	const rtt = 50 * time.Millisecond
	const most = 14
	for _, e := range []ends{{"ours", "theirs", false}, {"ours", "ours", false}, {"theirs", "theirs", false}} {
		t.Run(e.String(), func(t *testing.T) {
			begin(t)
			n := newNetwork(t, natHelper)
			n.delay(t, rtt)
			c := n.capture(t)
			if e.server == "ours" {
				serve(t, n.server, usualServer)
			} else {
				n.startPPTPD(t, pppdOptions{mppe: "128"})
			}
			// ARP is no part of it.
			n.client.mustPing(t, "10.250.166.1")
			var routed time.Time
			up := func() bool { return n.client.hasRoute("172.16.0.0/16") }
			var p *process
			if e.client == "ours" {
				p = dial(t, n.client, usualProfile)
			} else {
				p = n.dialPPTPLinux(t, n.client, pppdOptions{mppe: "128"})
				up = func() bool { return n.client.address("ppp0") != "" }
			}
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for deadline := time.Now().Add(30 * time.Second); !up(); <-tick.C {
				if p.ended() || time.Now().After(deadline) {
					t.Fatal("the tunnel does not come up")
				}
			}
			routed = time.Now()
			first, server := waits(c.stopped(), routed)
			total := routed.Sub(first)
			trips := float64(total-server) / float64(rtt)
			t.Logf("%v from the first packet to the routes, of which the server took %v: %.1f round trips of %v (with the server's time %.1f)",
				total.Round(time.Millisecond), server.Round(time.Millisecond), trips, rtt, float64(total)/float64(rtt))
			if e.client == "ours" && trips > most {
				t.Errorf("%.1f round trips, want %d at most", trips, most)
			}
		})
	}
}

// waits finds the first packet of the control connection, and for how long
// after it, until end, the path was idle because the last packet was the
// client's and the server had not answered yet.
func waits(packets []packet, end time.Time) (first time.Time, server time.Duration) {
	client := netip.MustParseAddr(clientAddr)
	var last packet
	lastWasClient := false
	for _, p := range packets {
		src, protocol, payload, ok := p.ip()
		if !ok || p.at.After(end) {
			continue
		}
		pptp := protocol == unix.IPPROTO_GRE || protocol == unix.IPPROTO_TCP && len(payload) >= 20 &&
			(binary.BigEndian.Uint16(payload) == 1723 || binary.BigEndian.Uint16(payload[2:]) == 1723)
		if !pptp {
			continue
		}
		if first.IsZero() {
			first = p.at
		} else if lastWasClient && src != client {
			server += p.at.Sub(last.at)
		}
		last, lastWasClient = p, src == client
	}
	return first, server
}
