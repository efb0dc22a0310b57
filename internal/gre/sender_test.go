package gre

import "testing"

func TestSender(t *testing.T) {
	s := NewSender(0xd8c1, 0xffffffff)
	if got, want := s.Next(0, false), (Header{CallID: 0xd8c1, HasSeq: true, Seq: 0xffffffff}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := s.Next(9, true), (Header{CallID: 0xd8c1, HasSeq: true, Seq: 0, HasAck: true, Ack: 9}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := s.AckOnly(11), (Header{CallID: 0xd8c1, HasAck: true, Ack: 11}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s.Last() != 0 || s.next != 1 {
		t.Errorf("the last number is %d, the next %d, want 0 and 1", s.Last(), s.next)
	}
}

func TestSenderAcked(t *testing.T) {
	s := NewSender(1, 1)
	for range 5 { // 1..5
		s.Next(0, false)
	}
	for i, step := range []struct{ ack, settled, unacked uint32 }{
		{0, 0, 5}, // nothing yet
		{2, 2, 3},
		{2, 0, 3}, // again
		{1, 0, 3}, // overtaken
		{6, 0, 3}, // never sent
		{0x80000000, 0, 3},
		{5, 3, 0},
		{5, 0, 0},
	} {
		if got := s.Acked(step.ack); got != step.settled || s.Unacked() != step.unacked {
			t.Errorf("step %d: Acked(%d) = %d, Unacked = %d; want %d, %d", i, step.ack, got, s.Unacked(), step.settled, step.unacked)
		}
	}
}

func TestSenderNeverAcked(t *testing.T) {
	s := &Sender{next: maxUnacked - 1}
	for range 3 {
		s.Next(0, false)
	}
	if s.Unacked() != maxUnacked {
		t.Errorf("Unacked = %d, want %d", s.Unacked(), maxUnacked)
	}
	if got := s.Acked(s.next - 1); got != maxUnacked || s.Unacked() != 0 {
		t.Errorf("the first acknowledgment after long silence settles %d, leaves %d", got, s.Unacked())
	}
}
