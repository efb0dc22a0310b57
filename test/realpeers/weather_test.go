//go:build linux

package realpeers

import (
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// ends is who is at the two ends of a tunnel.
type ends struct {
	client, server string // "ours" or "theirs"
	stateful       bool
}

func (e ends) String() string {
	s := e.client + "-to-" + e.server
	if e.stateful {
		s += "-stateful"
	}
	return s
}

// allEnds has ours against each real peer, and against itself.
var allEnds = []ends{
	{"ours", "theirs", false}, {"ours", "theirs", true},
	{"theirs", "ours", false}, {"theirs", "ours", true},
	{"ours", "ours", false}, {"ours", "ours", true},
}

// A session is a tunnel that is up.
type session struct {
	client, server *process
	link           string // the client's
}

// connect brings a tunnel up, with the closed networks routed into it.
func (n *network) connect(t *testing.T, e ends, profile ...string) session {
	t.Helper()
	var s session
	theirs, ours := pppdOptions{mppe: "128", stateful: e.stateful}, []string{"mppe: {bits: [128], stateful: false}"}
	if e.stateful {
		ours = []string{"mppe: {bits: [128], stateful: true}"}
	}
	if e.server == "ours" {
		s.server = serve(t, n.server, usualServer.with(ours...))
	} else {
		s.server = n.startPPTPD(t, theirs)
	}
	if e.client == "ours" {
		s.client = dial(t, n.client, usualProfile.with(ours...).with(profile...))
		s.link = awaitUp(t, s.client).Interface
	} else {
		s.client, s.link = n.dialPPTPLinux(t, n.client, theirs), "ppp0"
		routePPTPLinux(t, n.client, s.link, s.client)
	}
	n.client.mustPing(t, tunnelAddr)
	return s
}

// testWeather lets packets be lost, overtaken and doubled while TCP runs: the
// session lives, and what arrives is right.
func testWeather(t *testing.T) {
	for _, w := range []struct {
		name string
		does netlink.NetemQdiscAttrs
		last time.Duration // 0: as long as the transfer
		size int64
	}{
		{"loss", netlink.NetemQdiscAttrs{Loss: 25}, 4 * time.Second, 1 << 20},
		{"reorder", netlink.NetemQdiscAttrs{Latency: 10_000, ReorderProb: 25, ReorderCorr: 50}, 0, 1 << 20},
		{"duplicate", netlink.NetemQdiscAttrs{Duplicate: 25}, 0, 1 << 20},
	} {
		for _, e := range allEnds {
			t.Run(w.name+"/"+e.String(), func(t *testing.T) {
				begin(t)
				n := newNetwork(t, natHelper)
				n.inner.serveTransfers(t)
				s := n.connect(t, e)
				n.weather(t, w.does)
				began := time.Now()
				moved := make(chan error, 1)
				go func() { moved <- n.client.transfer(behindAddr, w.size, 90*time.Second) }()
				var err error
				if w.last > 0 {
					select {
					case err = <-moved:
						moved <- err
					case <-time.After(w.last):
					}
					n.weather(t, netlink.NetemQdiscAttrs{})
				}
				if err = <-moved; err != nil {
					t.Error(err)
				}
				t.Logf("%d KiB up and down in %v", w.size>>10, time.Since(began).Round(time.Millisecond))
				if w.last == 0 {
					n.weather(t, netlink.NetemQdiscAttrs{})
				}
				n.client.mustCarry(t, tunnelAddr, behindAddr)
				if s.client.ended() {
					t.Error("the client's session did not live")
				}
			})
		}
	}
}
