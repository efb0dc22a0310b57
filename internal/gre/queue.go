package gre

import "time"

// QueueStats counts what a Queue did.
type QueueStats struct {
	Held    uint64 // packets that had to wait for an earlier one
	GivenUp uint64 // missing packets no longer waited for
	TooLate uint64 // discarded: came after they were given up
	Dropped uint64 // discarded: the queue was full and not drained, or the numbers began anew
}

// Queue brings packets back into order, for stateful MPPE, where one that was overtaken costs a resynchronisation. It
// holds a bounded number of packets for a bounded time and copies what it holds. After each Push call Pop until it
// returns false, and again at the Deadline. It is not safe for concurrent use.
type Queue struct {
	max  int
	wait time.Duration

	started bool
	next    uint32 // the number to deliver next
	held    []held // rising by distance from next
	spent   [][]byte
	free    [][]byte
	stats   QueueStats
}

type held struct {
	seq  uint32
	data []byte
	at   time.Time
}

// NewQueue returns a queue of at most max packets (at least 1), none of which waits longer than wait.
func NewQueue(max int, wait time.Duration) *Queue {
	if max < 1 {
		max = 1
	}
	return &Queue{max: max, wait: wait}
}

// Bypass reports whether the packet numbered seq can be delivered as it is, with nothing before it, and counts it as
// delivered if so. It spares the common case the copy of Push and Pop.
func (q *Queue) Bypass(seq uint32) bool {
	if len(q.held) > 0 || q.started && seq != q.next {
		return false
	}
	q.started, q.next = true, seq+1
	return true
}

// Push takes a packet that Receiver.Receive called InOrder, Ahead or Late. The first one sets the base. Push ends the
// validity of what Pop returned before.
func (q *Queue) Push(now time.Time, seq uint32, payload []byte) {
	q.free = append(q.free, q.spent...)
	q.spent = q.spent[:0]
	if !q.started {
		q.started, q.next = true, seq
	}
	if behind := q.next - seq; behind != 0 && behind < 1<<31 {
		if behind <= Window {
			q.stats.TooLate++
			return
		}
		q.restart(seq) // a Receiver lets nothing through that is older: the numbers began anew
	}
	at := len(q.held)
	for at > 0 && seq-q.next < q.held[at-1].seq-q.next {
		at--
	}
	if at > 0 && q.held[at-1].seq == seq || len(q.held) == q.max {
		q.stats.Dropped++
		return
	}
	var buf []byte
	if n := len(q.free); n > 0 {
		buf, q.free = q.free[n-1][:0], q.free[:n-1]
	}
	q.held = append(q.held, held{})
	copy(q.held[at+1:], q.held[at:])
	q.held[at] = held{seq: seq, data: append(buf, payload...), at: now}
	if seq != q.next {
		q.stats.Held++
	}
}

func (q *Queue) restart(seq uint32) {
	for _, h := range q.held {
		q.free = append(q.free, h.data)
	}
	q.stats.Dropped += uint64(len(q.held))
	q.held, q.next = q.held[:0], seq
}

// Pop returns the next packet in order: the one that follows the last, or, where that is missing, the first behind the
// gap once the wait is over or the queue is full. The payload is valid until the next Push.
func (q *Queue) Pop(now time.Time) (seq uint32, payload []byte, ok bool) {
	if len(q.held) == 0 {
		return 0, nil, false
	}
	head := q.held[0]
	if head.seq != q.next && len(q.held) < q.max && now.Before(q.Deadline()) {
		return 0, nil, false
	}
	q.stats.GivenUp += uint64(head.seq - q.next)
	q.next = head.seq + 1
	copy(q.held, q.held[1:])
	q.held[len(q.held)-1] = held{}
	q.held = q.held[:len(q.held)-1]
	q.spent = append(q.spent, head.data)
	return head.seq, head.data, true
}

// Deadline returns when the wait for the first missing packet is over; zero: nothing is held. A gap shows by the first
// packet behind it, so it is waited for from the time the earliest of the held ones came.
func (q *Queue) Deadline() time.Time {
	if len(q.held) == 0 {
		return time.Time{}
	}
	first := q.held[0].at
	for _, h := range q.held[1:] {
		if h.at.Before(first) {
			first = h.at
		}
	}
	return first.Add(q.wait)
}

// Stats returns the counts so far.
func (q *Queue) Stats() QueueStats { return q.stats }
