package ppp

import (
	"encoding/binary"
	"time"
)

// probeTries is how many Echo-Requests a probe sends at most.
const probeTries = 4

// echo watches that the peer is there: after a while of silence it is asked
// with LCP Echo-Requests, and anything it sends counts as an answer. A probe
// asks at once, and only the reply to that counts: what else comes may have
// been on its way, and does not show that we are heard.
type echo struct {
	l        *Link
	open     bool      // LCP is: the peer answers
	running  bool      // silence is watched for
	deadline time.Time // of the next Echo-Request
	pending  int       // Echo-Requests since the peer was last heard
	id       byte      // of the last one
	sentAt   time.Time
	asked    bool // it has no reply yet

	probing bool
	first   byte // the probe's first id
	again   time.Time
	every   time.Duration
	until   time.Time
}

func (e *echo) start(now time.Time) {
	e.open = true
	if e.l.cfg.Echo.Interval > 0 {
		e.running = true
		e.heard(now)
	}
}

func (e *echo) stop() { *e = echo{l: e.l} }

// heard puts the next Echo-Request off.
func (e *echo) heard(now time.Time) {
	if e.running {
		e.pending = 0
		e.deadline = now.Add(e.l.cfg.Echo.Interval)
	}
}

// probe asks now, and again a few times within that time.
func (e *echo) probe(now time.Time, within time.Duration) {
	if !e.open {
		return
	}
	e.probing, e.every, e.until = true, within/probeTries, now.Add(within)
	e.again = now.Add(e.every)
	e.request(now)
	e.first = e.id
}

func (e *echo) replied(now time.Time, id byte) {
	// The reply to an earlier request of the probe is as good.
	if !e.asked || id != e.id && !(e.probing && id-e.first < e.id-e.first) {
		e.l.stats.BadIdentifier++
		return
	}
	e.asked, e.probing = false, false
	e.l.emit(EchoReplied{now.Sub(e.sentAt)})
}

func (e *echo) advance(now time.Time) {
	if e.probing && !now.Before(e.until) {
		e.probing = false
		e.l.emit(ProbeFailed{})
	}
	if e.probing && !now.Before(e.again) {
		e.again = now.Add(e.every)
		e.request(now)
	}
	if !e.running || now.Before(e.deadline) {
		return
	}
	if e.pending >= e.l.cfg.Echo.Failures {
		e.l.abort(now, &EchoError{e.pending})
		return
	}
	e.pending++
	e.deadline = now.Add(e.l.cfg.Echo.Interval)
	e.request(now)
}

func (e *echo) request(now time.Time) {
	m := &e.l.lcpM
	m.id++
	e.id, e.sentAt, e.asked = m.id, now, true
	e.l.sendPacket(ProtocolLCP, Packet{EchoRequest, e.id, binary.BigEndian.AppendUint32(nil, e.l.lcp.ourMagic())})
}

// due returns when to advance; zero: not.
func (e *echo) due() time.Time {
	var t time.Time
	if e.running {
		t = e.deadline
	}
	if e.probing {
		for _, p := range []time.Time{e.again, e.until} {
			if t.IsZero() || p.Before(t) {
				t = p
			}
		}
	}
	return t
}
