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
