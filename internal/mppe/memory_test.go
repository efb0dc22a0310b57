package mppe

import (
	"testing"
	"unsafe"
)

// A session is small, and pays for missing packets only while they are missing.
func TestMemory(t *testing.T) {
	if n := unsafe.Sizeof(Sealer{}); n > 112 {
		t.Errorf("a Sealer has %d octets", n)
	}
	if n := unsafe.Sizeof(Opener{}); n > 144 {
		t.Errorf("an Opener has %d octets", n)
	}
	if n := unsafe.Sizeof(Engine{}); n > 20<<10 {
		t.Errorf("an Engine has %d octets", n)
	}
	if n := unsafe.Sizeof(state{}); n > 1100 {
		t.Errorf("a stateful stream has %d octets", n)
	}
	s, o := pair(Bits128, false, 0)
	s.next(9).open(t, o, nil)
	a, b := s.next(9), s.next(9)
	if o.late != nil {
		t.Error("a window although nothing is missing")
	}
	s.next(9).open(t, o, nil)
	b.open(t, o, nil)
	if o.late == nil {
		t.Fatal("no window although a packet is missing")
	}
	a.open(t, o, nil)
	if o.late != nil {
		t.Error("the window stays although nothing is missing")
	}
	s.next(9)
	s.next(9).open(t, o, nil)
	for range windowSize - 1 {
		if o.late == nil {
			t.Fatal("the window is gone too early")
		}
		s.next(9).open(t, o, nil)
	}
	if o.late != nil {
		t.Error("the window stays although all of it is too old")
	}
	a.open(t, o, ErrOld)
}

func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	forEachMode(t, func(t *testing.T, bits Bits, stateful bool) {
		s, o := NewSealer(testKey(1), bits, stateful), NewOpener(testKey(1), bits, stateful)
		packets := benchPackets(300)
		seqs, out, errs := make([]uint32, len(packets)), make([][]byte, len(packets)), make([]error, len(packets))
		seq := uint32(0)
		n := testing.AllocsPerRun(50, func() {
			s.SealBatch(packets)
			for i := range seqs {
				seq++
				seqs[i] = seq
			}
			o.OpenBatch(packets, seqs, out, errs)
			for i := range packets {
				seq++
				s.Seal(packets[i])
				if i%5 == 0 && !stateful {
					continue
				}
				if _, err := o.Open(packets[i], seq); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
	// A worker's own engine, the packets of several sessions.
	var e Engine
	packets := benchPackets(1400)
	var sealers []*Sealer
	var openers []*Opener
	for i := range 7 {
		sealers = append(sealers, NewSealer(testKey(byte(i)), Bits128, false))
		openers = append(openers, NewOpener(testKey(byte(i)), Bits128, false))
	}
	seq := uint32(0)
	n := testing.AllocsPerRun(50, func() {
		for i, packet := range packets {
			sealers[i*i%7].Queue(&e, packet)
		}
		e.Run()
		for i, packet := range packets {
			seq++
			if _, err := openers[i*i%7].Queue(&e, packet, seq); err != nil {
				t.Fatal(err)
			}
		}
		e.Run()
	})
	if n != 0 {
		t.Errorf("%v allocations with one engine", n)
	}
}
