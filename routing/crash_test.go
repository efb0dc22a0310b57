package routing

import (
	"fmt"
	"math/rand"
	"net/netip"
	"slices"
	"testing"
)

// crashes lets session i die after each operation of what it is about to do,
// its interface with it or not, and repairs: nothing of it must be left, and
// nothing else be touched.
func (w *world) crashes(i int) {
	w.turn(i)
	cfg := &w.sessions[i].cfg
	plan := NewPlan(cfg, w.st)
	if plan.Err(cfg.OnConflict) != nil {
		return
	}
	claimed := map[routeKey]bool{}
	for _, c := range w.st.Others {
		for k := range c.Routes {
			claimed[c.Routes[k].key()] = true
		}
	}
	want := &State{}
	for _, e := range w.st.Routes {
		if e.Protocol != Protocol || claimed[e.key()] {
			want.Routes = append(want.Routes, e)
		}
	}
	for dead := 0; dead <= len(plan.Ops); dead++ {
		for _, withLink := range []bool{false, true} {
			st, want := *w.st, State{Routes: slices.Clone(want.Routes)}
			st.Routes = slices.Clone(w.st.Routes)
			m := &model{t: w.t, st: &st}
			for _, op := range plan.Ops[:dead] {
				m.do(op)
			}
			if withLink && cfg.Link != "" {
				gone := func(e Entry) bool { return e.Dev == cfg.Link } // another session's way may be among them
				st.Routes, want.Routes = slices.DeleteFunc(st.Routes, gone), slices.DeleteFunc(want.Routes, gone)
			}
			for _, op := range leftovers(&st) {
				m.do(op)
			}
			if got, want := tableText(&st), tableText(&want); got != want {
				w.t.Errorf("dead after %d of\n%s\nrepaired:\n%s\nwant:\n%s", dead, opText(plan.Ops), got, want)
			}
		}
	}
}

// Whatever the table and the profiles are, a session that dies after any
// operation leaves nothing that Repair does not take away.
func TestCrashProperties(t *testing.T) {
	for seed := range int64(400) {
		w := newWorld(t, rand.New(rand.NewSource(seed)))
		for range 6 {
			i := w.r.Intn(2)
			if w.r.Intn(4) == 0 {
				w.foreign()
			}
			w.change(i)
			w.crashes(i)
			w.set(i)
			if t.Failed() {
				t.Fatalf("seed %d, sessions %+v", seed, w.sessions)
			}
		}
	}
}

// The same in the kernel: a random table, random profiles one after the other,
// and the owner dead before each operation in turn.
func TestCrashForReal(t *testing.T) {
	needRoot(t)
	points := 0
	for seed := range int64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			office4(t)
			tunnel(t, "ppp1", "192.168.23.240", "192.168.23.254")
			r := rand.New(rand.NewSource(seed))
			for range r.Intn(8) {
				to := somePrefixes[r.Intn(len(somePrefixes)-2)]
				if to.Bits() == 0 {
					continue
				}
				how := []string{"via 10.250.166.9 dev eth0", "dev eth0", "via 10.250.166.1 dev eth0 onlink", "dev ppp1"}[r.Intn(4)]
				ip(t, fmt.Sprintf("route replace %s %s metric %d", to, how, r.Intn(3)))
			}
			ip(t, fmt.Sprintf("route replace unreachable 198.51.100.0/24 metric %d", r.Intn(3)))
			before := table(t)
			w := &world{model: &model{t: t, st: &State{}}, r: r}
			var profiles []Config
			for range 3 {
				w.sessions[0].cfg = Config{Name: "lab", Gateway: netip.MustParseAddr("203.235.199.133"), OnConflict: Warn}
				w.change(0)
				profiles = append(profiles, w.sessions[0].cfg)
			}
			for crash, whole := 0, false; !whole; crash++ {
				dir := t.TempDir()
				n := NewNetlink(nil, dir)
				i := 0
				n.before = func(Op) error {
					if i++; i > crash {
						panic("killed")
					}
					return nil
				}
				func() {
					defer func() {
						if p := recover(); p != nil && p != "killed" {
							panic(p)
						}
					}()
					for k := range profiles {
						if err := n.Set(ctx, &profiles[k]); err != nil {
							t.Fatal(err)
						}
					}
					whole = true
				}()
				n.journal.file.Close() // as the kernel does for the dead
				if _, err := Repair(dir); err != nil {
					t.Fatal(err)
				}
				wantTable(t, fmt.Sprintf("%+v, dead before operation %d, repaired", profiles, crash), table(t), before)
				n.kernel.close()
				points++
			}
		})
	}
	if !t.Failed() && points < 40 {
		t.Errorf("only %d crashes", points)
	}
}

func manySubnets() Config {
	cfg := lab()
	for i := range 5000 {
		a := netip.AddrFrom4([4]byte{172, 16 + byte(i>>12), byte(i >> 4), byte(i) << 4})
		cfg.Routes = append(cfg.Routes, Route{To: netip.PrefixFrom(a, 28)})
	}
	return cfg
}

// BenchmarkSubnets makes 5,000 subnets and takes them away.
func BenchmarkSubnets(b *testing.B) {
	office4(b)
	cfg := manySubnets()
	for b.Loop() {
		n := session(b, b.TempDir())
		set(b, n, cfg)
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSubnetsUnchanged sets 5,000 subnets that are there, as after a
// change of the network.
func BenchmarkSubnetsUnchanged(b *testing.B) {
	office4(b)
	cfg := manySubnets()
	n := session(b, b.TempDir())
	set(b, n, cfg)
	for b.Loop() {
		set(b, n, cfg)
	}
}

// BenchmarkPlan plans 5,000 subnets.
func BenchmarkPlan(b *testing.B) {
	cfg, st := manySubnets(), state(b, office)
	for b.Loop() {
		NewPlan(&cfg, st)
	}
}
