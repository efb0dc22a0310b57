package osnettest

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// A Filter says what becomes of the packets that leave an end: each goes
// through Apply, which returns what is sent now, in order. A filter has
// state, so each end needs its own. Packets count from 1.
type Filter struct {
	Name  string // for a test's message, "lose every 7th"
	Apply func(packet []byte) [][]byte
}

func (f Filter) apply(packet []byte) [][]byte {
	if f.Apply == nil {
		return [][]byte{packet}
	}
	return f.Apply(packet)
}

func (f Filter) String() string {
	if f.Name == "" {
		return "pass"
	}
	return f.Name
}

// each makes a filter of a decision about the nth packet.
func each(name string, f func(n int, packet []byte) [][]byte) Filter {
	n := 0
	return Filter{name, func(p []byte) [][]byte {
		n++
		return f(n, p)
	}}
}

// loseIf loses the packets that the test says.
func loseIf(name string, lose func(n int, packet []byte) bool) Filter {
	return each(name, func(n int, p []byte) [][]byte {
		if lose(n, p) {
			return nil
		}
		return [][]byte{p}
	})
}

// Pass lets all packets through.
func Pass() Filter { return Filter{} }

// Blackhole loses all: a path on which GRE is blocked.
func Blackhole() Filter {
	return loseIf("lose all", func(int, []byte) bool { return true })
}

// Lose loses the packets of these numbers.
func Lose(numbers ...int) Filter {
	return loseIf(fmt.Sprintf("lose %v", numbers), func(n int, _ []byte) bool { return slices.Contains(numbers, n) })
}

// LoseEvery loses each kth packet.
func LoseEvery(k int) Filter {
	return loseIf(fmt.Sprintf("lose every %dth", k), func(n int, _ []byte) bool { return n%k == 0 })
}

// LoseBurst loses count packets, beginning with number first.
func LoseBurst(first, count int) Filter {
	return loseIf(fmt.Sprintf("lose %d from %d on", count, first),
		func(n int, _ []byte) bool { return n >= first && n < first+count })
}

// LoseRandom loses a packet with this probability, the same ones for the same
// seed.
func LoseRandom(probability float64, seed uint64) Filter {
	r := rand.New(rand.NewPCG(seed, 1))
	return loseIf(fmt.Sprintf("lose %g at random (seed %d)", probability, seed),
		func(int, []byte) bool { return r.Float64() < probability })
}

// LoseIf loses the packets of which lose says so.
func LoseIf(name string, lose func(packet []byte) bool) Filter {
	return loseIf(name, func(_ int, p []byte) bool { return lose(p) })
}

// DuplicateEvery sends each kth packet twice.
func DuplicateEvery(k int) Filter {
	return each(fmt.Sprintf("double every %dth", k), func(n int, p []byte) [][]byte {
		if n%k == 0 {
			return [][]byte{p, slices.Clone(p)}
		}
		return [][]byte{p}
	})
}

// ReplayEvery sends, after each kth packet, the one that left back packets
// before it once more: an old duplicate.
func ReplayEvery(k, back int) Filter {
	var past [][]byte
	return each(fmt.Sprintf("replay the %dth last after every %dth", back, k), func(n int, p []byte) [][]byte {
		past = append(past, slices.Clone(p))
		if len(past) > back+1 {
			past = past[1:]
		}
		if n%k == 0 && len(past) > back {
			return [][]byte{p, slices.Clone(past[0])}
		}
		return [][]byte{p}
	})
}

// DelayEvery holds each kth packet back until by later ones have left: with by
// 1, neighbours change places. One that is held when no more follow never leaves.
func DelayEvery(k, by int) Filter {
	type held struct {
		packet []byte
		after  int
	}
	var queue []held
	return each(fmt.Sprintf("delay every %dth by %d", k, by), func(n int, p []byte) [][]byte {
		var out [][]byte
		if n%k == 0 {
			queue = append(queue, held{p, n + by})
		} else {
			out = append(out, p)
		}
		for len(queue) > 0 && queue[0].after <= n {
			out = append(out, queue[0].packet)
			queue = queue[1:]
		}
		return out
	})
}

// CorruptEvery flips a bit in the last octet of each kth packet.
func CorruptEvery(k int) Filter {
	return each(fmt.Sprintf("corrupt every %dth", k), func(n int, p []byte) [][]byte {
		if n%k == 0 && len(p) > 0 {
			p[len(p)-1] ^= 0x10
		}
		return [][]byte{p}
	})
}

// Chain sends what leaves one filter through the next.
func Chain(filters ...Filter) Filter {
	name := ""
	for i, f := range filters {
		if i > 0 {
			name += ", "
		}
		name += f.String()
	}
	return Filter{name, func(p []byte) [][]byte {
		packets := [][]byte{p}
		for _, f := range filters {
			var next [][]byte
			for _, p := range packets {
				next = append(next, f.apply(p)...)
			}
			packets = next
		}
		return packets
	}}
}
