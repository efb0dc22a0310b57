package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/osnet/osnettest"
	"goppptp/internal/pptp"
	"goppptp/routing"
)

// packet makes an IPv4 packet with a payload.
func packet(src, dst netip.Addr, payload string) []byte {
	b := make([]byte, 20, 20+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 253
	b[2], b[3] = byte((20+len(payload))>>8), byte(20+len(payload))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	return append(b, payload...)
}

func TestUpAndDown(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		defer w.serve(serverText)()
		began := time.Now()
		r := w.dial(profileText)
		r.waitUp(t)
		// Round trips, of 40 ms each, and the steps of the platform; no stage
		// waits for a timer.
		if took := time.Since(began); took > 14*40*time.Millisecond {
			t.Errorf("up after %v", took)
		}
		st := r.Status()
		if st.State != control.StateUp || st.Interface != "ppp0" || st.Local != netip.MustParseAddr("192.168.13.240") ||
			st.Peer != netip.MustParseAddr("192.168.13.254") || st.GatewayAddress != gateway || st.Auth != "mschapv2" ||
			st.MPPE == nil || *st.MPPE != (control.MPPE{Bits: 128}) || st.MTU < 1400 || st.MTU > 1460 ||
			!slices.Equal(st.DNS, []netip.Addr{netip.MustParseAddr("192.168.13.1")}) || st.Since.IsZero() || st.Error != nil {
			t.Errorf("status %+v", st)
		}
		if len(st.Routes) != 2 || st.Routes[0].To.String() != "172.16.0.0/16" || st.Routes[0].Metric != 1 || st.Routes[1].Metric != 5 ||
			st.Routes[1].Via != st.Peer || st.Routes[1].Dev != "ppp0" {
			t.Errorf("routes %+v", st.Routes)
		}
		want := []control.Stage{control.StageResolve, control.StageTCP, control.StageControl, control.StageCall, control.StageLCP,
			control.StageAuth, control.StageMPPE, control.StageAddress, control.StageRoutes}
		if got := r.stages(); !slices.Equal(got, want) {
			t.Errorf("stages %v, want %v", got, want)
		}
		// The gateway was pinned before the first packet, and without a tunnel.
		if first := r.table.sets[0]; first.Gateway != gateway || first.Link != "" {
			t.Errorf("the first routes are %+v", first)
		}
		if last := r.table.last(); last.Link != "ppp0" || last.Peer != st.Peer || last.Gateway != gateway || len(last.Routes) != 2 {
			t.Errorf("the routes are %+v", last)
		}

		w.tun().Inject(packet(st.Local, netip.MustParseAddr("172.16.0.10"), "there"))
		synctest.Wait()
		if c := r.Status().Counters; c.TxPackets != 1 || c.TxBytes != 25 {
			t.Errorf("counters %+v", c)
		}
		r.end(t, w)
		if got := r.states(); !slices.Equal(got, []control.State{control.StateUp, control.StateDisconnecting, control.StateDown}) {
			t.Errorf("states %v", got)
		}
	})
}

// TestRefused has each way in which a first attempt can fail: its reason, its
// words, in time, and with nothing left.
func TestRefused(t *testing.T) {
	serverWith := func(extra string) string { return serverText + extra }
	for name, c := range map[string]struct {
		profile string // besides gateway, user, password
		server  string // "": none
		world   func(w *lab)
		refuse  func(*routing.Config) error
		reason  control.Reason
		text    []string
	}{
		"no such name": {profile: "gateway: nowhere\nuser: sio4\npassword: x\n",
			reason: control.ReasonUnreachable, text: []string{`the gateway's name "nowhere" does not resolve: no such host`}},
		"no name server": {world: func(w *lab) {
			w.setFailure("Resolve", &net.DNSError{Err: "i/o timeout", Name: "station", IsTimeout: true})
		}, reason: control.ReasonUnreachable, text: []string{"no name server answered"}},
		"no address": {world: func(w *lab) { w.names["station"] = nil },
			reason: control.ReasonUnreachable, text: []string{"no IPv4 address"}},
		"refused": {reason: control.ReasonUnreachable, text: []string{"cannot connect to 203.0.113.1:1723: connection refused"}},
		"no answer": {world: func(w *lab) { w.dialErrs[gateway] = timeoutError{} },
			reason: control.ReasonUnreachable, text: []string{"cannot connect to 203.0.113.1:1723: no answer"}},
		"no path": {world: func(w *lab) { w.setFailure("PathMTU", errors.New("netlink: network is unreachable")) },
			reason: control.ReasonUnreachable, text: []string{"no way to 203.0.113.1"}},
		"route conflict": {server: serverText, refuse: func(*routing.Config) error { return &routing.ConflictError{} }, reason: control.ReasonConflict},
		"conflict with the tunnel's routes": {server: serverText, refuse: func(c *routing.Config) error {
			if c.Link != "" {
				return &routing.ConflictError{}
			}
			return nil
		}, reason: control.ReasonConflict},
		"no GRE socket": {server: serverText, world: func(w *lab) { w.setFailure("OpenGRE", &osnet.PrivilegeError{Missing: []string{"CAP_NET_RAW"}}) }, reason: control.ReasonPermission, text: []string{"no permission: CAP_NET_RAW missing"}},
		"no TUN":        {server: serverText, world: func(w *lab) { w.setFailure("OpenTUN", &osnet.PrivilegeError{}) }, reason: control.ReasonPermission},
		"not PPTP": {world: func(w *lab) {
			w.answers[gateway] = func(c net.Conn) {
				go swallow(c)
				c.Write([]byte("220 mail.example ESMTP and some more to fill it up\r\n"))
			}
		}, reason: control.ReasonFailed, text: []string{"203.0.113.1:1723: wrong magic cookie"}},
		"says nothing": {world: func(w *lab) { w.answers[gateway] = swallow }, reason: control.ReasonFailed, text: []string{"203.0.113.1:1723"}},
		"hangs up":     {world: func(w *lab) { w.answers[gateway] = func(c net.Conn) { c.Close() } }, reason: control.ReasonFailed, text: []string{"203.0.113.1:1723"}},
		"call refused": {world: func(w *lab) { w.answers[gateway] = busy }, reason: control.ReasonFailed, text: []string{"busy"}},
		"wrong password": {profile: "gateway: station\nuser: sio4\npassword: wrong\n", server: serverText,
			reason: control.ReasonAuth, text: []string{`authentication refused: wrong user name or password (E=691): the server says "Access denied"`}},
		"unknown user": {profile: "gateway: station\nuser: nobody\npassword: wrong\n", server: serverText,
			reason: control.ReasonAuth, text: []string{"authentication refused"}},
		"no method in common": {profile: "gateway: station\nuser: sio4\npassword: p4ssw0rd\nauth: [chap]\nmppe: {require: false}\n", server: serverText,
			reason: control.ReasonAuth},
		"strengths differ": {profile: "gateway: station\nuser: sio4\npassword: p4ssw0rd\nmppe: {bits: [128]}\n", server: serverWith("mppe: {bits: [40]}\n"),
			reason: control.ReasonMPPE, text: []string{"128-bit", "40-bit"}},
		"no MPPE": {server: serverWith("mppe: {require: false, bits: []}\n"), reason: control.ReasonMPPE, text: []string{"128-bit"}},
		"no GRE there": {server: serverText, world: func(w *lab) { w.filter = osnettest.Blackhole() },
			reason: control.ReasonGRE, text: []string{"GRE"}},
		"no GRE back": {server: serverText, world: func(w *lab) { w.serving.Filter(osnettest.Blackhole()) },
			reason: control.ReasonGRE, text: []string{"the control connection works and the call is connected, but no GRE packet came back"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *lab) {
				if c.server != "" {
					defer w.serve(c.server)()
				}
				if c.world != nil {
					c.world(w)
				}
				if c.profile == "" {
					c.profile = profileText
				}
				began := time.Now()
				r := w.dialWith(c.profile, nil, c.refuse)
				err := <-r.done
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("it took %v", took)
				}
				e := Explain(err)
				if e == nil || e.Reason != c.reason {
					t.Fatalf("Run returned %v (%+v), want the reason %s", err, e, c.reason)
				}
				for _, text := range append(c.text, e.Text) {
					if !strings.Contains(e.Text, text) || strings.Contains(e.Text, "\n") || text == "" {
						t.Errorf("the text is %q, want one line with %q", e.Text, text)
					}
				}
				if e.Hint != "" && strings.Contains(e.Text, e.Hint) {
					t.Errorf("the hint is in the text: %q", e.Text)
				}
				r.wantNothing(t, w, control.StateFailed)
				if st := r.Status(); st.Error == nil || st.Error.Reason != c.reason {
					t.Errorf("the status tells %+v", st.Error)
				}
			})
		})
	}
}

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// swallow is a server that reads and says nothing.
func swallow(c net.Conn) {
	b := make([]byte, 512)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// busy is a server that refuses every call.
func busy(c net.Conn) {
	b := make([]byte, 512)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		m, _, err := pptp.Parse(b[:n])
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pptp.StartControlConnectionRequest:
			c.Write(pptp.Append(nil, &pptp.StartControlConnectionReply{Version: m.Version, Result: 1, HostName: "busy"}))
		case *pptp.OutgoingCallRequest:
			c.Write(pptp.Append(nil, &pptp.OutgoingCallReply{PeerCallID: m.CallID, Result: pptp.CallBusy}))
		}
	}
}

// TestAddressesInTurn: of a name with several addresses each is tried until
// one takes the connection; what is wrong beyond that ends it.
func TestAddressesInTurn(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		defer w.serve(serverText)()
		third := netip.MustParseAddr("203.0.113.3")
		w.names["station"] = []netip.Addr{third, second, gateway}
		w.dialErrs[third] = timeoutError{}
		r := w.dial(profileText)
		r.waitUp(t)
		if st := r.Status(); st.GatewayAddress != second {
			t.Errorf("the gateway is %v", st.GatewayAddress)
		}
		if last := r.table.last(); last.Gateway != second {
			t.Errorf("pinned is %v", last.Gateway)
		}
		r.end(t, w)

		w.takeDialled()
		w.names["station"] = []netip.Addr{second, gateway}
		r = w.dial("gateway: station\nuser: sio4\npassword: wrong\n")
		e := Explain(<-r.done)
		if got := w.takeDialled(); e.Reason != control.ReasonAuth || !slices.Equal(got, []netip.Addr{second}) {
			t.Errorf("%v after dialling %v", e, got)
		}
	})
}

// TestReconnect: a server that vanishes and comes back is dialled again, with
// waits that grow, and the routes are there again.
func TestReconnect(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		stop := w.serve(serverText)
		r := w.dial(profileText)
		r.waitUp(t)
		pass(time.Minute)
		w.vanish()
		synctest.Wait()
		pass(10 * time.Millisecond)
		st := r.Status()
		if st.State != control.StateReconnecting || st.Interface != "" || len(st.Routes) != 0 || st.Error == nil || st.NextAttempt.Before(time.Now()) {
			t.Errorf("a moment after the loss: %+v", st)
		}
		w.takeDialled()
		pass(5 * time.Minute)
		if n := len(w.takeDialled()); n < 8 || n > 30 {
			t.Errorf("dialled %d times in five minutes", n)
		}
		if st := r.Status(); st.Attempt < 8 || st.Error == nil || st.Error.Reason != control.ReasonUnreachable {
			t.Errorf("after five minutes: %+v", st)
		}
		stop()
		stop = w.serve(serverText)
		r.waitUp(t)
		if st := r.Status(); st.State != control.StateUp || st.Attempt != 0 || st.Error != nil || len(st.Routes) != 2 {
			t.Errorf("back: %+v", st)
		}
		w.mu.Lock()
		n := len(w.tuns)
		w.mu.Unlock()
		if n != 2 {
			t.Errorf("%d interfaces were made", n)
		}
		r.end(t, w)
		stop()
	})
}

// TestKeepalive: a server that falls silent is noticed by LCP echo.
func TestKeepalive(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		defer w.serve(serverText)()
		r := w.dial(profileText + "keepalive: {interval: 10s, failures: 3}\n")
		r.waitUp(t)
		pass(10 * time.Minute)
		if st := r.Status(); st.State != control.StateUp {
			t.Fatalf("ten quiet minutes later: %+v", st)
		}
		w.serving.Filter(osnettest.Blackhole())
		pass(25 * time.Second)
		if st := r.Status(); st.State != control.StateUp {
			t.Errorf("given up after 25 s: %+v", st)
		}
		pass(30 * time.Second)
		if !slices.Contains(r.states(), control.StateReconnecting) {
			t.Errorf("not noticed after 55 s: %+v", r.Status())
		}
		w.serving.Filter(osnettest.Pass())
		pass(2 * time.Minute)
		if st := r.Status(); st.State != control.StateUp {
			t.Errorf("not up again: %+v", st)
		}
		r.end(t, w)
	})
}

// TestNoReconnect: what dialling again cannot mend ends the session, and so
// does everything where the profile says reconnect: false.
func TestNoReconnect(t *testing.T) {
	t.Run("auth", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *lab) {
			stop := w.serve(serverText)
			r := w.dial(profileText)
			r.waitUp(t)
			w.vanish()
			stop()
			stop = w.serve(strings.Replace(serverText, "p4ssw0rd", "changed", 1))
			defer stop()
			select {
			case err := <-r.done:
				if e := Explain(err); e.Reason != control.ReasonAuth {
					t.Errorf("Run returned %v", err)
				}
			case <-time.After(5 * time.Minute):
				t.Fatal("it is still dialling")
			}
			r.wantNothing(t, w, control.StateFailed)
		})
	})
	t.Run("reconnect false", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *lab) {
			stop := w.serve(serverText)
			r := w.dial(profileText + "reconnect: false\n")
			r.waitUp(t)
			w.vanish()
			if err := <-r.done; err == nil {
				t.Error("Run returned nil")
			}
			r.wantNothing(t, w, control.StateFailed)
			stop()
		})
	})
}

// TestServerEnds: an orderly end on the server's side is told as such.
func TestServerEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		stop := w.serve(serverText)
		r := w.dial(profileText + "reconnect: false\n")
		r.waitUp(t)
		go stop()
		e := Explain(<-r.done)
		if e.Reason != control.ReasonFailed || !strings.Contains(e.Text, "shutting down") {
			t.Errorf("Run returned %+v", e)
		}
		stop()
		r.wantNothing(t, w, control.StateFailed)
	})
}

// TestCancel cancels a session at all times while it connects, and while it is
// up: it ends without an error and leaves nothing open. The bubble looks for
// goroutines.
func TestCancel(t *testing.T) {
	for after := time.Duration(0); after < time.Second; after += 7 * time.Millisecond {
		bubble(t, func(t *testing.T, w *lab) {
			defer w.serve(serverText)()
			r := w.dial(profileText)
			pass(after)
			r.cancel()
			began := time.Now()
			if err := <-r.done; err != nil {
				t.Errorf("cancelled after %v: %v", after, err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("cancelled after %v: it took %v", after, took)
			}
			r.wantNothing(t, w, control.StateDown)
		})
	}
}

// TestCancelAlone is TestCancel with a server that says nothing any more.
func TestCancelAlone(t *testing.T) {
	for after := 10 * time.Millisecond; after < time.Second; after += 30 * time.Millisecond {
		bubble(t, func(t *testing.T, w *lab) {
			stop := w.serve(serverText)
			r := w.dial(profileText)
			pass(after)
			w.serving.Filter(osnettest.Blackhole())
			w.mu.Lock()
			conns := w.conns
			w.mu.Unlock()
			for _, c := range conns { // nobody reads: TCP into the void
				c.(*pipe).Conn.SetDeadline(time.Unix(1, 0))
			}
			r.cancel()
			began := time.Now()
			if err := <-r.done; err != nil {
				t.Errorf("cancelled after %v: %v", after, err)
			}
			if took := time.Since(began); took > 12*time.Second {
				t.Errorf("cancelled after %v: it took %v", after, took)
			}
			r.wantNothing(t, w, control.StateDown)
			stop()
		})
	}
}

// TestCancelReconnecting: a session that waits for the next attempt ends at
// once.
func TestCancelReconnecting(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		stop := w.serve(serverText)
		r := w.dial(profileText)
		r.waitUp(t)
		w.vanish()
		pass(time.Minute)
		r.cancel()
		began := time.Now()
		if err := <-r.done; err != nil || time.Since(began) > time.Second {
			t.Errorf("Run returned %v after %v", err, time.Since(began))
		}
		r.wantNothing(t, w, control.StateDown)
		stop()
	})
}

func TestRoutesOfALiveTunnel(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		stop := w.serve(serverText)
		r := w.dial(profileText)
		r.waitUp(t)
		ctx := context.Background()
		to := netip.MustParsePrefix("172.20.0.0/16")
		if err := r.AddRoute(ctx, routing.Route{To: to, Metric: 7}); err != nil {
			t.Fatal(err)
		}
		has := func(cfg routing.Config) bool {
			return slices.ContainsFunc(cfg.Routes, func(r routing.Route) bool { return r.To == to && r.Metric == 7 })
		}
		if !has(r.table.last()) || len(r.Status().Routes) != 3 {
			t.Errorf("after adding: %+v", r.Status().Routes)
		}
		// One that cannot be made changes nothing.
		r.table.refuse = func(*routing.Config) error { return &routing.ConflictError{} }
		if err := r.AddRoute(ctx, routing.Route{To: netip.MustParsePrefix("172.21.0.0/16")}); err == nil || len(r.Status().Routes) != 3 {
			t.Errorf("a conflict gave %v; %+v", err, r.Status().Routes)
		}
		r.table.refuse = nil
		// It is there after dialling again.
		w.vanish()
		stop()
		stop = w.serve(serverText)
		pass(time.Second)
		r.waitUp(t)
		if !has(r.table.last()) {
			t.Errorf("after dialling again: %+v", r.table.last())
		}
		if err := r.DelRoute(ctx, to); err != nil || has(r.table.last()) {
			t.Errorf("after deleting: %v, %+v", err, r.table.last())
		}
		if e := Explain(r.DelRoute(ctx, to)); e == nil || e.Reason != control.ReasonUsage {
			t.Errorf("deleting it again gave %+v", e)
		}
		r.end(t, w)
		stop()
	})
}

// TestRouteAtTheEnd: a route added while the session ends, or afterwards, does
// not outlive it.
func TestRouteAtTheEnd(t *testing.T) {
	to := routing.Route{To: netip.MustParsePrefix("172.20.0.0/16")}
	for after := time.Duration(0); after < 300*time.Millisecond; after += 5 * time.Millisecond {
		bubble(t, func(t *testing.T, w *lab) {
			defer w.serve(serverText)()
			r := w.dial(profileText + "leak: block\n")
			r.waitUp(t)
			r.cancel()
			pass(after)
			r.AddRoute(context.Background(), to)
			<-r.done
			r.wantNothing(t, w, control.StateDown)
			to := to
			to.Metric = 7
			if e := Explain(r.AddRoute(context.Background(), to)); e == nil || e.Reason != control.ReasonUsage {
				t.Errorf("a route for what is over gave %+v", e)
			}
			r.wantNothing(t, w, control.StateDown)
		})
	}
}

// TestOneAtATime: a second session of a profile is refused, and has nothing in
// the table, while another process runs one.
func TestOneAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		defer w.serve(serverText)()
		dir := t.TempDir()
		p := parseProfile(t, profileText)
		session := func() (*Session, context.CancelFunc, chan error) {
			ctx, cancel := context.WithCancel(t.Context())
			s := New(Config{Profile: p, Password: p.Password, Platform: w, Routes: &table{w: w}, RunDir: dir, Log: w.log})
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			return s, cancel, done
		}
		first, cancel, done := session()
		<-first.Ready()
		dialled := len(w.takeDialled())
		_, _, refused := session()
		if e := Explain(<-refused); e == nil || e.Reason != control.ReasonUsage || !strings.Contains(e.Text, "lab is up already") {
			t.Errorf("the second gave %+v", e)
		}
		if n := len(w.takeDialled()); dialled != 1 || n != 0 {
			t.Errorf("dialled %d and %d times", dialled, n)
		}
		cancel()
		<-done
		second, cancel, done := session()
		<-second.Ready()
		cancel()
		<-done
		if files, _ := os.ReadDir(dir); len(files) != 0 {
			t.Errorf("left behind: %v", files)
		}
	})
}
