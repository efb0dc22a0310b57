//go:build linux

package realpeers

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rtt is the round trip time of the path in testRoundTrips.
const rtt = 50 * time.Millisecond

// testRoundTrips counts the round trips between the first packet and the routes.
// It counts those that the packets show, not the time, which a busy machine
// stretches and a stage that waits for a timer would; that is reported as well.
func testRoundTrips(t *testing.T) {
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
			n.client.mustPing(t, "10.250.166.1") // ARP is no part of it
			var p *process
			up := func() bool { return n.client.hasRoute("172.16.0.0/16") }
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
			trips, took := roundTrips(c.stopped(), time.Now())
			t.Logf("%d round trips from the first packet to the routes; it took %v, as long as %.1f of %v",
				trips, took.Round(time.Millisecond), float64(took)/float64(rtt), rtt)
			if e.client == "ours" && trips > most {
				t.Errorf("%d round trips, want %d at most", trips, most)
			}
		})
	}
}

// roundTrips counts the round trips in what passed the router until end: how
// often a packet of the client can have waited for one of the server. Between
// client and router lies the whole delay, so that is so where the server's
// passed a round trip earlier or more; between router and server lies none.
func roundTrips(packets []packet, end time.Time) (trips int, took time.Duration) {
	client := netip.MustParseAddr(clientAddr)
	type passed struct {
		at    time.Time
		trips int // needed before this packet
	}
	var first time.Time
	var servers []passed
	soFar := 0 // of the client's packets
	for _, p := range packets {
		src, protocol, payload, ok := p.ip()
		isPPTP := protocol == unix.IPPROTO_GRE || protocol == unix.IPPROTO_TCP && len(payload) >= 20 &&
			(binary.BigEndian.Uint16(payload) == 1723 || binary.BigEndian.Uint16(payload[2:]) == 1723)
		if !ok || !isPPTP || p.at.After(end) {
			continue
		}
		if first.IsZero() {
			first = p.at
		}
		if src != client {
			servers = append(servers, passed{p.at, soFar})
			continue
		}
		const nearly = rtt * 95 / 100
		for _, s := range servers {
			if p.at.Sub(s.at) >= nearly {
				soFar = max(soFar, s.trips+1)
			}
		}
	}
	// The first packet took half a trip to the router, the last one half from it.
	return soFar + 1, end.Sub(first)
}
