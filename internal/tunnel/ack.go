package tunnel

import (
	"sync"
	"time"

	"goppptp/internal/gre"
)

// acknowledge sends an acknowledgement on its own if one is due.
func (s *Session) acknowledge(now time.Time) {
	if s.acks.expired(now) {
		s.sendAck()
	}
}

// acknowledgeMany sends one if many packets have come without.
func (s *Session) acknowledgeMany(now time.Time) {
	many, arm := s.acks.check(now)
	if many {
		s.sendAck()
	} else if arm {
		s.notify(noticeAck)
	}
}

func (s *Session) sendAck() {
	t := &s.send
	t.mu.Lock()
	defer t.mu.Unlock()
	ack, ok := s.acks.take()
	if !ok {
		return
	}
	l := getLoad(gre.MaxHeaderLen)
	h := t.seq.AckOnly(ack)
	p := l.slot(0)
	l.batch = append(l.batch, p[:h.Put(p, 0)])
	s.hand(l)
}

// ackState is what the way in leaves for the way out to acknowledge.
type ackState struct {
	mu     sync.Mutex // guards the rest; may be taken while holding the others
	policy gre.Acks
	many   bool      // enough has come to say so at once
	armed  time.Time // when the loop looks; zero: it does not
	waits  bool
}

func (a *ackState) received(now time.Time, seq uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.policy.Received(now, seq) {
		a.many = true
	}
	a.waits = true
}

// check reports after a batch whether to acknowledge at once, or else whether
// the loop's timer is to be armed. While it is armed the loop need not be told
// of more.
func (a *ackState) check(now time.Time) (many, arm bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.many {
		return true, false
	}
	if a.waits && a.armed.IsZero() {
		a.armed = now.Add(a.policy.Delay)
		return false, true
	}
	return false, false
}

func (a *ackState) take() (uint32, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.many, a.waits = false, false
	return a.policy.Take()
}

func (a *ackState) deadline() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.armed
}

// expired disarms a timer that has run out and reports whether it had.
func (a *ackState) expired(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.armed.IsZero() || now.Before(a.armed) {
		return false
	}
	a.armed = time.Time{}
	return true
}
