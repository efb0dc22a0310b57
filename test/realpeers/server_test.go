//go:build linux

package realpeers

import (
	"fmt"
	"testing"
	"time"
)

// testServer has the real pptp-linux and pppd dial our server.
func testServer(t *testing.T) {
	const noMPPE = "mppe: {require: false, bits: []}"
	for _, tt := range []struct {
		name   string
		nat    nat
		client pppdOptions
		server []string
		mppe   string
		said   string // by pppd, besides
	}{
		{name: "mschapv2-128", client: pppdOptions{mppe: "128"}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "mschapv2-128-plain-nat", nat: natPlain, client: pppdOptions{mppe: "128"}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "mschapv2-128-stateful", client: pppdOptions{mppe: "128", stateful: true},
			server: []string{"mppe: {bits: [128], stateful: true}"}, mppe: "MPPE 128-bit stateful compression enabled"},
		{name: "mschapv2-40", client: pppdOptions{mppe: "40"}, server: []string{"mppe: {bits: [40]}"}, mppe: "MPPE 40-bit stateless compression enabled"},
		{name: "mschapv2-40-stateful", client: pppdOptions{mppe: "40", stateful: true},
			server: []string{"mppe: {bits: [40], stateful: true}"}, mppe: "MPPE 40-bit stateful compression enabled"},
		{name: "mschapv1-128", client: pppdOptions{auth: "mschap", mppe: "128"}, server: []string{"auth: [mschap]"},
			mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "chap-md5", client: pppdOptions{auth: "chap", mppe: "none"}, server: []string{"auth: [chap]", noMPPE}},
		{name: "pap", client: pppdOptions{auth: "pap", mppe: "none"}, server: []string{"auth: [pap]", noMPPE}},
		{name: "eap-md5", client: pppdOptions{auth: "eap", mppe: "none"}, server: []string{"auth: [eap]", noMPPE}},
		{name: "domain-user", client: pppdOptions{user: `CORP\jdoe`, mppe: "128"},
			server: []string{`users: [{name: 'CORP\jdoe', password: ` + password + `}]`}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "nt-hash", client: pppdOptions{mppe: "128"}, // of p4ssw0rd
			server: []string{"users: [{name: sio4, nt_hash: \"" + ntHash + "\"}]"}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "dns", client: pppdOptions{mppe: "128", more: []string{"usepeerdns"}}, server: []string{"dns: [192.168.13.1]"},
			mppe: "MPPE 128-bit stateless compression enabled", said: "primary   DNS address 192.168.13.1"},
		{name: "ipv6cp-asked", client: pppdOptions{mppe: "128", ipv6: true}, mppe: "MPPE 128-bit stateless compression enabled",
			said: "rcvd [LCP ProtRej"},
		{name: "ipv6cp-both", client: pppdOptions{mppe: "128", ipv6: true}, server: []string{"ipv6: true"},
			mppe: "MPPE 128-bit stateless compression enabled", said: "remote LL address fe80::"},
		{name: "uncompressed-headers", client: pppdOptions{mppe: "128", more: []string{"noaccomp", "nopcomp"}}, mppe: "MPPE 128-bit stateless compression enabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin(t)
			n := newNetwork(t, tt.nat)
			n.inner.serveTransfers(t)
			before, beforeServer := n.client.state(t), n.server.state(t)
			c := n.capture(t)
			server := serve(t, n.server, usualServer.with(tt.server...))
			pppd := n.dialPPTPLinux(t, n.client, tt.client)
			routePPTPLinux(t, n.client, "ppp0", pppd)
			if tt.mppe != "" {
				log.expect(t, tt.mppe)
			}
			if tt.said != "" {
				log.expect(t, tt.said)
			}
			n.client.mustCarry(t, tunnelAddr, innerAddr, behindAddr)
			n.inner.mustPing(t, n.client.address("ppp0"))

			if status := pppd.stop(t); status != 0 && status != 5 {
				t.Errorf("pppd ended with status %d", status)
			}
			log.expect(t, "rcvd [LCP TermAck")
			n.client.sameState(t, before)
			eventually(t, 5*time.Second, "the server's ppp0 gone", func() bool { return n.server.address("ppp0") == "" })
			if server.ended() {
				t.Error("the server ended with its client")
			}
			if status := server.stop(t); status != 0 {
				t.Errorf("the server ended with status %d", status)
			}
			n.server.sameState(t, beforeServer)
			if tt.mppe != "" {
				c.noneInClear(t)
			}
			c.keep(t)
		})
	}
	t.Run("three-hosts", testThreeHosts)
	t.Run("three-calls", testThreeCalls)
}

// ntHash is NtPasswordHash of the usual password, in hex.
const ntHash = "7659b2fe69975dd2af6f06ea73f6df82"

// testThreeHosts has three machines behind the router's outside at once.
func testThreeHosts(t *testing.T) {
	begin(t)
	n := newNetworkOf(t, natHelper, 3)
	n.inner.serveTransfers(t)
	server := serve(t, n.server, usualServer)
	var calls []*process
	for _, h := range n.hosts {
		calls = append(calls, n.dialPPTPLinux(t, h, pppdOptions{mppe: "128"}))
	}
	addrs := make(map[string]bool)
	for i, h := range n.hosts {
		routePPTPLinux(t, h, "ppp0", calls[i])
		addrs[h.address("ppp0")] = true
	}
	if len(addrs) != 3 {
		t.Errorf("three clients have the addresses %v", addrs)
	}
	carried := make(chan error)
	for _, h := range n.hosts {
		h.mustPing(t, tunnelAddr, behindAddr)
	}
	for _, h := range n.hosts {
		go func() { carried <- h.transfer(behindAddr, 1<<20, 60*time.Second) }()
	}
	for range n.hosts {
		if err := <-carried; err != nil {
			t.Error(err)
		}
	}
	// One leaves, the others stay.
	if status := calls[1].stop(t); status != 0 && status != 5 {
		t.Errorf("pppd ended with status %d", status)
	}
	n.hosts[0].mustPing(t, behindAddr)
	n.hosts[2].mustPing(t, behindAddr)
	if status := server.stop(t); status != 0 {
		t.Errorf("the server ended with status %d", status)
	}
	for _, i := range []int{0, 2} {
		calls[i].status(t, 15*time.Second) // pppd's own word for a call that the server ended
	}
}

// testThreeCalls has one machine place three calls, which pptp-linux does on
// one control connection. Linux's NAT helper would give all of them one call ID.
func testThreeCalls(t *testing.T) {
	begin(t)
	n := newNetwork(t, natPlain)
	server := serve(t, n.server, usualServer)
	addrs := make(map[string]bool)
	var calls []*process
	for i := range 3 {
		call := n.dialPPTPLinux(t, n.client, pppdOptions{mppe: "128"})
		link := fmt.Sprintf("ppp%d", i)
		awaitTunnel(t, n.client, link, call)
		addrs[n.client.address(link)] = true
		calls = append(calls, call)
	}
	if len(addrs) != 3 {
		t.Errorf("three calls have the addresses %v", addrs)
	}
	for i := range calls {
		link := fmt.Sprintf("ppp%d", i)
		eventually(t, 5*time.Second, "an answer through "+link, func() bool {
			return n.client.pingThrough(link, tunnelAddr, 56, 500*time.Millisecond) == nil
		})
	}
	for _, call := range calls {
		if status := call.stop(t); status != 0 && status != 5 {
			t.Errorf("pppd ended with status %d", status)
		}
	}
	eventually(t, 5*time.Second, "the server's links gone", func() bool {
		return n.server.address("ppp0")+n.server.address("ppp1")+n.server.address("ppp2") == ""
	})
	if status := server.stop(t); status != 0 {
		t.Errorf("the server ended with status %d", status)
	}
}
