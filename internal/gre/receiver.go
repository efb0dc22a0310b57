package gre

import "fmt"

// Window is how many sequence numbers, up to and including the highest received, a Receiver remembers.
const Window = 512

// How many packets, in rising order, must speak for a number outside the window before it is believed.
const (
	proofAhead = 3
	proofBack  = 8
)

// Verdict is what a sequence number says about the packet that came with it.
type Verdict uint8

const (
	InOrder   Verdict = iota + 1 // the next one, or the first
	Ahead                        // packets before it are missing
	Late                         // fills a gap: an earlier packet that was overtaken
	Duplicate                    // seen before: discard
	Old                          // outside the window: discard
)

func (v Verdict) String() string {
	switch v {
	case InOrder:
		return "in order"
	case Ahead:
		return "ahead"
	case Late:
		return "late"
	case Duplicate:
		return "duplicate"
	case Old:
		return "old"
	}
	return fmt.Sprintf("verdict %d", uint8(v))
}

// Deliver reports whether the packet is to be used: it is InOrder, Ahead or Late.
func (v Verdict) Deliver() bool { return v == InOrder || v == Ahead || v == Late }

// Stats counts the packets of one call by verdict.
type Stats struct {
	Received  uint64 // delivered: InOrder, Ahead and Late
	Late      uint64
	Duplicate uint64
	Old       uint64 // outside the window, numbers not believed among them
	Lost      uint64 // numbers skipped and not seen since: an estimate, as some may still come
	Jumps     uint64 // numbers outside the window that were believed in the end
}

// Receiver judges the sequence numbers that come in on one call. The zero value is ready; the first packet sets the
// base. It is not safe for concurrent use.
type Receiver struct {
	highest uint32
	started bool
	reach   uint32              // how many numbers below highest lie at or above the base, at most Window
	seen    [Window / 64]uint64 // bit seq%Window, for highest-Window < seq <= highest

	wild  uint32 // last number outside the window
	proof int    // how many packets speak for it, 0: none
	stats Stats
}

// Receive judges the packet numbered seq and takes note of it. See the package comment for numbers far outside the window.
func (r *Receiver) Receive(seq uint32) Verdict {
	if !r.started {
		r.started = true
		r.rebase(seq)
		r.stats.Received++
		return InOrder
	}
	switch ahead := seq - r.highest; {
	case ahead == 1:
		r.highest = seq
		r.mark(seq)
		r.reach = min(r.reach+1, Window)
		r.proof = 0
		r.stats.Received++
		return InOrder
	case ahead != 0 && ahead < Window:
		for skipped := r.highest + 1; skipped != seq; skipped++ {
			r.seen[skipped%Window/64] &^= 1 << (skipped % 64)
		}
		r.highest = seq
		r.mark(seq)
		r.reach = min(r.reach+ahead, Window)
		r.proof = 0
		r.stats.Received++
		r.stats.Lost += uint64(ahead - 1)
		return Ahead
	}
	back := r.highest - seq
	if back >= Window {
		return r.outside(seq)
	}
	if r.seen[seq%Window/64]&(1<<(seq%64)) != 0 {
		r.stats.Duplicate++
		return Duplicate
	}
	r.mark(seq)
	r.proof = 0
	r.stats.Received++
	r.stats.Late++
	if back <= r.reach { // what lies before the base was never counted as lost
		r.stats.Lost--
	}
	return Late
}

// outside weighs a number that is no neighbour of the window.
func (r *Receiver) outside(seq uint32) Verdict {
	switch step := seq - r.wild; {
	case r.proof > 0 && step != 0 && step < Window:
		r.proof++
		r.wild = seq
	case r.proof > 0 && step == 0: // a repetition speaks neither for nor against
	default:
		r.proof, r.wild = 1, seq
	}
	ahead := int32(seq - r.highest)
	need := proofAhead
	if ahead < 0 {
		need = proofBack
	}
	if r.proof < need {
		r.stats.Old++
		return Old
	}
	if ahead > 0 {
		r.stats.Lost += uint64(ahead - 1)
	}
	r.rebase(seq)
	r.stats.Received++
	r.stats.Jumps++
	return Ahead
}

func (r *Receiver) rebase(seq uint32) {
	r.highest, r.reach, r.proof = seq, 0, 0
	r.seen = [Window / 64]uint64{}
	r.mark(seq)
}

func (r *Receiver) mark(seq uint32) { r.seen[seq%Window/64] |= 1 << (seq % 64) }

// Highest returns the highest sequence number received, which is what to acknowledge; ok is false before the first packet.
func (r *Receiver) Highest() (seq uint32, ok bool) { return r.highest, r.started }

// Stats returns the counts so far.
func (r *Receiver) Stats() Stats { return r.stats }
