package gre

import (
	"container/heap"
	"fmt"
	"time"
)

// An occasion is something that happens in a simulation.
type occasion struct {
	at time.Duration
	n  int // of those at one time: in the order they were made
	do func()
}

type occasions []occasion

func (o occasions) Len() int { return len(o) }
func (o occasions) Less(i, j int) bool {
	return o[i].at < o[j].at || o[i].at == o[j].at && o[i].n < o[j].n
}
func (o occasions) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o *occasions) Push(x any)   { *o = append(*o, x.(occasion)) }
func (o *occasions) Pop() any {
	old := *o
	x := old[len(old)-1]
	*o = old[:len(old)-1]
	return x
}

// A world is a sender, a way and a peer, in simulated time. It is what a SendWindow is tried out in.
type world struct {
	// What it is like.
	way     time.Duration // one way
	rate    int           // packets a second that the peer, or the way, takes
	gulp    int           // so many of them at once, and then a pause; 0: evenly
	room    int           // packets that may wait for that
	every   int           // the peer acknowledges when so many have come; 0: not so
	delay   time.Duration // or when the first has waited that long; 0: not so
	drained bool          // or when none is left to read, and there were two
	offered int           // packets a second to send; 0: as many as possible
	burst   int           // that come at once; 0: 46, a large segment

	w     SendWindow
	now   time.Duration
	queue occasions
	n     int

	next      uint32 // the number to send next
	backlog   int
	waiting   bool
	waits     int
	waited    time.Duration
	since     time.Duration
	queued    []uint32
	longest   int
	busy      bool
	gulped    int
	dropped   int
	delivered int
	highest   uint32
	pending   int
	pendingAt time.Duration
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (o *world) time() time.Time { return epoch.Add(o.now) }

func (o *world) after(d time.Duration, do func()) {
	o.n++
	heap.Push(&o.queue, occasion{o.now + d, o.n, do})
}

func (o *world) run(d time.Duration) {
	end := o.now + d
	for len(o.queue) > 0 && o.queue[0].at <= end {
		x := heap.Pop(&o.queue).(occasion)
		o.now = x.at
		x.do()
	}
	o.now = end
}

// start offers packets, and has the peer acknowledge one, as it does while PPP is negotiated.
func (o *world) start() {
	if o.burst == 0 {
		o.burst = 46
	}
	o.next = 1
	if o.w.Sent(0) {
		o.w.Mark(o.time())
	}
	if o.every+int(o.delay) > 0 || o.drained {
		o.after(2*o.way, func() { o.w.Acked(o.time(), 0) })
	}
	o.run(2*o.way + time.Millisecond)
	if o.offered > 0 {
		var offer func()
		offer = func() {
			o.backlog += o.burst
			o.send()
			o.after(time.Second*time.Duration(o.burst)/time.Duration(o.offered), offer)
		}
		offer()
	} else {
		o.backlog = 1 << 40
		o.after(0, o.send)
	}
}

// send sends what may go.
func (o *world) send() {
	if o.waiting {
		return
	}
	n := min(o.w.Allowance(), o.backlog, o.burst)
	if n == 0 {
		if o.backlog > 0 {
			o.wait()
		}
		return
	}
	first := o.next
	o.next += uint32(n)
	o.backlog -= n
	if o.w.Sent(o.next - 1) {
		o.w.Mark(o.time())
	}
	o.after(o.way, func() {
		for seq := first; seq != first+uint32(n); seq++ {
			o.arrive(seq)
		}
	})
	o.after(time.Duration(n)*time.Microsecond, o.send) // a million packets a second are plenty
}

func (o *world) wait() {
	if !o.w.Wait(o.time()) {
		o.after(0, o.send)
		return
	}
	o.waiting, o.since = true, o.now
	o.waits++
	o.alarm()
}

func (o *world) alarm() {
	d := o.w.Deadline()
	if d.IsZero() {
		panic("waits for nothing")
	}
	o.after(d.Sub(o.time()), func() {
		if d := o.w.Deadline(); !o.waiting || d.IsZero() {
			return
		} else if o.time().Before(d) {
			o.alarm()
			return
		}
		o.w.Advance(o.time())
		o.goOn()
	})
}

func (o *world) goOn() {
	o.waiting = false
	o.waited += o.now - o.since
	o.send()
}

// arrive has a packet wait for the peer.
func (o *world) arrive(seq uint32) {
	if len(o.queued) >= o.room {
		o.dropped++
		return
	}
	o.queued = append(o.queued, seq)
	o.longest = max(o.longest, len(o.queued))
	if !o.busy {
		o.busy = true
		o.after(o.cost(), o.take)
	}
}

func (o *world) cost() time.Duration {
	if o.gulp == 0 {
		return time.Second / time.Duration(o.rate)
	}
	if o.gulped++; o.gulped%o.gulp != 0 {
		return 20 * time.Microsecond
	}
	return time.Second*time.Duration(o.gulp)/time.Duration(o.rate) - 20*time.Microsecond*time.Duration(o.gulp-1)
}

// take has the peer read a packet.
func (o *world) take() {
	seq := o.queued[0]
	o.queued = o.queued[1:]
	o.delivered++
	o.highest = seq
	if o.pending++; o.pending == 1 {
		o.pendingAt = o.now
		if o.delay > 0 {
			at := o.now
			o.after(o.delay, func() {
				if o.pending > 0 && o.pendingAt == at {
					o.ack()
				}
			})
		}
	}
	if len(o.queued) > 0 {
		o.after(o.cost(), o.take)
	} else {
		o.busy = false
	}
	if o.every > 0 && o.pending >= o.every || o.drained && !o.busy && o.pending > 1 {
		o.ack()
	}
}

func (o *world) ack() {
	seq := o.highest
	o.pending = 0
	o.after(o.way, func() {
		if o.w.Acked(o.time(), seq) && o.waiting {
			o.goOn()
		}
	})
}

func (o *world) String() string {
	return fmt.Sprintf("%d delivered, %d dropped, %d queued at most; the sender waited %d times, %v in all; size %d, slack %d, base %v, bw %.0f, truce %v",
		o.delivered, o.dropped, o.longest, o.waits, o.waited, o.w.size, o.w.slack, o.w.base, o.w.bw, o.w.truceLen)
}
