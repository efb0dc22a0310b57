package tunnel

import (
	"sync"
	"time"

	"goppptp/internal/gre"
)

// acknowledgeMany sends an acknowledgement on its own if many packets have come
// without one, and else sees to it that one is sent soon.
func (s *Session) acknowledgeMany() {
	many, list := s.acks.check()
	if many {
		s.sendAck()
	} else if list {
		s.cfg.workers.acks.owe(s)
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
	many   bool // enough has come to say so at once
	waits  bool // something has come
	listed bool // the ackClock knows
	over   bool // nothing is acknowledged any more
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
// the ackClock is to be told.
func (a *ackState) check() (many, list bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.many {
		return true, false
	}
	list = a.waits && !a.listed
	a.listed = a.listed || list
	return false, list
}

func (a *ackState) take() (uint32, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.many, a.waits = false, false
	return a.policy.Take()
}

// due takes the session off the ackClock's list and reports whether there is
// still something to acknowledge.
func (a *ackState) due() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listed = false
	return a.waits && !a.over
}

func (a *ackState) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

// An ackClock sends the acknowledgements that found no packet to travel with.
// One timer serves all sessions: one for each would cost more than the packets
// that come while few of them come.
type ackClock struct {
	mu    sync.Mutex
	owing []*Session // mu guards
	spare []*Session // mu guards; owing, the last time
}

// owe has s acknowledge what it received, not later than ackDelay from now.
func (c *ackClock) owe(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owing = append(c.owing, s)
	if len(c.owing) == 1 {
		time.AfterFunc(ackDelay, c.ring)
	}
}

func (c *ackClock) ring() {
	c.mu.Lock()
	owing := c.owing
	c.owing, c.spare = c.spare[:0], nil
	c.mu.Unlock()
	for _, s := range owing {
		if s.acks.due() {
			s.sendAck()
		}
	}
	clear(owing)
	c.mu.Lock()
	c.spare = owing
	c.mu.Unlock()
}
