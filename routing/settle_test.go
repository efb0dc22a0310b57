package routing

import (
	"testing"
	"time"
)

// settling drives a settler with a clock of its own.
type settling struct {
	t *testing.T
	settler
	now time.Time
}

func newSettling(t *testing.T) *settling {
	return &settling{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (s *settling) change(after time.Duration) {
	s.now = s.now.Add(after)
	s.Handle(s.now)
}

// due goes to the deadline and returns how long that took; -1: there is none.
func (s *settling) due() time.Duration {
	s.t.Helper()
	d := s.Deadline()
	if d.IsZero() {
		return -1
	}
	if early := d.Add(-1); early.After(s.now) {
		s.Advance(early)
		if s.Due() {
			s.t.Fatalf("due before the deadline")
		}
	}
	wait := max(0, d.Sub(s.now))
	if d.After(s.now) {
		s.now = d
	}
	s.Advance(s.now)
	if !s.Due() {
		s.t.Fatalf("not due at the deadline")
	}
	if s.Due() {
		s.t.Fatalf("due twice")
	}
	return wait
}

func (s *settling) want(when string, got, want time.Duration) {
	s.t.Helper()
	if got != want {
		s.t.Fatalf("%s: looked at after %v, want %v", when, got, want)
	}
}

func TestSettle(t *testing.T) {
	s := newSettling(t)
	s.want("nothing has happened", s.due(), -1)
	s.change(0)
	s.change(5 * time.Millisecond)
	s.want("two changes", s.due(), settleQuiet)
	s.want("looked at", s.due(), -1)

	s.Looked(s.now, time.Millisecond, false)
	s.change(time.Second)
	for range 9 {
		s.change(15 * time.Millisecond)
	}
	s.want("135 ms of changes", s.due(), settleMost-135*time.Millisecond)

	// A look that takes long is not taken again at once.
	s.Looked(s.now, time.Second, false)
	s.change(0)
	s.want("after a long look", s.due(), settleShare*time.Second)
}

// Somebody takes a route away every 50 ms; each time it is put back.
func TestSettleQuarrel(t *testing.T) {
	s := newSettling(t)
	var looks []time.Duration
	for range 12 {
		s.change(50 * time.Millisecond)
		looks = append(looks, s.due())
		s.Looked(s.now, 0, true)
	}
	if looks[0] != settleQuiet || looks[1] != settleQuiet {
		t.Errorf("the first two repairs after %v", looks[:2])
	}
	for i := 3; i < len(looks); i++ {
		if looks[i] < looks[i-1] || looks[i] > mendMost {
			t.Errorf("repairs after %v", looks)
			break
		}
	}
	if last := looks[len(looks)-1]; last < mendMost-50*time.Millisecond {
		t.Errorf("the last repair after %v, want about %v", last, mendMost)
	}
	// It has ended: the next time is like the first. Changes that need no
	// repair have not been held up by it at all.
	s.change(5 * time.Minute)
	s.want("peace", s.due(), settleQuiet)
	s.Looked(s.now, 0, true)
	s.change(time.Second)
	s.want("the next", s.due(), settleQuiet)
	s.Looked(s.now, 0, false)
	s.change(time.Millisecond)
	s.want("another", s.due(), settleQuiet)
}
