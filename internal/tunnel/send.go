package tunnel

import "goppptp/internal/gre"

// hand gives a load to the socket. t.mu is held.
func (s *Session) hand(l *load) {
	if err := s.cfg.send(l.batch); err != nil {
		s.stats.sendErrors.Add(1)
		if s.sendErr.Swap(&err) == nil {
			s.cfg.log.Warn("cannot send to the peer", "error", err)
		}
	}
	putLoad(l)
}

// sendFrame sends a PPP frame of a control protocol.
func (s *Session) sendFrame(frame []byte) {
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	l := getLoad(gre.MaxHeaderLen + len(frame))
	p := l.slot(0)[:gre.MaxHeaderLen+len(frame)]
	copy(p[gre.MaxHeaderLen:], frame)
	l.batch = append(l.batch, s.number(p, gre.MaxHeaderLen, true))
	if f := s.send.flow.Load(); f != nil {
		f.sent(s.send.seq.Last())
	}
	s.hand(l)
}
