package gre

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"
)

func number(seq uint32) []byte { return binary.BigEndian.AppendUint32(nil, seq) }

// drain pops all there is and checks that each packet still has its own payload.
func drain(t *testing.T, q *Queue, now time.Time) (out []uint32) {
	t.Helper()
	var kept [][]byte
	for {
		seq, payload, ok := q.Pop(now)
		if !ok {
			break
		}
		out = append(out, seq)
		kept = append(kept, payload)
	}
	for i, seq := range out {
		if string(kept[i]) != string(number(seq)) {
			t.Fatalf("packet %d came with the payload %x", seq, kept[i])
		}
	}
	return out
}

func TestQueue(t *testing.T) {
	const wait = 50
	type step struct {
		at   int
		push string // numbers, or nothing: time passes
		want string
	}
	for _, tt := range []struct {
		name  string
		max   int
		steps []step
	}{
		{"in order", 4, []step{{0, "1", "1"}, {0, "2", "2"}, {9, "", ""}}},
		{"overtaken", 4, []step{{0, "1", "1"}, {1, "3", ""}, {2, "4", ""}, {3, "2", "2 3 4"}, {4, "5", "5"}}},
		{"lost", 4, []step{{0, "1", "1"}, {1, "3", ""}, {50, "", ""}, {51, "", "3"}, {52, "4", "4"}}},
		{"too late", 4, []step{{0, "1", "1"}, {1, "3", ""}, {51, "", "3"}, {52, "2", ""}, {53, "4", "4"}}},
		{"two gaps, one wait", 8, []step{{0, "1", "1"}, {1, "5", ""}, {30, "3", ""}, {51, "", "3 5"}}},
		{"a later gap waits by itself", 8, []step{{0, "1", "1"}, {1, "3", ""}, {30, "5", ""}, {51, "", "3"}, {79, "", ""}, {80, "", "5"}}},
		{"full", 3, []step{{0, "1", "1"}, {1, "3", ""}, {1, "4", ""}, {1, "6", "3 4"}, {1, "5", "5 6"}}},
		{"full with a gap behind", 2, []step{{0, "1", "1"}, {1, "3", ""}, {1, "9", "3"}, {2, "", ""}, {51, "", "9"}}},
		{"wrap-around", 4, []step{{0, "4294967294", "4294967294"}, {0, "0", ""}, {0, "1", ""}, {1, "4294967295", "4294967295 0 1"}}},
		{"not drained", 2, []step{{0, "1 2 3", "1 2"}, {0, "3", "3"}}},
		{"the same twice", 4, []step{{0, "1", "1"}, {0, "3 3", ""}, {1, "2", "2 3"}}},
		{"too late by a whole window", 4, []step{{0, "1", "1"}, {0, "513", ""}, {50, "", "513"}, {51, "2", ""}, {52, "514", "514"}}},
		{"numbers begin anew", 4, []step{{0, "70000", "70000"}, {0, "70002", ""}, {1, "7", "7"}, {1, "8", "8"}}},
		{"far ahead", 4, []step{{0, "1", "1"}, {0, "70000", ""}, {50, "", "70000"}, {51, "70001", "70001"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := NewQueue(tt.max, wait*time.Millisecond)
			for i, s := range tt.steps {
				for _, f := range strings.Fields(s.push) {
					var seq uint32
					fmt.Sscan(f, &seq)
					payload := number(seq)
					q.Push(at(s.at), seq, payload)
					clear(payload) // the queue has its own copy
				}
				got := strings.Trim(fmt.Sprint(drain(t, q, at(s.at))), "[]")
				if got != s.want {
					t.Fatalf("step %d: %q, want %q", i, got, s.want)
				}
			}
			if !q.Deadline().IsZero() {
				t.Errorf("drained, and a deadline at %v", q.Deadline())
			}
		})
	}
}

func TestQueueDeadline(t *testing.T) {
	q := NewQueue(8, 50*time.Millisecond)
	q.Push(at(0), 1, nil)
	q.Pop(at(0))
	q.Push(at(5), 9, nil)
	q.Push(at(7), 5, nil)
	if got := q.Deadline(); !got.Equal(at(55)) {
		t.Errorf("Deadline = %v, want that of the earliest arrival", got)
	}
	if want := (QueueStats{Held: 2}); q.Stats() != want {
		t.Errorf("%+v, want %+v", q.Stats(), want)
	}
	q.Pop(at(55))
	if want := (QueueStats{Held: 2, GivenUp: 3}); q.Stats() != want {
		t.Errorf("%+v, want %+v", q.Stats(), want)
	}
}

func TestQueueBypass(t *testing.T) {
	q := NewQueue(4, time.Second)
	for i, step := range []struct {
		seq  uint32
		want bool
	}{{1, true}, {2, true}, {4, false}, {3, true}} {
		if got := q.Bypass(step.seq); got != step.want {
			t.Fatalf("step %d: Bypass(%d) = %v", i, step.seq, got)
		}
	}
	q.Push(start, 5, number(5))
	if q.Bypass(4) {
		t.Error("bypassed a packet that is held")
	}
	q.Push(start, 4, number(4))
	if got := fmt.Sprint(drain(t, q, start)); got != "[4 5]" {
		t.Errorf("then %s", got)
	}
}

// Under any loss and reordering the output rises, nothing is delivered twice or made up, and nothing waits longer than
// it may.
func TestQueueProperties(t *testing.T) {
	const wait = 20 * time.Millisecond
	for seed := range int64(200) {
		rng := rand.New(rand.NewSource(seed))
		max := 1 + rng.Intn(12)
		q := NewQueue(max, wait)
		base := uint32(0) - uint32(rng.Intn(200))
		var order []uint32
		for i := range uint32(300) {
			if i == 0 || rng.Intn(10) > 0 {
				order = append(order, base+i)
			}
		}
		reach := 1 + rng.Intn(8)
		for i := 1; i < len(order); i++ {
			if j := 1 + rng.Intn(reach); i+j < len(order) && rng.Intn(3) == 0 {
				order[i], order[i+j] = order[i+j], order[i]
			}
		}
		var out []uint32
		pushed := map[uint32]time.Time{}
		now := start
		check := func() {
			for _, seq := range drain(t, q, now) {
				when, known := pushed[seq]
				if !known {
					t.Fatalf("seed %d: packet %d was never pushed, or comes twice", seed, seq-base)
				}
				delete(pushed, seq)
				if n := len(out); n > 0 && int32(seq-out[n-1]) <= 0 {
					t.Fatalf("seed %d: packet %d after %d", seed, seq-base, out[n-1]-base)
				}
				if now.Sub(when) > wait {
					t.Fatalf("seed %d: packet %d waited %v", seed, seq-base, now.Sub(when))
				}
				out = append(out, seq)
			}
		}
		for _, seq := range order {
			next := now.Add(time.Duration(rng.Intn(5)) * time.Millisecond)
			for d := q.Deadline(); !d.IsZero() && !d.After(next); d = q.Deadline() {
				now = d
				check()
			}
			now = next
			pushed[seq] = now
			q.Push(now, seq, number(seq))
			check()
		}
		for !q.Deadline().IsZero() {
			now = q.Deadline()
			check()
		}
		s := q.Stats()
		if s.Dropped != 0 || uint64(len(out))+s.TooLate != uint64(len(order)) {
			t.Fatalf("seed %d: %d pushed, %d delivered, %+v", seed, len(order), len(out), s)
		}
	}
}

func TestQueueReusesBuffers(t *testing.T) {
	q := NewQueue(8, time.Second)
	payload := make([]byte, 1400)
	seq := uint32(0)
	round := func() {
		q.Push(start, seq+1, payload)
		q.Push(start, seq, payload)
		for {
			if _, _, ok := q.Pop(start); !ok {
				break
			}
		}
		seq += 2
	}
	q.Push(start, 0, payload)
	q.Pop(start)
	seq = 1
	for range 4 {
		round()
	}
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}
