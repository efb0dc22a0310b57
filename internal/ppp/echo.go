package ppp

import (
	"encoding/binary"
	"time"
)

// echo watches that the peer is there: after a while of silence it is asked
// with LCP Echo-Requests, and anything it sends counts as an answer.
type echo struct {
	l        *Link
	running  bool
	deadline time.Time // of the next Echo-Request
	pending  int       // Echo-Requests since the peer was last heard
	id       byte      // of the last one
	sentAt   time.Time
	asked    bool // it has no reply yet
}

func (e *echo) start(now time.Time) {
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

func (e *echo) replied(now time.Time, id byte) {
	if !e.running || !e.asked || id != e.id {
		e.l.stats.BadIdentifier++
		return
	}
	e.asked = false
	e.l.emit(EchoReply{now.Sub(e.sentAt)})
}

func (e *echo) advance(now time.Time) {
	if !e.running || now.Before(e.deadline) {
		return
	}
	if e.pending >= e.l.cfg.Echo.Failures {
		e.l.abort(now, &EchoError{e.pending})
		return
	}
	e.pending++
	m := &e.l.lcpM
	m.id++
	e.id, e.sentAt, e.asked = m.id, now, true
	e.deadline = now.Add(e.l.cfg.Echo.Interval)
	e.l.sendPacket(ProtocolLCP, Packet{EchoRequest, e.id, binary.BigEndian.AppendUint32(nil, e.l.lcp.ourMagic())})
}
