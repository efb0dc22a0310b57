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
	deadline time.Time // of the next Echo-Request
	sentAt   time.Time // of the last one
	pending  int       // Echo-Requests since the peer was last heard
	probing  *probe    // nil: no probe is under way
	open     bool      // LCP is: the peer answers
	running  bool      // silence is watched for
	id       byte      // of the last Echo-Request
	asked    bool      // it has no reply yet
}

// probe is one that has no answer yet.
type probe struct {
	first byte // id
	every time.Duration
	again time.Time // when to ask
	until time.Time
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
	every := within / probeTries
	e.request(now)
	e.probing = &probe{first: e.id, every: every, again: now.Add(every), until: now.Add(within)}
}

func (e *echo) replied(now time.Time, id byte) {
	// The reply to an earlier request of the probe is as good.
	if !e.asked || id != e.id && !(e.probing != nil && id-e.probing.first < e.id-e.probing.first) {
		e.l.stats.BadIdentifier++
		return
	}
	e.asked, e.probing = false, nil
	e.l.emit(EchoReplied{now.Sub(e.sentAt)})
}

func (e *echo) advance(now time.Time) {
	if p := e.probing; p != nil {
		switch {
		case !now.Before(p.until):
			e.probing = nil
			e.l.emit(ProbeFailed{})
		case !now.Before(p.again):
			p.again = now.Add(p.every)
			e.request(now)
		}
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
	if p := e.probing; p != nil {
		for _, d := range []time.Time{p.again, p.until} {
			if t.IsZero() || d.Before(t) {
				t = d
			}
		}
	}
	return t
}
