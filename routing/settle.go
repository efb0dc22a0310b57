package routing

import "time"

const (
	settleQuiet = 20 * time.Millisecond  // without a change, after which it is looked at
	settleMost  = 150 * time.Millisecond // that changes are left unlooked at while they go on
	settleShare = 3                      // looking takes at most a part of 1/(1+settleShare) of the time
	mendCalm    = 10 * time.Second       // between two repairs, from which on they are no quarrel
	mendFirst   = 100 * time.Millisecond // the pause in a quarrel; doubled up to mendMost
	mendMost    = 10 * time.Second
)

// settler decides when changes of the network are looked at: soon after they
// have ceased, and not for ever later while they go on. Somebody who undoes
// every repair is answered less and less often. It is a core: Handle for each
// change, Advance when the Deadline has passed, then Due; Looked afterwards.
type settler struct {
	first, latest time.Time // of the changes that have not been looked at; zero: none
	notBefore     time.Time
	mended        time.Time // the latest repair
	pause         time.Duration
	due           bool
}

// Handle notes a change.
func (s *settler) Handle(now time.Time) {
	if s.first.IsZero() {
		s.first = now
	}
	s.latest = now
}

// Deadline returns when to Advance; zero: not before the next change.
func (s *settler) Deadline() time.Time {
	if s.first.IsZero() {
		return time.Time{}
	}
	t := s.latest.Add(settleQuiet)
	if most := s.first.Add(settleMost); most.Before(t) {
		t = most
	}
	if t.Before(s.notBefore) {
		t = s.notBefore
	}
	return t
}

// Advance decides what is due by now.
func (s *settler) Advance(now time.Time) {
	if d := s.Deadline(); !d.IsZero() && !now.Before(d) {
		s.due = true
		s.first, s.latest = time.Time{}, time.Time{}
	}
}

// Due reports, once, whether it is time to look.
func (s *settler) Due() bool {
	due := s.due
	s.due = false
	return due
}

// Looked tells that a look took the time until now, and whether it had to put
// something right.
func (s *settler) Looked(now time.Time, took time.Duration, mended bool) {
	wait := settleShare * took
	if mended {
		switch {
		case s.mended.IsZero() || now.Sub(s.mended) > mendCalm+s.pause:
			s.pause = 0
		case s.pause == 0:
			s.pause = mendFirst
		default:
			s.pause = min(2*s.pause, mendMost)
		}
		s.mended = now
		wait = max(wait, s.pause)
	}
	s.notBefore = now.Add(wait)
}
