package tunnel

import (
	"sync"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/offload"
)

// A flow holds the way out back while the peer can take no more. The TUN is not
// read then, so that its queue fills up and TCP slows down.
type flow struct {
	rest rest // owned by who sends

	mu     sync.Mutex
	window gre.SendWindow // mu guards, as what follows
	waits  uint64         // how often somebody had to wait
	goOn   chan struct{}  // nil: nobody ever waited
	timer  *time.Timer    // who waits has it; it tells of times not after rings
	rings  time.Time      // zero: it does not
	closed bool
}

// room is how many packets may go.
func (f *flow) room() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.window.Allowance()
}

// sent takes note of packets that go out now, the last of them numbered last.
func (f *flow) sent(last uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.window.Sent(last) { // seldom: the time is not for nothing
		f.window.Mark(time.Now())
	}
}

// acked takes an acknowledgement.
func (f *flow) acked(now time.Time, ack uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.window.Acked(now, ack) {
		f.wakeLocked()
	}
}

// full reports whether to wait, by await, when there is no room.
func (f *flow) full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return true
	}
	waits := !f.window.Deadline().IsZero() // already
	if !f.window.Wait(time.Now()) {
		return false
	}
	if !waits {
		f.waits++
	}
	if f.goOn == nil {
		f.goOn = make(chan struct{}, 1)
		f.timer = time.NewTimer(time.Hour)
		f.timer.Stop()
	}
	return true
}

// await waits until there is room, and reports whether there is: the session may
// be over.
func (f *flow) await() bool {
	for {
		f.mu.Lock()
		if at := f.window.Deadline(); !at.IsZero() && !f.closed {
			// Acknowledgements put it off all the time: the timer need not follow.
			if f.rings.IsZero() || at.Before(f.rings) {
				f.rings = at
				f.timer.Reset(time.Until(at))
			}
		}
		waits, closed := !f.window.Deadline().IsZero(), f.closed
		f.mu.Unlock()
		if closed || !waits {
			return !closed
		}
		select {
		case <-f.goOn:
		case now := <-f.timer.C:
			f.mu.Lock()
			f.rings = time.Time{}
			f.window.Advance(now)
			f.mu.Unlock()
		}
	}
}

func (f *flow) wakeLocked() {
	select {
	case f.goOn <- struct{}{}:
	default:
	}
}

func (f *flow) waited() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waits
}

// close has nobody wait any more.
func (f *flow) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.wakeLocked()
}

// A rest is what is left of a frame of the TUN while there is no room for its
// packets. Only then does a session hold one.
type rest struct {
	frame    *tunFrame
	splitter offload.Splitter
}

type tunFrame [offload.MaxFrame]byte

var tunFrames = sync.Pool{New: func() any { return new(tunFrame) }}

// keep takes what is left of x's frame, if anything is.
func (r *rest) keep(x *scratch) {
	if x.splitter.Empty() {
		return
	}
	r.frame, r.splitter = x.frame, x.splitter
	x.frame, x.splitter = tunFrames.Get().(*tunFrame), offload.Splitter{}
}

// giveBack has x go on with what was kept.
func (r *rest) giveBack(x *scratch) {
	if r.frame == nil {
		return
	}
	tunFrames.Put(x.frame)
	x.frame, x.splitter = r.frame, r.splitter
	*r = rest{}
}
