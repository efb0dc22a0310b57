package gre

import "time"

// What Acks does where its fields are zero.
const (
	DefaultAckDelay = 100 * time.Millisecond
	DefaultAckEvery = 32
)

// Acks decides when to acknowledge what came in: with the next packet that goes out anyway, or with one of its own when
// none goes out within Delay, or when Every packets have come (RFC 2637, Section 4.2). The zero value is ready and uses
// the defaults. It is not safe for concurrent use.
type Acks struct {
	Delay time.Duration // 0: DefaultAckDelay
	Every int           // 0: DefaultAckEvery

	started bool
	highest uint32
	pending int       // packets since the last acknowledgment
	since   time.Time // when the first of them came
}

// Received takes note of a packet that is to be delivered. sendNow: acknowledge without delay.
func (a *Acks) Received(now time.Time, seq uint32) (sendNow bool) {
	if a.started {
		// What is delivered is at most a window behind; further back means that the numbers began anew.
		if back := a.highest - seq; back < Window {
			return false
		}
	}
	a.started, a.highest = true, seq
	if a.pending == 0 {
		a.since = now
	}
	a.pending++
	every := a.Every
	if every == 0 {
		every = DefaultAckEvery
	}
	return a.pending >= every
}

// Take returns the number to acknowledge. ok is false when the peer knows of all; each number is given out once.
func (a *Acks) Take() (ack uint32, ok bool) {
	ok = a.pending > 0
	a.pending = 0
	return a.highest, ok
}

// Deadline returns when an acknowledgment of its own is due; zero: none is pending.
func (a *Acks) Deadline() time.Time {
	if a.pending == 0 {
		return time.Time{}
	}
	delay := a.Delay
	if delay == 0 {
		delay = DefaultAckDelay
	}
	return a.since.Add(delay)
}
