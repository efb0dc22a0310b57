package gre

import (
	"math"
	"time"
)

// Our tunables of what a SendWindow waits for; windowsize.go has those of its size.
const (
	// A sender that has waited for patience goes on with another window, and after missesAllowed of them in a row without
	// limit: for a truce, twice as long each time until forgivenAfter periods went well. pptp-linux falls silent for
	// 300 ms when a packet is lost.
	minPatience   = 150 * time.Millisecond
	maxPatience   = time.Second
	missesAllowed = 2
	firstTruce    = time.Second
	maxTruce      = 64 * time.Second
	forgivenAfter = 8

	// What is to fill a long way goes out in so many pieces each round trip, no less than minSlot apart.
	slots   = 8
	minSlot = time.Millisecond / 2
	haste   = 1.25

	// So many round trips are measured at once, then one among so many packets.
	baseSamples = 16
	baseEvery   = 256
)

// Unlimited is what Allowance returns where there is no limit.
const Unlimited = math.MaxInt32

// A SendWindow limits how many packets of a call are in flight, so that a burst does not overrun the peer: RFC 2637,
// Section 4.3, with a size of our own, for the peers' announced ones say little (pptp-linux: 3; pptpd: what we say). A raw
// socket of Linux holds 50 to 92 packets until its program reads them, and pptp-linux waits 300 ms for each packet
// that is missing.
//
// The size is what the way to the peer holds (its rate times the shortest round trip seen) and a slack that waits at the
// peer. It shrinks when round trips tell of a longer queue than that, and grows when they do not; a larger slack is
// tried now and then and kept if it carries more, as with a peer that acknowledges late.
//
// There is no limit before the peer has acknowledged anything, nor for a while after it has kept a full window waiting:
// some acknowledge only what they have an answer to.
//
// It is not safe for concurrent use. The zero value is ready, for a call whose numbers begin at 0.
//
//	n := w.Allowance()
//	if n == 0 && w.Wait(now) {
//		// until Acked returns true, or w.Advance was called at w.Deadline()
//	}
//	if w.Sent(last) { // up to n packets
//		w.Mark(now)
//	}
type SendWindow struct {
	// Slack is how many packets the peer can be trusted to hold; less than DefaultSlack counts as that. It is not to be
	// changed once packets were sent.
	Slack int

	next, acked uint32 // the number to be sent next, and the lowest that is not acknowledged
	from        uint32 // where what is in flight begins: acked, or later
	heard       bool   // the peer has acknowledged something
	size        int    // packets in flight at most

	full     bool      // the sender waits for an acknowledgment
	since    time.Time // when it began to, or heard the last one
	misses   int       // how often in a row that took too long
	truce    bool      // no limit
	until    time.Time // when truce is over, with the next acknowledgment
	truceLen time.Duration
	good     int // periods since the last miss

	paused bool // the sender waits for the next slot
	slot   time.Time
	credit int // packets that may still go in this one

	// The round trip that is being measured, and what others have shown.
	timing   bool
	mark     uint32
	flight   int // how many were in flight, if a full window is measured; 0: not so
	at       time.Time
	samples  int
	base     time.Duration // the shortest
	rtt, dev time.Duration // of full windows: RTT and DEV of RFC 2637, Section 4.4

	estimate
}

func (w *SendWindow) inFlight() int { return int(min(w.next-w.from, maxSize)) }

// Allowance returns how many packets may go now. 0 calls for Wait.
func (w *SendWindow) Allowance() int {
	switch {
	case !w.heard || w.truce:
		return Unlimited
	case w.full || w.paused:
		return 0
	}
	room := w.size - w.inFlight()
	if w.paced() {
		room = min(room, w.credit)
	}
	return max(room, 0)
}

// Sent takes note of packets that go out, the last of them numbered last. It tells whether to call Mark.
func (w *SendWindow) Sent(last uint32) (mark bool) {
	if w.slack == 0 {
		w.Slack = min(max(w.Slack, DefaultSlack), maxSlack)
		w.start(w.Slack)
		w.size = w.Slack
	}
	w.credit -= int(min(last+1-w.next, maxSize))
	w.next = last + 1
	return !w.timing && (w.samples < baseSamples || last-w.mark >= baseEvery)
}

// Mark tells when the packets that Sent was told of just now go out.
func (w *SendWindow) Mark(now time.Time) { w.measure(now, 0) }

func (w *SendWindow) measure(now time.Time, flight int) {
	w.timing, w.mark, w.flight, w.at = true, w.next-1, flight, now
}

// Wait tells that there are packets to send and Allowance is 0. It reports whether to wait for Acked, and for Deadline;
// else Allowance is not 0 any more.
func (w *SendWindow) Wait(now time.Time) bool {
	if w.full || w.paused {
		return true
	}
	if w.inFlight() < w.size {
		if w.paused = now.Before(w.slot.Add(w.slotLen())); !w.paused {
			w.refill(now)
		}
		return w.paused
	}
	w.full, w.since = true, now
	w.stops++
	if !w.timing || w.flight == 0 {
		w.measure(now, w.inFlight())
	}
	return true
}

// paced reports whether a window is spread over the round trip: where most of it is on a long way, not at the peer.
func (w *SendWindow) paced() bool { return w.size > 2*w.slack && w.base >= slots*minSlot }

func (w *SendWindow) slotLen() time.Duration { return w.base / slots }

func (w *SendWindow) refill(now time.Time) {
	w.slot, w.credit = now, max(w.slack, int(haste/slots*float64(w.size)))
}

// patience is how long a sender waits without a word from the peer: the adaptive time-out of RFC 2637, Section 4.4.
func (w *SendWindow) patience() time.Duration {
	return min(max(w.rtt+4*w.dev, minPatience), maxPatience)
}

// Deadline returns when a sender that waits goes on even if nothing is acknowledged; zero: none waits.
func (w *SendWindow) Deadline() time.Time {
	switch {
	case w.full:
		return w.since.Add(w.patience())
	case w.paused:
		return w.slot.Add(w.slotLen())
	}
	return time.Time{}
}

// Advance lets a sender go on when Deadline has come.
func (w *SendWindow) Advance(now time.Time) {
	if d := w.Deadline(); d.IsZero() || now.Before(d) {
		return
	}
	if w.paused {
		w.paused = false
		w.refill(now)
		return
	}
	w.full, w.timing, w.good = false, false, 0
	w.from = w.next
	w.overrun()
	w.size = min(w.size, w.fits())
	if w.misses++; w.misses > missesAllowed {
		w.misses = 0
		w.truceLen = min(max(2*w.truceLen, firstTruce), maxTruce)
		w.truce, w.until = true, now.Add(w.truceLen)
	}
}

// Acked takes an acknowledgment of all packets up to and including ack, which may be old, or of what was never sent. It
// reports whether a sender that waits is to go on.
func (w *SendWindow) Acked(now time.Time, ack uint32) (goOn bool) {
	settled := ack + 1 - w.acked
	if settled == 0 || settled > w.next-w.acked {
		return false
	}
	w.acked = ack + 1
	if int32(w.acked-w.from) > 0 {
		w.from = w.acked
	}
	w.heard, w.misses, w.since = true, 0, now
	if w.truce && !now.Before(w.until) {
		w.truce, w.from = false, w.next
	}
	if w.timing && int32(ack-w.mark) >= 0 {
		w.timing = false
		w.roundTrip(max(now.Sub(w.at), 1))
	}
	w.count(now, settled)
	// A few at a time: each time the sender is woken costs.
	if !w.full || w.size-w.inFlight() < min(w.size/4, w.slack/2) {
		return false
	}
	w.full = false
	return true
}

// roundTrip takes note of how long one took.
func (w *SendWindow) roundTrip(took time.Duration) {
	w.samples++
	if w.base == 0 || took < w.base {
		w.base = took
	}
	if w.flight == 0 {
		return
	}
	if w.rtt == 0 {
		w.rtt, w.dev = took, took/2
	} else {
		diff := took - w.rtt
		w.rtt += diff / 8
		w.dev += (max(diff, -diff) - w.dev) / 4
	}
	w.queue(w.flight, float64(w.base)/float64(took))
}
