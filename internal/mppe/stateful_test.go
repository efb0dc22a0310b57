package mppe

import (
	"bytes"
	"crypto/rc4"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// The stateful receivers and senders of other systems, as far as they differ.

// style says what a system makes of a flushed packet.
type style int

const (
	linux style = iota // changes the key
	rfc                // initialises the key again: RFC 3078, FreeBSD
)

// peerReceiver opens stateful packets as other systems do.
type peerReceiver struct {
	plain
	style   style
	waiting bool
}

func newPeerReceiver(key [16]byte, bits Bits, s style) *peerReceiver {
	return &peerReceiver{plain: *newPlain(key, bits, true), style: s}
}

// open returns nil for a packet that is discarded.
func (p *peerReceiver) open(packet []byte) []byte {
	header := binary.BigEndian.Uint16(packet)
	count, flushed := header&0xfff, header&0x8000 != 0
	expected := (p.count + 1) & 0xfff
	if p.style == linux {
		// Out of order is a loss even for a flushed packet, the first time.
		if !p.waiting {
			p.count = expected
			if count != expected {
				p.waiting = true
				return nil
			}
		} else {
			if !flushed {
				return nil
			}
			for p.count&0xf00 != count&0xf00 {
				p.change(false)
				p.count = (p.count + 256) & 0xfff
			}
			p.count, p.waiting = count, false
		}
		if flushed {
			p.change(false)
		}
	} else {
		if !flushed && (p.waiting || count != expected) {
			p.waiting = true
			return nil
		}
		for ; expected != count; expected = (expected + 1) & 0xfff {
			if expected&0xff == 0xff {
				p.change(false)
			}
		}
		if flushed {
			p.rc4, _ = rc4.NewCipher(p.key)
		}
		if count&0xff == 0xff {
			p.change(false)
		}
		p.count, p.waiting = count, false
	}
	out := bytes.Clone(packet[2:])
	p.rc4.XORKeyStream(out, out)
	return out
}

// peerSender seals stateful packets as other systems do.
type peerSender struct {
	plain
	style style
	flush bool
}

func (p *peerSender) Flush() { p.flush = true }

func (p *peerSender) Seal(packet []byte) {
	if p.style == linux {
		p.plain.seal(packet, p.flush)
		p.flush = false
		return
	}
	p.count = (p.count + 1) & 0xfff
	header := 0x1000 | p.count
	if p.flush {
		header |= 0x8000
		p.flush = false
		p.rc4, _ = rc4.NewCipher(p.key)
	}
	if p.count&0xff == 0xff {
		p.change(false)
	}
	binary.BigEndian.PutUint16(packet, header)
	p.rc4.XORKeyStream(packet[2:], packet[2:])
}

// resetLoop sends packets over a line that loses some, flushed ones with the
// rest, and answers what is discarded with a reset a few packets later, now and
// then with two. It returns how many packets were opened.
func resetLoop(t *testing.T, r *rand.Rand, seal func([]byte), flush func(), open func([]byte, uint32) []byte) (opened int) {
	t.Helper()
	seq, resetIn := uint32(0xffff_f000), -1
	lossy := true
	quiet := 0 // packets since the last loss
	for n := range 20000 {
		if n%1000 == 0 {
			lossy = !lossy
			quiet = 0
		}
		if resetIn == 0 {
			flush()
		}
		resetIn = max(resetIn-1, -1)
		packet := testPacket(r, 1+r.IntN(40)+3)
		want := bytes.Clone(packet[Overhead:])
		seal(packet)
		seq += 1 + uint32(r.IntN(20)/19)
		if lossy && r.IntN(12) == 0 {
			quiet = 0
			continue
		}
		got := open(packet, seq)
		quiet++
		if got == nil {
			if quiet > 300 {
				t.Fatalf("packet %d is discarded, and %d since the last loss", n, quiet)
			}
			if resetIn < 0 {
				resetIn = r.IntN(6)
			}
			continue
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("packet %d: out of step: %x, want %x", n, got, want)
		}
		opened++
		if lossy && r.IntN(200) == 0 {
			resetIn = r.IntN(3) // a Reset-Request that was on its way
		}
	}
	return opened
}

// A Sealer stays in step with every kind of receiver, whatever is lost.
func TestFlushSuitsAllReceivers(t *testing.T) {
	for _, bits := range allBits {
		for _, s := range []style{linux, rfc} {
			sealer, receiver := NewSealer(testKey(3), bits, true), newPeerReceiver(testKey(3), bits, s)
			opened := resetLoop(t, rand.New(rand.NewPCG(7, uint64(s))), sealer.Seal, sealer.Flush, func(b []byte, _ uint32) []byte {
				return receiver.open(b)
			})
			if opened < 12000 {
				t.Errorf("%d bit, style %d: only %d of 20000 packets opened", bits, s, opened)
			}
		}
	}
}

// An Opener stays in step with every kind of sender, whatever is lost.
func TestOpenerSuitsAllSenders(t *testing.T) {
	for _, bits := range allBits {
		for _, s := range []style{linux, rfc, -1} {
			var sealer interface {
				Seal([]byte)
				Flush()
			} = NewSealer(testKey(3), bits, true)
			if s >= 0 {
				sealer = &peerSender{plain: *newPlain(testKey(3), bits, true), style: s}
			}
			o := NewOpener(testKey(3), bits, true)
			opened := resetLoop(t, rand.New(rand.NewPCG(8, uint64(s))), sealer.Seal, sealer.Flush, func(b []byte, seq uint32) []byte {
				got, err := o.Open(b, seq)
				if err != nil && err != ErrLost {
					t.Fatalf("%d bit, style %d: %v", bits, s, err)
				}
				if (err == ErrLost) != o.Waiting() {
					t.Fatalf("%d bit, style %d: %v, waiting %v", bits, s, err, o.Waiting())
				}
				return got
			})
			if opened < 12000 {
				t.Errorf("%d bit, style %d: only %d of 20000 packets opened", bits, s, opened)
			}
		}
	}
}

// What the Linux at the other end of a recording could not do: the models above
// are right about it.
func TestPeerReceiverIsLinux(t *testing.T) {
	for _, r := range readRecordings(t, "128-stateful-out-of-step") {
		p := newPeerReceiver(r.start, r.bits, linux)
		nonsense := 0
		for _, packet := range r.copied() {
			if plain := p.open(packet); plain != nil && !checkIPv4(plain) {
				nonsense++
			}
		}
		if want := map[string]int{"client": 10}[r.side]; nonsense != want {
			t.Errorf("%s: %d packets that make no sense, want %d", r.side, nonsense, want)
		}
	}
}

// The header of stateful packets: when they are flushed, and which count they
// have after a reset.
func TestFlushedPackets(t *testing.T) {
	s := NewSealer(testKey(1), Bits128, true)
	var got []uint16
	seal := func(n int) {
		for range n {
			packet := []byte("..!E")
			s.Seal(packet)
			got = append(got, binary.BigEndian.Uint16(packet))
		}
	}
	seal(256)
	if got[0] != 0x1000 || got[254] != 0x10fe || got[255] != 0x90ff {
		t.Errorf("first packets: %#x, %#x, %#x", got[0], got[254], got[255])
	}
	for i, header := range got[:255] {
		if header&flagFlushed != 0 {
			t.Errorf("packet %d is flushed", i)
		}
	}
	got = nil
	s.Flush()
	s.Flush()
	seal(2)
	s.Flush()
	seal(1)
	for range 14 {
		s.Flush()
		seal(1)
	}
	seal(1)
	want := []uint16{0x91ff, 0x1200, 0x92ff, 0x93ff, 0x94ff, 0x95ff, 0x96ff, 0x97ff, 0x98ff, 0x99ff, 0x9aff, 0x9bff, 0x9cff, 0x9dff, 0x9eff, 0x9fff, 0x90ff, 0x1100}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("after resets: %#x, want %#x", got, want)
		}
	}
	stateless := NewSealer(testKey(1), Bits128, false)
	a, b := []byte("..!E"), []byte("..!E")
	stateless.Seal(a)
	stateless.Flush()
	stateless.Seal(b)
	if a[0] != 0x90 || b[0] != 0x90 || b[1] != 1 {
		t.Errorf("stateless: %x, %x", a[:2], b[:2])
	}
}

// Late and repeated packets do not disturb a stateful opener, nor one that waits.
func TestStatefulLate(t *testing.T) {
	s, o := pair(Bits128, true, 100)
	first := s.next(9)
	first.open(t, o, nil)
	late := s.next(9)
	next := s.next(9)
	first.open(t, o, ErrOld)
	next.open(t, o, ErrLost)
	first.open(t, o, ErrOld)
	if !o.Waiting() {
		t.Fatal("not waiting")
	}
	o.ResetAcked()
	if !o.Waiting() {
		t.Fatal("a Reset-Ack ends the waiting")
	}
	late.open(t, o, ErrLost)
	if NewOpener(testKey(1), Bits128, false).Waiting() {
		t.Error("a stateless opener waits")
	}
}

// More than a turn of the count lost, or so many other sequence numbers.
func TestStatefulManyLost(t *testing.T) {
	for _, lost := range []int{1, 255, 256, 300, 4095, 4096, 4097, 9000} {
		for _, other := range []int{0, 1, 4000, 9000} {
			sealer := &peerSender{plain: *newPlain(testKey(9), Bits128, true)}
			s := &sender{seal: sealer.Seal, r: rand.New(rand.NewPCG(9, 9))}
			o := NewOpener(testKey(9), Bits128, true)
			s.next(9).open(t, o, nil)
			s.seq += uint32(other)
			s.next(9).open(t, o, nil)
			s.skip(lost)
			s.next(9).open(t, o, ErrLost)
			sealer.Flush()
			s.seq += uint32(other)
			s.next(9).open(t, o, nil)
			s.next(9).open(t, o, nil)
		}
	}
}

// Once it is seen how a sender flushes, its packets need not make sense.
func TestFlushedNonsense(t *testing.T) {
	for _, style := range []style{linux, rfc, linux} {
		sealer := &peerSender{plain: *newPlain(testKey(9), Bits128, true), style: style}
		o := NewOpener(testKey(9), Bits128, true)
		s := &sender{seal: sealer.Seal, r: rand.New(rand.NewPCG(10, 10))}
		for _, n := range []int{9, 1, 1} { // one octet is never sensible
			s.next(9).open(t, o, nil)
			s.skip(1)
			s.next(9).open(t, o, ErrLost)
			sealer.Flush()
			s.next(n).open(t, o, nil)
			s.next(9).open(t, o, nil)
		}
	}
}

// Flushed packets that leave counts out are lost in a row until the count has
// gone round.
func TestManyFlushesLost(t *testing.T) {
	for _, lost := range []int{0, 1, 7, 14, 15, 16, 17, 40, 200} {
		sealer := NewSealer(testKey(9), Bits128, true)
		s, o := pair(Bits128, true, 0)
		s.seal = sealer.Seal
		s.next(9).open(t, o, nil)
		s.skip(1)
		s.next(9).open(t, o, ErrLost)
		for range lost {
			sealer.Flush()
			s.skip(1)
		}
		sealer.Flush()
		s.next(9).open(t, o, nil)
		s.next(9).open(t, o, nil)
	}
}

// A flushed packet with a count that cannot be is refused, and nothing moves.
func TestStatefulJump(t *testing.T) {
	s, o := pair(Bits128, true, 1000)
	for range 3 {
		s.next(9).open(t, o, nil)
	}
	before, stream := *o, *o.stream
	for _, count := range []uint16{5, 300, 0x200, 0xffe} {
		forged := wire{seq: 1004, packet: append(binary.BigEndian.AppendUint16(nil, 0x9000|count), "rubbish"...)}
		forged.open(t, o, ErrJump)
	}
	forged := wire{seq: 1 << 30, packet: append(binary.BigEndian.AppendUint16(nil, 0x9005), "rubbish"...)}
	forged.open(t, o, ErrJump)
	if o.credit > maxCredit-200 {
		t.Errorf("looking through 16 turns of the count cost %d", maxCredit-o.credit)
	}
	before.credit = o.credit
	if *o != before || *o.stream != stream {
		t.Error("refused packets changed the state")
	}
	s.next(9).open(t, o, nil)
}
