package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/osnet/osnettest"
	"goppptp/routing"
)

var (
	ownPath   = routing.Path{Dev: "wlan0", Via: netip.MustParseAddr("10.250.166.1"), Source: ownAddr}
	ownOther  = routing.Path{Dev: "wlan0", Via: netip.MustParseAddr("10.250.166.2"), Source: ownAddr}
	otherPath = routing.Path{Dev: "eth0", Via: netip.MustParseAddr("10.2.0.1"), Source: netip.MustParseAddr("10.2.0.2")}
)

// A moving lab is one whose client's network changes.
type moving struct {
	*lab
	changed chan struct{}
	sleeps  chan bool

	mu       sync.Mutex
	path     routing.Path // mu guards, as all that follows
	lost     bool
	gone     bool
	conflict bool
}

func newMoving(w *lab) *moving {
	return &moving{lab: w, changed: make(chan struct{}), sleeps: make(chan bool), path: ownPath}
}

// WatchNetwork is of networkPlatform.
func (m *moving) WatchNetwork() (run func(context.Context, func() bool) error, err error) {
	return func(ctx context.Context, look func() bool) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-m.changed:
				look()
			}
		}
	}, nil
}

// WatchSleep is of networkPlatform.
func (m *moving) WatchSleep(ctx context.Context, changed func(bool)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-m.sleeps:
			changed(s)
		}
	}
}

// Path is of networkPlatform.
func (m *moving) Path(remote netip.Addr) (routing.Path, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost {
		return routing.Path{}, &routing.NoPathError{Gateway: remote}
	}
	return m.path, nil
}

// HasAddress is of networkPlatform.
func (m *moving) HasAddress(netip.Addr) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.gone, nil
}

// refuse is what the table says to a Set.
func (m *moving) refuse(cfg *routing.Config) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost {
		return &routing.NoPathError{Gateway: cfg.Gateway}
	}
	if m.conflict {
		return &routing.ConflictError{}
	}
	return nil
}

// change changes the network, has it looked at, and lets all happen that needs
// no time.
func (m *moving) change(f func()) {
	m.mu.Lock()
	f()
	m.mu.Unlock()
	m.changed <- struct{}{}
	synctest.Wait()
}

// dial runs a session of the profile.
func (m *moving) dial(text string) *run {
	r := &run{table: &table{w: m.lab, refuse: m.refuse}, done: make(chan error, 1)}
	p := parseProfile(m.t, text)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	r.Session = New(Config{Profile: p, Password: p.Password, Platform: m, Routes: r.table, Log: m.log.With("end", "client"),
		OnEvent: func(e control.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		}})
	go func() { r.done <- r.Run(ctx) }()
	return r
}

// lostSince reports whether the session has been lost since it was asked last.
func (r *run) lostSince() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := slices.ContainsFunc(r.events, func(e control.Event) bool {
		return e.Type == control.EventState && e.Status.State == control.StateReconnecting
	})
	r.events = nil
	return lost
}

// follows runs a session that is up in a network that changes.
func follows(t *testing.T, profile string, f func(t *testing.T, m *moving, r *run)) {
	t.Helper()
	bubble(t, func(t *testing.T, w *lab) {
		defer w.serve(serverText)()
		m := newMoving(w)
		r := m.dial(profile)
		r.waitUp(t)
		r.lostSince()
		w.takeDialled()
		f(t, m, r)
		r.end(t, w)
	})
}

func TestFollowStays(t *testing.T) {
	follows(t, profileText, func(t *testing.T, m *moving, r *run) {
		for _, p := range []routing.Path{ownOther, otherPath, ownPath} {
			before := len(r.table.sets)
			m.change(func() { m.path = p })
			if len(r.table.sets) != before+1 || r.table.last().Link != "ppp0" || r.table.last().Gateway != gateway {
				t.Errorf("to %v: the routes were set to %+v", p, r.table.sets[before:])
			}
			pass(time.Minute)
			if r.lostSince() || len(m.takeDialled()) > 0 {
				t.Errorf("to %v: the session is another", p)
			}
		}
	})
}

// Where the address stays and nothing comes back, or the address is gone,
// there is another session at once, without asking for the gateway's name.
func TestFollowRedials(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *moving)
		deaf   bool
		within time.Duration
	}{
		{"another address, and nothing comes back", func(m *moving) { m.path = otherPath }, true, probeForeign},
		{"the same address, and nothing comes back", func(m *moving) { m.path = ownOther }, true, probeSame},
		{"the address has gone", func(m *moving) { m.path, m.gone = otherPath, true }, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			follows(t, profileText, func(t *testing.T, m *moving, r *run) {
				m.setFailure("Resolve", errors.New("no name server is reached"))
				if c.deaf {
					m.serving.Filter(osnettest.Blackhole())
				}
				m.change(func() { c.change(m) })
				if c.within > 0 {
					pass(c.within - 10*time.Millisecond)
					if r.lostSince() {
						t.Error("given up too early")
					}
				}
				pass(20 * time.Millisecond)
				if !r.lostSince() {
					t.Fatalf("it still stands after %v", c.within)
				}
				m.serving.Filter(osnettest.Pass())
				m.change(func() { m.gone = false })
				pass(time.Second)
				if st := r.Status(); st.State != control.StateUp {
					t.Errorf("a second later: %+v", st)
				}
				if n := m.takeDialled(); len(n) != 1 || n[0] != gateway {
					t.Errorf("dialled %v", n)
				}
			})
		})
	}
}

// Without a way to the gateway the session waits; it goes on when the way is
// back, and where it was lost meanwhile nobody dials before.
func TestFollowWaits(t *testing.T) {
	follows(t, profileText, func(t *testing.T, m *moving, r *run) {
		m.serving.Filter(osnettest.Blackhole())
		m.change(func() { m.lost, m.gone = true, true })
		pass(30 * time.Second)
		if st := r.Status(); r.lostSince() || !strings.Contains(strings.Join(st.Warnings, "\n"), "waiting for the network") {
			t.Errorf("half a minute without a network: %+v", st)
		}
		m.serving.Filter(osnettest.Pass())
		m.change(func() { m.lost, m.gone = false, false })
		pass(10 * time.Second)
		if st := r.Status(); r.lostSince() || len(st.Warnings) > 0 {
			t.Errorf("the network is back: %+v", st)
		}

		m.serving.Filter(osnettest.Blackhole())
		m.change(func() { m.lost = true })
		pass(time.Hour)
		st := r.Status()
		if st.State != control.StateReconnecting || !st.NextAttempt.IsZero() || len(m.takeDialled()) > 0 {
			t.Errorf("an hour without a network: %+v", st)
		}
		m.serving.Filter(osnettest.Pass())
		m.change(func() { m.lost = false })
		pass(time.Second)
		if st := r.Status(); st.State != control.StateUp || len(m.takeDialled()) != 1 {
			t.Errorf("the network is back: %+v", st)
		}
	})
}

// In a network where the routes would cut the user off the tunnel goes, and is
// back when there is another.
func TestFollowConflict(t *testing.T) {
	follows(t, profileText, func(t *testing.T, m *moving, r *run) {
		m.change(func() { m.path, m.conflict = otherPath, true })
		pass(10 * time.Second)
		st := r.Status()
		if st.State != control.StateReconnecting || st.Error == nil || st.Error.Reason != control.ReasonConflict || len(m.takeDialled()) > 0 {
			t.Fatalf("in conflict: %+v", st)
		}
		pass(10 * time.Minute) // the next attempt is far
		m.change(func() { m.path, m.conflict = ownPath, false })
		pass(time.Second)
		if st := r.Status(); st.State != control.StateUp {
			t.Errorf("without conflict: %+v", st)
		}
	})
}

// What changes while dialling begins the dialling anew.
func TestFollowDialling(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		m := newMoving(w)
		w.answers[gateway] = swallow
		r := m.dial(profileText)
		pass(time.Second)
		w.mu.Lock()
		delete(w.answers, gateway)
		w.mu.Unlock()
		defer w.serve(serverText)()
		m.change(func() { m.path = otherPath })
		pass(time.Second)
		if st := r.Status(); st.State != control.StateUp {
			t.Errorf("a second later: %+v", st)
		}
		r.end(t, w)
	})
}

// After sleep a server that does not answer is dialled anew, and one that does is not.
func TestFollowSleep(t *testing.T) {
	follows(t, profileText+"keepalive: {interval: 10m, failures: 4}\n", func(t *testing.T, m *moving, r *run) {
		m.sleeps <- true
		m.sleeps <- false
		pass(time.Minute)
		if r.lostSince() {
			t.Error("a server that answers is dialled anew")
		}
		m.serving.Filter(osnettest.Blackhole())
		m.sleeps <- true
		pass(time.Minute)
		if r.lostSince() {
			t.Error("given up before it slept")
		}
		m.sleeps <- false
		pass(probeResumed + 20*time.Millisecond)
		if !r.lostSince() {
			t.Fatal("it still stands")
		}
		m.serving.Filter(osnettest.Pass())
		pass(2 * time.Minute)
		if st := r.Status(); st.State != control.StateUp {
			t.Errorf("two minutes later: %+v", st)
		}
	})
}

// Name servers that do not answer keep nobody from the gateway's address of before.
func TestKnownGateway(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		stop := w.serve(serverText)
		r := w.dial(profileText)
		r.waitUp(t)
		w.vanish()
		stop()
		w.setFailure("Resolve", &net.DNSError{Err: "i/o timeout", Name: "station", IsTimeout: true})
		stop = w.serve(serverText)
		defer stop()
		pass(time.Minute)
		if st := r.Status(); st.State != control.StateUp {
			t.Errorf("a minute later: %+v", st)
		}
		r.end(t, w)
	})
}

// The routes are told that the tunnel carries IPv6.
func TestIPv6Routes(t *testing.T) {
	for server, want := range map[string]bool{"": false, "ipv6: true\n": true} {
		bubble(t, func(t *testing.T, w *lab) {
			defer w.serve(serverText + server)()
			r := w.dial(strings.Replace(profileText, "[172", "[\"2001:db8::/32\", 172", 1))
			r.waitUp(t)
			pass(5 * time.Second)
			if got := r.table.last(); got.IPv6 != want {
				t.Errorf("%q: the routes are %+v", server, got)
			}
			r.end(t, w)
		})
	}
}

// A survey finds out what the tunnel would be, and changes nothing.
func TestSurvey(t *testing.T) {
	bubble(t, func(t *testing.T, w *lab) {
		defer w.serve(serverText)()
		p := parseProfile(t, profileText+"on_up: [/bin/false]\ndns: use\nleak: block\n")
		got, err := Survey(t.Context(), Config{Profile: p, Password: p.Password, Platform: w, Log: w.log})
		if err != nil {
			t.Fatal(err)
		}
		if c := got.Routing; c.Gateway != gateway || c.Local.String() != "192.168.13.240" || c.Peer.String() != "192.168.13.254" || len(c.Routes) != 2 || !c.Block {
			t.Errorf("the routes would be %+v", c)
		}
		if len(got.DNS) != 1 || got.DNS[0].String() != "192.168.13.1" || got.MTU < 1400 {
			t.Errorf("name servers %v, MTU %d", got.DNS, got.MTU)
		}
		if left := w.left(); len(left) > 0 || len(w.tuns) > 0 {
			t.Errorf("left open: %v; %d interfaces were made", left, len(w.tuns))
		}
		if len(p.OnUp) != 1 {
			t.Error("the profile was changed")
		}
		p.Password = "wrong"
		if _, err := Survey(t.Context(), Config{Profile: p, Password: p.Password, Platform: w, Log: w.log}); err == nil || Explain(err).Reason != control.ReasonAuth {
			t.Errorf("with the wrong password: %v", err)
		}
	})
}

func TestSurveyUDP(t *testing.T) {
	from, to := netip.MustParseAddr("192.168.13.240"), netip.MustParseAddr("255.255.255.255")
	p := udpPacket(from, to, []byte("hello"))
	if got, ok := udpTo(p, 67); !ok || string(got) != "hello" {
		t.Errorf("%q, %v", got, ok)
	}
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(p[i])<<8 | uint32(p[i+1])
	}
	if sum&0xffff+sum>>16 != 0xffff {
		t.Errorf("the header's checksum is wrong: % x", p[:20])
	}
	for name, change := range map[string]func(p []byte) []byte{
		"another port": func(p []byte) []byte { p[23]++; return p },
		"TCP":          func(p []byte) []byte { p[9] = 6; return p },
		"a fragment":   func(p []byte) []byte { p[7] = 1; return p },
		"more to come": func(p []byte) []byte { p[6] = 0x20; return p },
		"cut off":      func(p []byte) []byte { return p[:len(p)-1] },
		"a long head":  func(p []byte) []byte { p[0] = 0x4f; return p },
		"too short":    func(p []byte) []byte { return p[:27] },
		"no length":    func(p []byte) []byte { p[24], p[25] = 0, 7; return p },
	} {
		if got, ok := udpTo(change(slices.Clone(p)), 67); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}
