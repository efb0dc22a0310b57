package server

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/osnet/osnettest"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
)

// packet makes an IPv4 packet with a payload.
func packet(src, dst netip.Addr, payload string) []byte {
	b := make([]byte, 20, 20+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 253
	b[2], b[3] = byte((20+len(payload))>>8), byte(20+len(payload))
	s, d := src.As4(), dst.As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	b[10], b[11] = byte(^sum>>8), byte(^sum)
	return append(b, payload...)
}

// wantPacket waits for a packet out of a TUN.
func wantPacket(t *testing.T, tun *osnettest.TUN, want []byte) {
	t.Helper()
	select {
	case got := <-tun.Received():
		if !bytes.Equal(got, want) {
			t.Errorf("packet %x, want %x", got, want)
		}
	case <-time.After(time.Minute):
		t.Error("no packet came through")
	}
}

func TestSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		d := r.dial(dialOptions{user: "sio4", pass: "p4ssw0rd"})
		d.wantUp(t)
		synctest.Wait()

		if n := d.network; n.Local != ip("192.168.13.249") || n.Peer != ip("192.168.13.254") || !slices.Equal(n.DNS, []netip.Addr{ip("192.168.13.1")}) {
			t.Errorf("the client got %+v", n)
		}
		tun := r.tun("ppp0")
		if tun == nil {
			t.Fatal("there is no ppp0")
		}
		if c := tun.Config(); c.Local != ip("192.168.13.254") || c.Peer != ip("192.168.13.249") || !c.PeerRoute || c.MTU < 1400 || c.MTU > 1500 {
			t.Errorf("ppp0 is %+v", c)
		}
		if got := tun.Routes(); !slices.Equal(got, []netip.Prefix{netip.MustParsePrefix("192.168.14.0/24")}) {
			t.Errorf("routes behind the client: %v", got)
		}
		if !r.proxied[ip("192.168.13.249")] || r.forward[""] != 1 || r.forward["ppp0"] != 1 || r.forward["eth0"] != 1 {
			t.Errorf("proxied %v, forwarding %v", r.proxied, r.forward)
		}

		there := packet(d.network.Local, ip("172.16.0.10"), "to the network")
		d.tun.Inject(there)
		wantPacket(t, tun.TUN, there)
		back := packet(ip("172.16.0.10"), d.network.Local, "and back again")
		tun.Inject(back)
		wantPacket(t, d.tun, back)

		list := r.srv.Sessions()
		if len(list) != 1 {
			t.Fatalf("%d sessions", len(list))
		}
		i := list[0]
		if i.User != "sio4" || i.Client != netip.MustParseAddrPort("198.51.100.1:40000") || i.Interface != "ppp0" || i.Peer != ip("192.168.13.249") ||
			i.Auth != "mschapv2" || i.Bits != 128 || i.Stateful || !i.Up || i.Stats.RxPackets != 1 || i.Stats.TxPackets != 1 {
			t.Errorf("session %+v", i)
		}
		up := r.log.line("session up")
		for _, want := range []string{"client=198.51.100.1", "user=sio4", "interface=ppp0", "address=192.168.13.249", `mppe="128-bit stateless"`} {
			if !strings.Contains(up, want) {
				t.Errorf("%q is not in the line %q", want, up)
			}
		}

		d.hangUp()
		synctest.Wait()
		end := r.log.line("session ended")
		for _, want := range []string{"client=198.51.100.1", "user=sio4", "interface=ppp0", "address=192.168.13.249", "reason=", `mppe="128-bit stateless"`,
			"rx_bytes=34", "tx_bytes=34"} {
			if !strings.Contains(end, want) {
				t.Errorf("%q is not in the line %q", want, end)
			}
		}
		if r.tun("ppp0") != nil || len(r.proxied) != 0 || len(r.srv.Sessions()) != 0 {
			t.Error("something of the session is left")
		}
		if used, _ := r.srv.pool.Used(); used != 0 || r.srv.active != 0 || len(r.srv.perUser) != 0 {
			t.Errorf("%d addresses used, %d active, per user %v", used, r.srv.active, r.srv.perUser)
		}
		if n := len(r.srv.demux.keys()); n != 0 {
			t.Errorf("%d calls are still known", n)
		}
		// The address is free again: sessions: 1 lets the user in once more.
		again := r.dial(dialOptions{user: "sio4", pass: "p4ssw0rd"})
		again.wantUp(t)
		again.hangUp()
	})
}

func TestThreeClientsAtOneAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		var all []*dialed
		for _, user := range []string{"ann", "bob", "bob"} {
			d := r.dial(dialOptions{user: user, pass: "secret"})
			d.wantUp(t)
			all = append(all, d)
		}
		synctest.Wait()
		seen := map[string]bool{}
		for i, d := range all {
			name := r.srv.Sessions()[i].Interface
			if seen[name] || seen[d.network.Local.String()] {
				t.Errorf("%s or %v twice", name, d.network.Local)
			}
			seen[name], seen[d.network.Local.String()] = true, true
			p := packet(ip("172.16.0.10"), d.network.Local, "for client "+name)
			r.tun(name).Inject(p)
			wantPacket(t, d.tun, p)
			p = packet(d.network.Local, ip("172.16.0.10"), "from client "+name)
			d.tun.Inject(p)
			wantPacket(t, r.tun(name).TUN, p)
		}
		if n := len(r.srv.demux.keys()); n != 3 {
			t.Errorf("%d calls known, want 3", n)
		}
		for _, d := range all {
			d.hangUp()
		}
	})
}

// TestRepliesLeaveFromWhereTheClientCalled: a client hears no packet of another
// address, so that both of these come up only if each is answered from its own.
func TestRepliesLeaveFromWhereTheClientCalled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		for _, to := range []netip.Addr{serverAddr, secondAddr} {
			d := r.dial(dialOptions{user: "ann", pass: "secret", to: to})
			d.wantUp(t)
			d.hangUp()
		}
	})
}

// TestRefusals: who is not let in is told why, and one line of the log says it.
func TestRefusals(t *testing.T) {
	authRefused := func(err error) bool {
		e, ok := errors.AsType[*auth.Error](err)
		return ok && e.Code == auth.CodeAuthentication
	}
	for _, tt := range []struct {
		name    string
		config  string
		options dialOptions
		err     func(error) bool // of the client
		line    []string         // in the log, exactly once
	}{
		{"wrong password", testConfig, dialOptions{user: "sio4", pass: "wrong"}, authRefused,
			[]string{"level=WARN", "authentication refused", "client=198.51.100.1", "user=sio4", "wrong"}},
		{"unknown user", testConfig, dialOptions{user: "mallory", pass: "p4ssw0rd"}, authRefused,
			[]string{"level=WARN", "authentication refused", "user=mallory", "no user"}},
		{"the name of everybody", testConfig, dialOptions{user: "*", pass: ""}, authRefused, []string{"authentication refused"}},
		{"no MPPE", testConfig, dialOptions{user: "ann", pass: "secret", mppe: ppp.MPPE{Refuse: true, Bits: []int{}}},
			func(err error) bool { return err != nil }, []string{"session ended", "user=ann", "MPPE not agreed"}},
		{"no common strength", testConfig, dialOptions{user: "ann", pass: "secret", mppe: ppp.MPPE{Require: true, Bits: []int{40}}},
			func(err error) bool { _, ok := errors.AsType[*ppp.MPPEError](err); return ok }, []string{"session ended", "user=ann", "MPPE not agreed"}},
		{"no common method", testConfig, dialOptions{user: "ann", pass: "secret", auth: []auth.Method{auth.MSCHAP}},
			func(err error) bool { return err != nil }, []string{"call ended before authentication"}},
		{"PAP with an NT hash is no matter of the password", `
local: 10.0.0.1
remote: 10.0.0.2
users: [{name: ann, nt_hash: 8846f7eaee8fb117ad06bdd830b7586c}]
mppe: {require: false, bits: []}
auth: [chap]
`, dialOptions{user: "ann", pass: "password", auth: []auth.Method{auth.CHAP}, mppe: ppp.MPPE{Refuse: true, Bits: []int{}}},
			func(err error) bool { _, ok := errors.AsType[*auth.Error](err); return ok }, []string{"authentication refused", "NT hash"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := run(t, tt.config, Limits{})
				defer r.stop()
				d := r.dial(tt.options)
				d.wantRefused(t)
				synctest.Wait()
				if !tt.err(d.err) {
					t.Errorf("the client's error is %T %v", d.err, d.err)
				}
				n := 0
				for line := range strings.Lines(r.log.String()) {
					has := func(w string) bool { return strings.Contains(line, w) }
					if !slices.ContainsFunc(tt.line, func(w string) bool { return !has(w) }) {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%d lines with %q in the log", n, tt.line)
				}
				if used, _ := r.srv.pool.Used(); used != 0 || r.srv.active != 0 || r.tun("ppp0") != nil {
					t.Error("something is left of a session that was refused")
				}
			})
		})
	}
}

const oneAddress = `
local: 192.168.13.254
remote: 192.168.13.240
users: [{name: ann, password: secret}, {name: bob, password: secret}]
`

func TestPoolUsedUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, oneAddress, Limits{})
		defer r.stop()
		first := r.dial(dialOptions{user: "ann", pass: "secret"})
		first.wantUp(t)
		second := r.dial(dialOptions{user: "bob", pass: "secret", from: "198.51.100.2"})
		second.wantRefused(t)
		if !strings.Contains(second.told(), "no address") {
			t.Errorf("the client is told %s", second.told())
		}
		if r.log.line("session refused", "user=bob", "no free address") == "" {
			t.Error("the log does not say why")
		}
		first.hangUp()
		synctest.Wait()
		third := r.dial(dialOptions{user: "bob", pass: "secret", from: "198.51.100.2"})
		third.wantUp(t)
		third.hangUp()
	})
}

func TestSessionLimitOfAUser(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		a, b := r.dial(dialOptions{user: "bob", pass: "secret"}), r.dial(dialOptions{user: "bob", pass: "secret"})
		a.wantUp(t)
		b.wantUp(t)
		over := r.dial(dialOptions{user: "bob", pass: "secret"})
		over.wantRefused(t)
		if !strings.Contains(over.told(), "no address") {
			t.Errorf("the client is told %s", over.told())
		}
		if r.log.line("session refused", "user=bob", "has its 2 sessions") == "" {
			t.Error("the log does not say why")
		}
		other := r.dial(dialOptions{user: "ann", pass: "secret"})
		other.wantUp(t)
		a.hangUp()
		synctest.Wait()
		again := r.dial(dialOptions{user: "bob", pass: "secret"})
		again.wantUp(t)
		for _, d := range []*dialed{b, other, again} {
			d.hangUp()
		}
	})
}

func TestMaxSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig+"max_sessions: 1\n", Limits{})
		defer r.stop()
		a := r.dial(dialOptions{user: "ann", pass: "secret"})
		a.wantUp(t)
		b := r.dial(dialOptions{user: "bob", pass: "secret"})
		b.wantRefused(t)
		ce, ok := errors.AsType[*pptp.CallError](b.err)
		if !ok || ce.Result != pptp.CallGeneralError || ce.General != pptp.ErrorNoResource {
			t.Errorf("the client's error is %T %v", b.err, b.err)
		}
		if r.log.line("call refused", "max_sessions") == "" {
			t.Error("the log does not say why")
		}
		a.hangUp()
	})
}

func TestStrangersDoNotCountForMaxSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig+"max_sessions: 1\n", Limits{})
		defer r.stop()
		// A call that never gets anywhere: its client sends no GRE.
		stranger := r.dial(dialOptions{user: "x", pass: "y", from: "198.51.100.66"})
		stranger.gre.FailWrites(errors.New("nothing"))
		synctest.Wait()
		a := r.dial(dialOptions{user: "ann", pass: "secret"})
		a.wantUp(t)
		a.hangUp()
		stranger.vanish()
	})
}

func TestTwoCallsOnOneConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		connected := make(chan pptp.CallConnected, 2)
		ended := make(chan pptp.CallEnded, 2)
		var c *tunnel.Control
		c = tunnel.NewControl(r.connect(ip("198.51.100.1")), tunnel.ControlConfig{PPTP: pptp.Config{Role: pptp.Client}, OnEvent: func(ev pptp.Event) {
			switch ev := ev.(type) {
			case pptp.Established:
				c.PlaceCall(1)
				c.PlaceCall(2)
			case pptp.CallConnected:
				connected <- ev
			case pptp.CallEnded:
				ended <- ev
			}
		}})
		done := make(chan error, 1)
		go func() { done <- c.Run(t.Context()) }()
		a, b := <-connected, <-connected
		if a.PeerCallID == b.PeerCallID || a.PeerCallID == 0 || b.PeerCallID == 0 {
			t.Errorf("call IDs %d and %d", a.PeerCallID, b.PeerCallID)
		}
		c.Clear(1)
		if e := <-ended; e.CallID != 1 || e.Err != nil {
			t.Errorf("call %d ended: %v", e.CallID, e.Err)
		}
		synctest.Wait()
		if n := len(r.srv.demux.keys()); n != 1 {
			t.Errorf("%d calls known after one was cleared, want 1", n)
		}
		c.Stop(pptp.StopNone)
		<-done
		synctest.Wait()
		if n := len(r.srv.demux.keys()); n != 0 {
			t.Errorf("%d calls known after the connection ended", n)
		}
	})
}

func TestClientVanishes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		d.vanish()
		synctest.Wait()
		if len(r.srv.Sessions()) != 0 || r.tun("ppp0") != nil {
			t.Error("the session stays without its control connection")
		}
		if r.log.line("session ended", "the peer closed the control connection") == "" {
			t.Error("the log does not say why")
		}
	})
}

func TestClientFallsSilent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig+"keepalive: {interval: 10s, failures: 3}\n", Limits{})
		defer r.stop()
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		begin := time.Now()
		d.gre.FailWrites(errors.New("unplugged"))
		<-d.ended // the server clears the call
		if took := time.Since(begin); took < 20*time.Second || took > time.Minute {
			t.Errorf("found out after %v", took)
		}
		if r.log.line("session ended", "silent") == "" {
			t.Error("the log does not say why")
		}
	})
}

func TestKick(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		a, b := r.dial(dialOptions{user: "ann", pass: "secret"}), r.dial(dialOptions{user: "bob", pass: "secret"})
		a.wantUp(t)
		b.wantUp(t)
		synctest.Wait()
		list := r.srv.Sessions()
		if err := r.srv.Kick(list[0].ID); err != nil {
			t.Error(err)
		}
		if err := r.srv.Kick(list[1].Interface); err != nil {
			t.Error(err)
		}
		for _, d := range []*dialed{a, b} {
			<-d.ended
			if d.err == nil || !strings.Contains(d.told(), "kicked") {
				t.Errorf("the client is told %s", d.told())
			}
		}
		for _, id := range []string{"", "17", "ppp7"} {
			if err := r.srv.Kick(id); !errors.Is(err, ErrNoSession) {
				t.Errorf("Kick(%q) = %v", id, err)
			}
		}
	})
}

func TestStopIsOrderly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		idle := r.connect(ip("198.51.100.9")) // says nothing
		defer idle.Close()
		synctest.Wait()
		begin := time.Now()
		r.stop() // it looks for what is left behind
		<-d.ended
		if d.err == nil || !strings.Contains(d.told(), "shutting down") {
			t.Errorf("the client is told %s", d.told())
		}
		if took := time.Since(begin); took > 7*time.Second {
			t.Errorf("it took %v", took)
		}
		if r.log.line("session ended", "shutting down") == "" || r.log.line("server stopped") == "" {
			t.Errorf("log: %s", r.log)
		}
		if err := r.srv.Run(t.Context()); err == nil {
			t.Error("it runs a second time")
		}
	})
}

func TestStopDoesNotWaitForTheDeaf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{Stop: 2 * time.Second})
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		d.gre.FailWrites(errors.New("unplugged")) // and so it never agrees to end
		raw := r.connect(ip("198.51.100.9"))      // never reads
		defer raw.Close()
		synctest.Wait()
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
		<-d.ended
	})
}

func TestReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		ann := r.dial(dialOptions{user: "ann", pass: "secret"})
		ann.wantUp(t)
		cfg := parseTestConfig(t, `
listen: ":1724"
local: 10.0.0.1
remote: 10.0.0.2
users: [{name: eve, password: new}]
dns: []
`)
		if err := r.srv.Reload(cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if list := r.srv.Sessions(); len(list) != 1 || !list[0].Up || list[0].User != "ann" {
			t.Errorf("ann's session after the reload: %+v", list)
		}
		p := packet(ip("172.16.0.10"), ann.network.Local, "still there")
		r.tun("ppp0").Inject(p)
		wantPacket(t, ann.tun, p)
		if r.log.line("listen has changed") == "" {
			t.Error("a change of listen goes unnoticed")
		}
		bob := r.dial(dialOptions{user: "bob", pass: "secret"})
		bob.wantRefused(t)
		eve := r.dial(dialOptions{user: "eve", pass: "new"})
		eve.wantUp(t)
		if eve.network.Local != ip("10.0.0.2") || eve.network.Peer != ip("10.0.0.1") || len(eve.network.DNS) != 0 {
			t.Errorf("eve got %+v", eve.network)
		}
		if err := r.srv.Reload(&Config{}); err == nil {
			t.Error("an empty configuration was taken")
		}
		eve.hangUp()
		ann.hangUp()
	})
}

func TestOneLocalAddressForEachClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, `
local: [10.0.0.1-2]
remote: [10.0.1.1-9]
users: [{name: ann, password: secret}]
`, Limits{})
		defer r.stop()
		a, b := r.dial(dialOptions{user: "ann", pass: "secret"}), r.dial(dialOptions{user: "ann", pass: "secret"})
		a.wantUp(t)
		b.wantUp(t)
		if a.network.Peer == b.network.Peer {
			t.Errorf("both have %v at the other end", a.network.Peer)
		}
		c := r.dial(dialOptions{user: "ann", pass: "secret"})
		c.wantRefused(t)
		if !strings.Contains(c.told(), "no address") {
			t.Errorf("the client is told %s", c.told())
		}
		a.hangUp()
		synctest.Wait()
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		d.hangUp()
		b.hangUp()
	})
}

func TestNoInterface(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		r.tunErr = errors.New("no TUN today")
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		<-d.ended
		synctest.Wait()
		if r.log.line("session ended", "user=ann", "no TUN today") == "" {
			t.Error("the log does not say why")
		}
		if used, _ := r.srv.pool.Used(); used != 0 {
			t.Errorf("%d addresses are still used", used)
		}
	})
}

func TestProxyARPAndForwardingByPolicy(t *testing.T) {
	for _, tt := range []struct {
		config  string
		on      string // where a subnet holds the address
		proxied int
		forward map[string]int
		warn    bool
	}{
		{"", "eth0", 1, map[string]int{"": 1, "eth0": 1, "ppp0": 1}, false},
		{"", "", 0, map[string]int{"": 1, "ppp0": 1}, false},
		{"proxy_arp: true\n", "", 0, map[string]int{"": 1, "ppp0": 1}, true},
		{"proxy_arp: false\n", "eth0", 0, map[string]int{"": 1, "ppp0": 1}, false},
		{"forward: false\n", "eth0", 1, map[string]int{}, false},
	} {
		bubble(t, func(t *testing.T) {
			r := run(t, testConfig+tt.config, Limits{})
			defer r.stop()
			r.proxyOn = tt.on
			d := r.dial(dialOptions{user: "ann", pass: "secret"})
			d.wantUp(t)
			synctest.Wait()
			if len(r.proxied) != tt.proxied {
				t.Errorf("%q on %q: proxied %v", tt.config, tt.on, r.proxied)
			}
			for _, name := range []string{"", "eth0", "ppp0"} {
				if r.forward[name] != tt.forward[name] {
					t.Errorf("%q on %q: forwarding %v, want %v", tt.config, tt.on, r.forward, tt.forward)
				}
			}
			if warned := r.log.line("no proxy ARP", "no local subnet") != ""; warned != tt.warn {
				t.Errorf("%q on %q: warned %v", tt.config, tt.on, warned)
			}
			d.hangUp()
		})
	}
}

func TestOtherMethods(t *testing.T) {
	for _, tt := range []struct {
		config string
		method auth.Method
		mppe   ppp.MPPE
		want   string
		bits   int
	}{
		{"auth: [pap]\nmppe: {require: false, bits: []}\n", auth.PAP, ppp.MPPE{Refuse: true, Bits: []int{}}, "pap", 0},
		{"auth: [chap]\nmppe: {require: false, bits: []}\n", auth.CHAP, ppp.MPPE{Refuse: true, Bits: []int{}}, "chap", 0},
		{"auth: [mschap]\nmppe: {require: true, bits: [40]}\n", auth.MSCHAP, ppp.MPPE{Require: true, Bits: []int{40}}, "mschap", 40},
		{"auth: [eap]\n", auth.EAP, ppp.MPPE{Require: true, Bits: []int{128}}, "eap-mschapv2", 128},
		{"mppe: {require: true, bits: [56, 128], stateful: true}\n", auth.MSCHAPv2, ppp.MPPE{Require: true, Bits: []int{56}, Stateful: true}, "mschapv2", 56},
	} {
		bubble(t, func(t *testing.T) {
			r := run(t, testConfig+tt.config, Limits{})
			defer r.stop()
			d := r.dial(dialOptions{user: "ann", pass: "secret", auth: []auth.Method{tt.method}, mppe: tt.mppe})
			d.wantUp(t)
			synctest.Wait()
			if list := r.srv.Sessions(); len(list) != 1 || list[0].Auth != tt.want || list[0].Bits != tt.bits || list[0].Stateful != tt.mppe.Stateful {
				t.Errorf("%q: %+v", tt.config, list)
			}
			p := packet(d.network.Local, ip("172.16.0.10"), "hello")
			d.tun.Inject(p)
			wantPacket(t, r.tun("ppp0").TUN, p)
			d.hangUp()
		})
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := parseTestConfig(t, testConfig)
	for what, spoil := range map[string]func(*Config){
		"local":  func(c *Config) { c.Local = nil },
		"remote": func(c *Config) { c.Remote, c.Users = nil, nil },
		"auth":   func(c *Config) { c.Auth = nil },
	} {
		c := *good
		spoil(&c)
		if _, err := New(&c, Options{Platform: newMemory()}); err == nil {
			t.Errorf("New without %s works", what)
		}
	}
	m := newMemory()
	m.checkErr = errors.New("not root")
	srv, err := New(good, Options{Platform: m})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Run(t.Context()); !errors.Is(err, m.checkErr) {
		t.Errorf("Run without privileges: %v", err)
	}
}
