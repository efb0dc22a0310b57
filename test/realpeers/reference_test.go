//go:build linux

package realpeers

import (
	"testing"
	"time"
)

// testReference shows that the network and the real programs work with each
// other, so that what fails below is ours.
func testReference(t *testing.T) {
	for _, tt := range []struct {
		name string
		nat  nat
		ppp  pppdOptions
		want string
	}{
		{"helper-128", natHelper, pppdOptions{mppe: "128"}, "MPPE 128-bit stateless compression enabled"},
		{"plain-40-stateful", natPlain, pppdOptions{mppe: "40", stateful: true}, "MPPE 40-bit stateful compression enabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin(t)
			n := newNetwork(t, tt.nat)
			n.inner.serveTransfers(t)
			if err := n.client.ping("10.250.166.1", 56, 2*time.Second); err != nil {
				t.Fatal(err)
			}
			if err := n.client.ping(innerAddr, 56, 300*time.Millisecond); err == nil {
				t.Fatalf("%s is not closed to the client", innerAddr)
			}
			before := n.client.state(t)
			n.startPPTPD(t, tt.ppp)
			pppd := n.dialPPTPLinux(t, n.client, tt.ppp)
			routePPTPLinux(t, n.client, "ppp0", pppd)
			if len(log.said(tt.want)) != 2 {
				t.Errorf("%q not said by both ends", tt.want)
			}
			n.client.mustCarry(t, tunnelAddr, innerAddr, behindAddr)
			if status := pppd.stop(t); status != 0 && status != 5 {
				t.Errorf("pppd ended with status %d", status)
			}
			n.client.sameState(t, before)
			cleanEnd(t)
		})
	}
}

// cleanEnd checks that pptpd's log tells of a call that was ended in order.
func cleanEnd(t *testing.T) {
	t.Helper()
	log.expect(t, "control connection finished")
	log.expect(t, "LCP terminated by peer")
	log.refuse(t, "EOF or bad error")
	log.refuse(t, "Session timed out")
}
