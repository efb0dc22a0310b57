package gre

import (
	"testing"
	"time"
)

var start = time.Unix(1000, 0)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func TestAcks(t *testing.T) {
	a := Acks{Delay: 50 * time.Millisecond, Every: 3}
	if _, ok := a.Take(); ok || !a.Deadline().IsZero() {
		t.Error("something to acknowledge before anything came")
	}
	if a.Received(at(0), 0) {
		t.Error("one packet, and at once")
	}
	if got := a.Deadline(); !got.Equal(at(50)) {
		t.Errorf("Deadline = %v", got)
	}
	a.Received(at(20), 2)
	if got := a.Deadline(); !got.Equal(at(50)) {
		t.Errorf("the second packet moved the deadline to %v", got)
	}
	if a.Received(at(21), 1) {
		t.Error("a late packet tells nothing new, yet is acknowledged at once")
	}
	if ack, ok := a.Take(); !ok || ack != 2 {
		t.Errorf("Take = %d, %v; want 2", ack, ok)
	}
	if ack, ok := a.Take(); ok {
		t.Errorf("Take again = %d", ack)
	}
	if !a.Deadline().IsZero() {
		t.Error("a deadline with nothing pending")
	}
	for i, want := range []bool{false, false, true} {
		if got := a.Received(at(100+i), uint32(3+i)); got != want {
			t.Errorf("packet %d: sendNow = %v", i, got)
		}
	}
	if got := a.Deadline(); !got.Equal(at(150)) {
		t.Errorf("Deadline = %v, want that of the first packet since", got)
	}
}

func TestAcksWrapAndRestart(t *testing.T) {
	var a Acks
	for _, step := range []struct {
		seq, ack uint32
		ok       bool
	}{
		{0xffffffff, 0xffffffff, true},
		{0, 0, true},
		{0xfffffffe, 0, false},
		{1 << 31, 1 << 31, true}, // across an outage
		{7, 7, true},             // the peer began anew
	} {
		a.Received(start, step.seq)
		if ack, ok := a.Take(); ok != step.ok || ack != step.ack {
			t.Errorf("after %d: Take = %d, %v; want %d, %v", step.seq, ack, ok, step.ack, step.ok)
		}
	}
}

func TestAcksDefaults(t *testing.T) {
	var a Acks
	for i := range uint32(DefaultAckEvery) {
		if got := a.Received(start, i); got != (i == DefaultAckEvery-1) {
			t.Errorf("packet %d: sendNow = %v", i, got)
		}
	}
	if got := a.Deadline().Sub(start); got != DefaultAckDelay {
		t.Errorf("delay %v", got)
	}
}
