package gre

import (
	"fmt"
	"math/rand"
	"testing"
)

// model is the window as its definition reads, with numbers that do not wrap.
type model struct {
	started bool
	base    int64
	highest int64
	seen    map[int64]bool
	stats   Stats
}

func (m *model) receive(n int64) Verdict {
	if !m.started {
		m.started, m.base, m.highest, m.seen = true, n, n, map[int64]bool{n: true}
		m.stats.Received++
		return InOrder
	}
	switch {
	case n <= m.highest-Window:
		m.stats.Old++
		return Old
	case m.seen[n]:
		m.stats.Duplicate++
		return Duplicate
	}
	m.seen[n] = true
	m.stats.Received++
	if n < m.highest {
		m.stats.Late++
		if n >= m.base {
			m.stats.Lost--
		}
		return Late
	}
	skipped := n - m.highest - 1
	m.highest = n
	if skipped == 0 {
		return InOrder
	}
	m.stats.Lost += uint64(skipped)
	return Ahead
}

func TestReceiverModel(t *testing.T) {
	for seed := range int64(60) {
		rng := rand.New(rand.NewSource(seed))
		offset := uint32(0) - uint32(rng.Intn(3000)) // most runs wrap around
		var r Receiver
		m := model{}
		now := int64(1000)
		var counts [Old + 1]int
		for i := range 6000 {
			// A walk with loss, duplicates, and stragglers just within and just beyond the window.
			var n int64
			switch p := rng.Intn(20); {
			case p < 11:
				now++
				n = now
			case p < 13:
				now += int64(rng.Intn(40))
				n = now
			case p < 14 && seed%3 == 0:
				now = m.highest + int64(rng.Intn(Window-1))
				n = now
			case p < 17:
				n = now - int64(rng.Intn(20))
			default:
				n = now - int64(rng.Intn(Window+8))
			}
			want := m.receive(n)
			if got := r.Receive(offset + uint32(n)); got != want {
				t.Fatalf("seed %d, packet %d, number %d (highest %d): %v, want %v", seed, i, n, m.highest, got, want)
			}
			counts[want]++
			if got, ok := r.Highest(); !ok || got != offset+uint32(m.highest) {
				t.Fatalf("seed %d, packet %d: Highest = %d, %v; want %d", seed, i, got, ok, offset+uint32(m.highest))
			}
		}
		if r.Stats() != m.stats {
			t.Errorf("seed %d: %+v, want %+v", seed, r.Stats(), m.stats)
		}
		for v := InOrder; v <= Old; v++ {
			if counts[v] == 0 {
				t.Errorf("seed %d: the walk has no packet that is %v", seed, v)
			}
		}
	}
}

func TestReceiverScripts(t *testing.T) {
	type step struct {
		seq  uint32
		want Verdict
	}
	const far = 1 << 20
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"pptpd starts at 0", []step{{0, InOrder}, {1, InOrder}, {0, Duplicate}}},
		{"pptp-linux starts at 1", []step{{1, InOrder}, {2, InOrder}, {1, Duplicate}}},
		{"the first two overtake each other", []step{{1, InOrder}, {0, Late}, {0, Duplicate}, {2, InOrder}}},
		{"before 0", []step{{0, InOrder}, {0xffffffff, Late}, {0xffffffff, Duplicate}}},
		{"gap and late", []step{{5, InOrder}, {8, Ahead}, {7, Late}, {7, Duplicate}, {6, Late}, {9, InOrder}}},
		{"wrap-around", []step{{0xfffffffe, InOrder}, {0xffffffff, InOrder}, {0, InOrder}, {2, Ahead}, {1, Late}, {0xffffffff, Duplicate}, {3, InOrder}}},
		{"edge of the window", []step{{1000, InOrder}, {1511, Ahead}, {1001, Late}, {1000, Duplicate}, {1512, InOrder}, {1000, Old}, {1001, Duplicate}, {1002, Late}}},
		{"slots used again are clean", []step{{0, InOrder}, {1, InOrder}, {511, Ahead}, {513, Ahead}, {512, Late}, {2, Late}, {1, Old}}},
		{"one wild packet does no harm", []step{{10, InOrder}, {far, Old}, {11, InOrder}, {12, InOrder}, {far, Old}, {13, InOrder}}},
		{"repeating it proves nothing", []step{{10, InOrder}, {far, Old}, {far, Old}, {far, Old}, {far, Old}, {11, InOrder}}},
		{"true packets between undo the proof", []step{{10, InOrder}, {far, Old}, {far + 1, Old}, {11, InOrder}, {far + 2, Old}, {far + 3, Old}, {12, InOrder}, {11, Duplicate}}},
		{"so do late ones and ones ahead", []step{{10, InOrder}, {13, Ahead}, {far, Old}, {far + 1, Old}, {11, Late}, {far + 2, Old}, {far + 3, Old}, {15, Ahead}, {far + 4, Old}, {far + 5, Old}, {16, InOrder}}},
		{"a duplicate between does not", []step{{10, InOrder}, {far, Old}, {10, Duplicate}, {far + 1, Old}, {far + 2, Ahead}}},
		{"after an outage", []step{{10, InOrder}, {far, Old}, {far + 1, Old}, {far + 2, Ahead}, {far + 3, InOrder}, {far + 1, Late}, {11, Old}}},
		{"after an outage, with loss and reordering", []step{{10, InOrder}, {far + 5, Old}, {far + 4, Old}, {far + 9, Old}, {far + 100, Ahead}, {far + 99, Late}}},
		{"the window begins anew after a jump", []step{{10, InOrder}, {far + 20, Old}, {far + 21, Old}, {far + 22, Ahead}, {far + 10, Late}, {far + 22, Duplicate}}},
		{"noted too far ahead of the true ones", []step{{10, InOrder}, {far + 100, Old}, {far, Old}, {far + 1, Old}, {far + 2, Ahead}, {far + 3, InOrder}}},
		{"wild packets that do not agree", []step{{10, InOrder}, {far, Old}, {3 * far, Old}, {5 * far, Old}, {7 * far, Old}, {11, InOrder}}},
		{"just outside the window ahead", []step{{10, InOrder}, {10 + Window, Old}, {11, InOrder}}},
		{"just inside the window ahead", []step{{10, InOrder}, {9 + Window, Ahead}, {11, Late}, {12, Late}}},
		{"a peer that begins anew", []step{{70000, InOrder}, {0, Old}, {1, Old}, {2, Old}, {3, Old}, {4, Old}, {5, Old}, {6, Old}, {7, Ahead}, {8, InOrder}, {70001, Old}}},
		{"hijacked and healed", []step{
			{10, InOrder}, {far, Old}, {far + 1, Old}, {far + 2, Ahead}, // three forged packets
			{11, Old}, {12, Old}, {13, Old}, {14, Old}, {15, Old}, {16, Old}, {17, Old}, {18, Ahead}, {19, InOrder}}},
		{"half-way round is behind", []step{{0, InOrder}, {1 << 31, Old}, {1<<31 + 1, Old}, {1<<31 + 2, Old}, {1, InOrder}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Receiver
			if _, ok := r.Highest(); ok {
				t.Error("Highest before the first packet")
			}
			for i, s := range tt.steps {
				if got := r.Receive(s.seq); got != s.want {
					t.Fatalf("packet %d, number %d: %v, want %v", i, s.seq, got, s.want)
				}
			}
		})
	}
}

func TestReceiverJumpStats(t *testing.T) {
	var r Receiver
	for _, seq := range []uint32{0, 1, 10000, 10001, 10002, 10003} {
		r.Receive(seq)
	}
	if want := (Stats{Received: 4, Old: 2, Lost: 10000, Jumps: 1}); r.Stats() != want {
		t.Errorf("%+v, want %+v", r.Stats(), want)
	}
}

// Whatever comes, duplicates within the window are never delivered twice, and a peer that counts up is heard again soon.
func FuzzReceiver(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 200, 100, 5})
	f.Add([]byte{255, 255, 255, 0, 0, 0, 1, 2, 3, 250, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		var r Receiver
		seq := uint32(0)
		for i, b := range script {
			switch b % 4 {
			case 0:
				seq++
			case 1:
				seq += uint32(b)
			case 2:
				seq -= uint32(b) << 2
			case 3:
				seq += uint32(b) << (b >> 3)
			}
			if v := r.Receive(seq); v.Deliver() {
				if again := r.Receive(seq); again != Duplicate {
					t.Fatalf("packet %d, number %d: %v, and again %v", i, seq, v, again)
				}
			}
		}
		s := r.Stats()
		if s.Late > s.Received || s.Lost > 1<<40 {
			t.Fatalf("%+v", s)
		}
		for i := range proofBack + 1 {
			seq++
			v := r.Receive(seq)
			if i == proofBack && !v.Deliver() && v != Duplicate {
				t.Fatalf("after %d packets in a row: %v", i+1, v)
			}
		}
	})
}

func TestVerdictString(t *testing.T) {
	for v, want := range map[Verdict]string{InOrder: "in order", Ahead: "ahead", Late: "late", Duplicate: "duplicate", Old: "old", 0: "verdict 0", 9: "verdict 9"} {
		if got := fmt.Sprint(v); got != want {
			t.Errorf("%d: %q, want %q", uint8(v), got, want)
		}
		if got, want := v.Deliver(), v >= InOrder && v <= Late; got != want {
			t.Errorf("%v: Deliver = %v", v, got)
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	var r Receiver
	var seq uint32
	b.ReportAllocs()
	for b.Loop() {
		seq++
		if r.Receive(seq) != InOrder {
			b.Fatal(seq)
		}
	}
}
