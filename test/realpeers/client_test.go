//go:build linux

package realpeers

import (
	"slices"
	"testing"
)

// testClient dials the real pptpd behind a real NAT with our client.
func testClient(t *testing.T) {
	const noMPPE = "mppe: {require: false}"
	for _, tt := range []struct {
		name    string
		nat     nat
		server  pppdOptions
		profile []string
		auth    string // what both ends say was used, empty: mschapv2
		mppe    string // pppd's words, empty: none
		dns     []string
	}{
		{name: "mschapv2-128", server: pppdOptions{mppe: "128"}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "mschapv2-128-plain-nat", nat: natPlain, server: pppdOptions{mppe: "128"}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "mschapv2-128-stateful", server: pppdOptions{mppe: "128", stateful: true},
			profile: []string{"mppe: {bits: [128], stateful: true}"}, mppe: "MPPE 128-bit stateful compression enabled"},
		{name: "mschapv2-40", server: pppdOptions{mppe: "40"},
			profile: []string{"mppe: {bits: [40]}"}, mppe: "MPPE 40-bit stateless compression enabled"},
		{name: "mschapv2-40-stateful", server: pppdOptions{mppe: "40", stateful: true},
			profile: []string{"mppe: {bits: [40], stateful: true}"}, mppe: "MPPE 40-bit stateful compression enabled"},
		{name: "any-strength", server: pppdOptions{mppe: "40"},
			profile: []string{"mppe: {bits: [128, 40]}"}, mppe: "MPPE 40-bit stateless compression enabled"},
		{name: "mschapv1-128", server: pppdOptions{auth: "mschap", mppe: "128"},
			profile: []string{"auth: [mschap]"}, auth: "mschap", mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "mschapv2-none", server: pppdOptions{mppe: "none"}, profile: []string{noMPPE}},
		{name: "chap-md5", server: pppdOptions{auth: "chap", mppe: "none"}, profile: []string{noMPPE, "auth: [chap]"}, auth: "chap"},
		{name: "pap", server: pppdOptions{auth: "pap", mppe: "none"}, profile: []string{noMPPE, "auth: [pap]"}, auth: "pap"},
		{name: "eap-md5", server: pppdOptions{auth: "eap", mppe: "none"}, profile: []string{noMPPE, "auth: [eap]"}, auth: "eap"},
		{name: "domain-user", server: pppdOptions{user: `CORP\jdoe`, password: `correct "horse" \battery`, mppe: "128"},
			profile: []string{`user: CORP\jdoe`, `password: 'correct "horse" \battery'`}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "dns", server: pppdOptions{mppe: "128", more: []string{"ms-dns 192.168.13.1", "ms-dns 192.168.13.2"}},
			mppe: "MPPE 128-bit stateless compression enabled", dns: []string{"192.168.13.1", "192.168.13.2"}},
		{name: "ipv6cp-offered", server: pppdOptions{mppe: "128", ipv6: true}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "ipv6cp-both", server: pppdOptions{mppe: "128", ipv6: true}, profile: []string{"routes: [172.16.0.0/16, 192.168.13.0/24, 'fd00:13::/64']"},
			mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "uncompressed-headers", server: pppdOptions{mppe: "128", more: []string{"noaccomp", "nopcomp"}}, mppe: "MPPE 128-bit stateless compression enabled"},
		{name: "name-of-gateway", server: pppdOptions{mppe: "128"}, profile: []string{"gateway: station"}, mppe: "MPPE 128-bit stateless compression enabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin(t)
			n := newNetwork(t, tt.nat)
			n.inner.serveTransfers(t)
			before := n.client.state(t)
			c := n.capture(t)
			n.startPPTPD(t, tt.server)
			p := dial(t, n.client, usualProfile.with(tt.profile...))
			st := awaitUp(t, p)

			if tt.name != "ipv6cp-both" {
				onlyRequested(t, n.client, before, st)
			}
			want := tt.auth
			if want == "" {
				want = "mschapv2"
			}
			if st.Auth != want {
				t.Errorf("authentication is %q, want %q", st.Auth, want)
			}
			if tt.mppe != "" {
				log.expect(t, tt.mppe)
			}
			if (st.MPPE != nil) != (tt.mppe != "") {
				t.Errorf("mppe is %+v, while pppd has %q", st.MPPE, tt.mppe)
			}
			if tt.dns != nil && !slices.Equal(st.DNS, tt.dns) {
				t.Errorf("dns is %v, want %v", st.DNS, tt.dns)
			}
			n.client.mustCarry(t, tunnelAddr, innerAddr, behindAddr)
			n.inner.mustPing(t, st.Local)

			if status := p.stop(t); status != 0 {
				t.Errorf("the client ended with status %d", status)
			}
			nothingLeft(t, n.client, before)
			cleanEnd(t)
			if tt.mppe != "" {
				c.noneInClear(t)
			}
			c.keep(t)
		})
	}
	t.Run("daemon", testDaemon)
}

// testDaemon connects and disconnects as a user does, with the daemon between.
func testDaemon(t *testing.T) {
	begin(t)
	n := newNetwork(t, natHelper)
	n.inner.serveTransfers(t)
	before := n.client.state(t)
	n.startPPTPD(t, pppdOptions{mppe: "128"})
	t.Cleanup(func() { killAll(t, "goppptp") })
	usualProfile.write(t, "/etc/goppptp/profiles/office.yaml")

	st := awaitStatus(t, n.client.start(t, program, "up", "office", "--json"))
	onlyRequested(t, n.client, before, st)
	n.client.mustCarry(t, tunnelAddr, innerAddr, behindAddr)
	if now := awaitStatus(t, n.client.start(t, program, "status", "office", "--json")); now.State != "up" || now.Local != st.Local {
		t.Errorf("status says %+v, up said %+v", now, st)
	}
	if status := n.client.start(t, program, "down", "office").status(t, waitForProgram); status != 0 {
		t.Errorf("down ended with status %d", status)
	}
	// Without a session the daemon has nothing to stay for.
	eventually(t, waitForProgram, "the daemon gone", func() bool { return len(running("goppptp")) == 0 })
	n.client.sameState(t, before)
	cleanEnd(t)
}
