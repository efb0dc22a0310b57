package routing

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// build makes the machine that a plan test describes, in the test's own
// namespace; false where it tells of something that cannot be made here.
func build(t *testing.T, text string, st *State, cfg *Config) bool {
	t.Helper()
	if len(st.Mine) > 0 || len(st.Others) > 0 {
		return false // what came before belongs to the tests of sessions
	}
	var devs []string
	use := func(dev string) {
		if dev != "" && dev != "lo" && !slices.Contains(devs, dev) {
			devs = append(devs, dev)
		}
	}
	for _, a := range st.Addrs {
		if a.Prefix.Addr().Is6() {
			return false
		}
		use(a.Dev)
	}
	for _, e := range st.Routes {
		if e.Dead || e.To.Addr().Is6() {
			return false
		}
		use(e.Dev)
		for _, h := range e.Hops {
			use(h.Dev)
		}
	}
	if cfg.IPv6 {
		return false
	}
	ownNamespace(t)
	use(cfg.Link)
	for _, dev := range devs {
		switch {
		case dev == cfg.Link && cfg.Peer.IsValid() && !cfg.Peer.IsUnspecified():
			tunnel(t, dev, cfg.Local.String(), cfg.Peer.String())
		case dev == cfg.Link:
			tunnel(t, dev, cfg.Local.String(), cfg.Local.String())
		case strings.HasPrefix(dev, "wg") || strings.HasPrefix(dev, "ppp"):
			ip(t, "tuntap add "+dev+" mode tun")
			ip(t, "link set "+dev+" up")
		default:
			wire(t, dev)
		}
	}
	for _, a := range st.Addrs {
		if a.Dev != "lo" {
			ip(t, fmt.Sprintf("addr add %s dev %s noprefixroute", a.Prefix, a.Dev))
		}
	}
	for _, onLink := range []bool{true, false} { // next hops first
		for _, e := range st.Routes {
			if via, _ := e.hop(); e.Kind != Local && via.IsValid() != onLink {
				ip(t, "route add "+e.String())
			}
		}
	}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "rule" {
			continue
		}
		if pref, _ := strconv.Atoi(words[1]); pref > 0 && pref < 32766 {
			ip(t, "rule add pref "+strings.Join(words[1:], " "))
		}
	}
	return true
}

// TestPlanForReal carries the plans of TestPlan out, on machines made so.
func TestPlanForReal(t *testing.T) {
	needRoot(t)
	built := 0
	for _, c := range plans {
		t.Run(c.name, func(t *testing.T) {
			st := state(t, c.state)
			if !build(t, c.state, st, &c.cfg) {
				return // only a model can be brought there; the least number of others is checked below
			}
			built++
			before := table(t)
			stale, err := Installed("")
			if err != nil {
				t.Fatal(err)
			}
			real, err := ReadState()
			if err != nil {
				t.Fatal(err)
			}
			real.DNS = st.DNS
			plan := NewPlan(&c.cfg, real)
			if got, want := opText(plan.Ops), lines(c.ops); got != want {
				t.Errorf("operations:\n%s\nwant:\n%s", got, want)
			}
			if got, want := findingText(plan.Findings), lines(c.findings); got != want {
				t.Errorf("findings:\n%s\nwant:\n%s\n%v", got, want, plan.Findings)
			}
			n := session(t, t.TempDir())
			cfg := c.cfg
			cfg.OnConflict = Warn
			err = n.Set(ctx, &cfg)
			var noPath *NoPathError
			if wantErr := strings.Contains(c.findings, GatewayNoPath) || strings.Contains(c.findings, GatewayUnknown); wantErr {
				if !errors.As(err, &noPath) {
					t.Fatalf("set: %v", err)
				}
			} else if err != nil {
				t.Fatal(err)
			} else {
				if got, want := opText(n.Last().Ops), lines(c.ops); got != want {
					t.Errorf("did:\n%s\nwant:\n%s", got, want)
				}
				if have, err := Installed(""); err != nil || len(have) != len(n.Last().Own)+len(stale) {
					t.Errorf("installed %v, %v; planned %v", have, err, n.Last().Own)
				}
				if err := n.Set(ctx, &cfg); err != nil || len(n.Last().Ops) != 0 {
					t.Errorf("set again: %v\n%s", err, opText(n.Last().Ops))
				}
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			if after := table(t); after != before {
				t.Errorf("afterwards:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
	if !t.Failed() && built < 40 {
		t.Errorf("only %d machines were built", built)
	}
}
