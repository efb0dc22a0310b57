package mppe

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzOpen: whatever comes, an opener does not panic, leaves refused packets and
// everything around a packet alone, gives back what is behind the header, and
// does a bounded amount of work.
func FuzzOpen(f *testing.F) {
	for _, name := range recordings {
		for _, r := range readRecordings(f, name) {
			var input []byte
			for i, packet := range r.packets[:min(4, len(r.packets))] {
				input = append(input, byte(i), byte(len(packet)))
				input = append(input, packet...)
			}
			f.Add(input, byte(r.bits), r.stateful)
		}
	}
	f.Add([]byte{0, 3, 0x90, 0, 1, 255, 3, 0x9f, 0xff, 1}, byte(128), false)
	f.Fuzz(func(t *testing.T, input []byte, bits byte, stateful bool) {
		o := NewOpener(testKey(1), allBits[bits%3], stateful)
		many := NewOpener(testKey(1), allBits[bits%3], stateful)
		seq := uint32(0xffff_f000)
		steps := o.next
		var packets, outs [][]byte
		var seqs []uint32
		var errors []error
		// Each packet: how far the sequence number goes, the length, the octets.
		for len(input) >= 2 && len(packets) < 200 {
			step, n := int8(input[0]), int(input[1])
			input = input[2:]
			n = min(n, len(input))
			packet := bytes.Clone(input[:n])
			input = input[n:]
			seq += uint32(step)
			if step == 127 {
				seq += 1 << 20
			}
			packets, seqs = append(packets, bytes.Clone(packet)), append(seqs, seq)
			around := append(append([]byte("head"), packet...), "tail"...)
			got, err := o.Open(around[4:4+n], seq)
			if string(around[:4]) != "head" || string(around[4+n:]) != "tail" {
				t.Fatal("octets outside the packet changed")
			}
			if err != nil && (got != nil || !bytes.Equal(around[4:4+n], packet)) {
				t.Fatalf("%v, but the packet changed", err)
			}
			if err == nil && (len(got) != n-Overhead || &got[0] != &around[4+Overhead]) {
				t.Fatal("the plain text is not what is behind the header")
			}
			outs, errors = append(outs, bytes.Clone(got)), append(errors, err)
		}
		if limit := uint64(maxCredit + refill*len(packets) + len(packets)); o.next-steps > limit {
			t.Fatalf("%d keys for %d packets", o.next-steps, len(packets))
		}
		out, errs := make([][]byte, len(packets)), make([]error, len(packets))
		many.OpenBatch(packets, seqs, out, errs)
		for i := range out {
			if errs[i] != errors[i] || !bytes.Equal(out[i], outs[i]) {
				t.Fatalf("packet %d in a batch: %x, %v; alone %x, %v", i, out[i], errs[i], outs[i], errors[i])
			}
		}
	})
}

// FuzzLine: packets are sealed, then lost, delayed and repeated as the input
// says. What opens is what was sealed, and a stateless packet opens when it is
// the first of its kind and not too late.
func FuzzLine(f *testing.F) {
	f.Add([]byte("sent lost late twice sent"), byte(0), false)
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, byte(1), true)
	f.Fuzz(func(t *testing.T, input []byte, bits byte, stateful bool) {
		s, o := pair(allBits[bits%3], stateful, 0xffff_fffa)
		sealer := NewSealer(testKey(9), allBits[bits%3], stateful)
		s.seal = sealer.Seal
		var held []wire
		opened := map[int]bool{}
		furthest, flushes := -1, 0
		deliver := func(w wire) {
			packet := bytes.Clone(w.packet)
			got, err := o.Open(packet, w.seq)
			if err == nil && !bytes.Equal(got, w.plain) {
				t.Fatalf("packet %d opens as %x, want %x", w.number, got, w.plain)
			}
			if stateful {
				if err == nil && w.number <= furthest {
					t.Fatalf("packet %d opens after %d", w.number, furthest)
				}
			} else if want := !opened[w.number] && w.number > furthest-windowSize; want != (err == nil) {
				t.Fatalf("packet %d, furthest %d, opened before %v: %v", w.number, furthest, opened[w.number], err)
			}
			if err == nil {
				opened[w.number] = true
				furthest = max(furthest, w.number)
			}
		}
		for _, x := range input {
			switch w := s.next(3 + int(x>>4)); x & 15 {
			case 0, 1: // lost
			case 2:
				s.skip(int(x))
			case 3, 4:
				held = append(held, w)
			case 5:
				deliver(w)
				held = append(held, w)
			case 6:
				// With more of them lost in a row the count may go round.
				if flushes++; flushes < 15 {
					sealer.Flush()
				}
			case 7:
				s.seq += 5
			default:
				deliver(w)
			}
			if len(held) > 0 && x&0x80 != 0 {
				deliver(held[int(x)%len(held)])
			}
		}
		// However bad it was, a flushed packet brings both together.
		sealer.Flush()
		for range 2 {
			w := s.next(9)
			packet := bytes.Clone(w.packet)
			if got, err := o.Open(packet, w.seq); err != nil || !bytes.Equal(got, w.plain) {
				t.Fatalf("in the end: %x, %v, want %x", got, err, w.plain)
			}
		}
	})
}

// FuzzSeal: any packet, alone or in a batch, is sealed as crypto/rc4 does.
func FuzzSeal(f *testing.F) {
	f.Add([]byte("any packet"), uint16(3), uint16(2000), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, a, b uint16, bits byte) {
		useAssembly = haveAssembly && bits&64 == 0
		defer func() { useAssembly = haveAssembly }()
		s, p := NewSealer(testKey(2), allBits[bits%3], false), newPlain(testKey(2), allBits[bits%3], false)
		var packets, wants [][]byte
		for _, n := range []int{len(data), int(a % 5000), int(b % 5000), len(data) / 2, 1, int(a % 100), int(b % 100)} {
			packet := make([]byte, Overhead+n)
			for at := Overhead; at < len(packet) && len(data) > 0; {
				at += copy(packet[at:], data)
			}
			packets, wants = append(packets, packet), append(wants, bytes.Clone(packet))
		}
		s.SealBatch(packets)
		for i, want := range wants {
			if len(want) > Overhead {
				p.seal(want, false)
			}
			if !bytes.Equal(packets[i], want) {
				t.Fatalf("packet %d of %d octets: count %#x", i, len(want), binary.BigEndian.Uint16(packets[i]))
			}
		}
	})
}

// FuzzEngine: packets of several sessions go through one engine at each end, are
// lost, delayed, repeated and forged in between, and sessions start over with new
// keys while packets of the old are still queued. They are sealed as crypto/rc4
// does, and opened as Open would one by one.
func FuzzEngine(f *testing.F) {
	f.Add([]byte("some packets of several sessions, in one engine"))
	f.Add([]byte{0, 10, 200, 0, 250, 100, 0, 20, 30, 1, 0, 9, 2, 0, 50, 15, 0, 0, 0, 90, 9, 0, 91, 9, 0, 92, 9, 1, 93, 9, 14, 0, 0, 0, 3, 3})
	f.Add(bytes.Repeat([]byte{0, 12, 180, 8, 12, 180, 3, 1, 7}, 80))
	f.Fuzz(fuzzEngine)
}

// fuzzSession is one direction of a session and its doubles.
type fuzzSession struct {
	number   int
	sealer   *Sealer
	plain    *plain
	opener   *Opener // of the engine
	one      *Opener // opens one by one
	stateful bool
	seq      uint32
	held     []wire
}

func newFuzzSession(number, generation int) *fuzzSession {
	key, bits, stateful := testKey(byte(number+31*generation)), allBits[(number+generation)%3], number%4 == 3
	return &fuzzSession{
		number: number, sealer: NewSealer(key, bits, stateful), plain: newPlain(key, bits, stateful),
		opener: NewOpener(key, bits, stateful), one: NewOpener(key, bits, stateful), stateful: stateful, seq: uint32(generation) - 10,
	}
}

func fuzzEngine(t *testing.T, input []byte) {
	useAssembly = haveAssembly && len(input)%2 == 0
	defer func() { useAssembly = haveAssembly }()
	sessions := make([]*fuzzSession, 8)
	for i := range sessions {
		sessions[i] = newFuzzSession(i, 0)
	}
	type sent struct {
		wire
		by *fuzzSession
	}
	type pending struct {
		from      int
		got, want []byte
	}
	var sealing, opening Engine
	var sealed, opened []pending
	var line []sent // as soon as they are sealed
	check := func(what string, e *Engine, list []pending) {
		e.Run()
		for i, p := range list {
			if !bytes.Equal(p.got, p.want) {
				t.Fatalf("%s, packet %d of %d, of session %d: %x, want %x", what, i, len(list), p.from, p.got, p.want)
			}
		}
	}
	deliver := func(s *fuzzSession, w wire) {
		a, b := bytes.Clone(w.packet), bytes.Clone(w.packet)
		got, err := s.opener.Queue(&opening, a, w.seq)
		want, wantErr := s.one.Open(b, w.seq)
		if err != wantErr || (got == nil) != (want == nil) || len(got) != len(want) {
			t.Fatalf("session %d: %d octets, %v; Open gives %d, %v", s.number, len(got), err, len(want), wantErr)
		}
		opened = append(opened, pending{s.number, got, want})
	}
	send := func() {
		check("sealed", &sealing, sealed)
		sealed = sealed[:0]
		for _, w := range line {
			s := w.by
			switch w.plain[0] % 16 {
			case 0: // lost
			case 1:
				s.held = append(s.held, w.wire)
			case 2:
				deliver(s, w.wire)
				deliver(s, w.wire)
			case 3:
				forged := w.wire
				forged.packet = bytes.Clone(w.packet)
				forged.packet[1] ^= 1 << (w.plain[0] >> 5)
				deliver(s, forged)
				deliver(s, w.wire)
			default:
				deliver(s, w.wire)
			}
			if len(s.held) > 0 && w.plain[0]&0x40 != 0 {
				deliver(s, s.held[0])
				s.held = s.held[1:]
			}
		}
		line = line[:0]
	}
	for turn := 0; len(input) >= 3 && turn < 300; turn++ {
		a, b, c := input[0], input[1], input[2]
		input = input[3:]
		s := sessions[a%8]
		switch a >> 4 {
		case 13: // many lost
			s.seq += uint32(b)
			for range b {
				packet := []byte{0, 0, 0x21, 0x45}
				s.sealer.Queue(&sealing, packet)
				s.plain.seal([]byte{0, 0, 0x21, 0x45}, false)
			}
		case 14:
			check("opened", &opening, opened)
			opened = opened[:0]
		case 15:
			if b%2 == 0 {
				// Both ends start over; what is in the engines stays there.
				sessions[a%8] = newFuzzSession(int(a%8), turn+1)
			} else {
				send()
			}
		default:
			n := 1 + int(b)
			if c >= 250 {
				n *= 20
			}
			packet := make([]byte, Overhead+n)
			packet[2], packet[3%len(packet)] = c, b
			text := bytes.Clone(packet)
			s.plain.seal(text, false)
			s.sealer.Queue(&sealing, packet)
			sealed = append(sealed, pending{s.number, packet, text})
			s.seq += 1 + uint32(c%5)/4
			line = append(line, sent{wire{seq: s.seq, packet: packet, plain: []byte{c}}, s})
		}
	}
	send()
	check("opened", &opening, opened)
}
