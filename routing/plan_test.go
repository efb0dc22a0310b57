package routing

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// state reads a machine from text: routes as "ip route" prints them, and
//
//	addr DEV PREFIX        link NAME KIND [down] dns ADDRESS
//	rule PRIORITY WORDS    mine ROUTE            other NAME GATEWAY LINK ROUTE
func state(t testing.TB, text string) *State {
	t.Helper()
	st := &State{}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		rest := func(n int) Entry {
			e, err := ParseEntry(strings.Join(words[n:], " "))
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		switch words[0] {
		case "addr":
			st.Addrs = append(st.Addrs, Addr{Dev: words[1], Prefix: netip.MustParsePrefix(words[2])})
		case "link":
			st.Links = append(st.Links, Link{Name: words[1], Kind: words[2], Up: len(words) < 4})
		case "dns":
			st.DNS = append(st.DNS, netip.MustParseAddr(words[1]))
		case "rule":
			st.Rules = append(st.Rules, rule(t, words[1:]))
		case "mine":
			st.Mine = append(st.Mine, rest(1))
		case "other":
			gw := netip.MustParseAddr(words[2])
			if n := len(st.Others); n == 0 || st.Others[n-1].Name != words[1] {
				st.Others = append(st.Others, Claim{Name: words[1], Gateway: gw, Link: words[3]})
			}
			c := &st.Others[len(st.Others)-1]
			c.Routes = append(c.Routes, rest(4))
		default:
			st.Routes = append(st.Routes, rest(0))
		}
	}
	return st
}

func rule(t testing.TB, words []string) Rule {
	t.Helper()
	r := Rule{Suppress: -1}
	r.Priority, _ = strconv.Atoi(words[0])
	for i := 1; i < len(words); i++ {
		if words[i] == "not" {
			r.Invert = true
			continue
		}
		i++
		switch words[i-1] {
		case "from":
			if words[i] != "all" {
				r.From = netip.MustParsePrefix(words[i])
			}
		case "to":
			r.To = netip.MustParsePrefix(words[i])
		case "fwmark":
			v, err := strconv.ParseUint(words[i], 0, 32)
			if err != nil {
				t.Fatal(err)
			}
			r.Mark = uint32(v)
		case "lookup":
			for v, name := range tables {
				if name == words[i] {
					r.Table = v
				}
			}
			if r.Table == 0 {
				r.Table, _ = strconv.Atoi(words[i])
			}
		case "suppress_prefixlength":
			r.Suppress, _ = strconv.Atoi(words[i])
		case "goto":
			r.Goto, _ = strconv.Atoi(words[i])
		default:
			t.Fatalf("rule: %q", words)
		}
	}
	return r
}

// routes reads "to" or "to metric" lists.
func routes(list ...string) []Route {
	var out []Route
	for _, s := range list {
		to, metric, _ := strings.Cut(s, " ")
		m, _ := strconv.Atoi(metric)
		out = append(out, Route{To: netip.MustParsePrefix(to), Metric: m})
	}
	return out
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// lab is the how-to's tunnel when it is up, with other subnets if given.
func lab(r ...string) Config {
	if len(r) == 0 {
		r = []string{"172.16.0.0/16", "192.168.13.0/24", "192.168.14.0/24"}
	}
	return Config{Name: "lab", Gateway: netip.MustParseAddr("203.235.199.133"), Link: "ppp0", Metric: 1,
		Local: netip.MustParseAddr("192.168.13.240"), Peer: netip.MustParseAddr("192.168.13.254"), Routes: routes(r...)}
}

// with changes a Config.
func with(c Config, change func(*Config)) Config {
	change(&c)
	return c
}

func lines(s string) string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

func opText(ops []Op) string {
	var out []string
	for _, op := range ops {
		out = append(out, op.String())
	}
	return strings.Join(out, "\n")
}

func findingText(list []Finding) string {
	var out []string
	for _, f := range list {
		out = append(out, fmt.Sprintf("%s %s", f.Severity, f.Code))
	}
	return strings.Join(out, "\n")
}

func TestPlan(t *testing.T) {
	for _, c := range plans {
		t.Run(c.name, func(t *testing.T) {
			st := state(t, c.state)
			plan := NewPlan(&c.cfg, st)
			if got, want := opText(plan.Ops), lines(c.ops); got != want {
				t.Errorf("operations:\n%s\nwant:\n%s", got, want)
			}
			if got, want := findingText(plan.Findings), lines(c.findings); got != want {
				t.Errorf("findings:\n%s\nwant:\n%s\n%v", got, want, plan.Findings)
			}
			for _, f := range plan.Findings {
				if f.Text == "" || strings.Contains(f.Text, "%!") || strings.ContainsAny(f.Text, "\n") {
					t.Errorf("finding %s says %q", f.Code, f.Text)
				}
			}
			before := tableText(st)
			mine := len(st.Mine)
			m := &model{t: t, st: st}
			m.carryOut(plan)
			if again := NewPlan(&c.cfg, st); len(again.Ops) != 0 {
				t.Errorf("planned again:\n%s", opText(again.Ops))
			}
			m.end()
			if after := tableText(st); mine == 0 && after != before {
				t.Errorf("afterwards:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}
