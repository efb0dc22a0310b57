package mppe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// wire is a sealed packet on its way, with what it holds.
type wire struct {
	number int
	seq    uint32
	packet []byte
	plain  []byte
}

// sender seals numbered packets, and spends a sequence number on something else
// now and then.
type sender struct {
	seal   func([]byte)
	number int
	seq    uint32
	other  int // one in so many sequence numbers is not of MPPE; 0: none
	r      *rand.Rand
}

func (s *sender) next(n int) wire {
	for s.other > 0 && s.r.IntN(s.other) == 0 {
		s.seq++
	}
	packet := testPacket(s.r, n)
	w := wire{number: s.number, seq: s.seq, packet: packet, plain: bytes.Clone(packet[Overhead:])}
	s.seal(packet)
	s.number++
	s.seq++
	return w
}

func (s *sender) skip(n int) {
	for range n {
		s.next(4)
	}
}

// open checks that w opens, or gives want.
func (w wire) open(t *testing.T, o *Opener, want error) {
	t.Helper()
	packet := bytes.Clone(w.packet)
	got, err := o.Open(packet, w.seq)
	if !errors.Is(err, want) {
		t.Fatalf("packet %d: %v, want %v", w.number, err, want)
	}
	if err == nil && !bytes.Equal(got, w.plain) {
		t.Fatalf("packet %d: wrong plain text %x, want %x", w.number, got, w.plain)
	}
	if err != nil && (got != nil || !bytes.Equal(packet, w.packet)) {
		t.Fatalf("packet %d: changed in spite of %v", w.number, err)
	}
}

func pair(bits Bits, stateful bool, firstSeq uint32) (*sender, *Opener) {
	s := NewSealer(testKey(9), bits, stateful)
	return &sender{seal: s.Seal, seq: firstSeq, r: rand.New(rand.NewPCG(uint64(bits), uint64(firstSeq)))}, NewOpener(testKey(9), bits, stateful)
}

// A network that loses, delays and repeats. What the opener must make of it is
// simple: a packet opens once if it is less than a window behind the
// furthest; otherwise it is ErrOld.
func TestOpenStatelessOverBadNetwork(t *testing.T) {
	for seed := range uint64(light(16)) {
		r := rand.New(rand.NewPCG(4, seed))
		s, o := pair(allBits[seed%3], false, []uint32{0, 0xffff_ff00, r.Uint32()}[r.IntN(3)])
		s.other = []int{0, 3, 40}[r.IntN(3)]
		var held []wire
		opened := map[int]bool{}
		furthest, counts := -1, map[error]int{}
		deliver := func(w wire) {
			var want error
			if opened[w.number] || w.number <= furthest-windowSize {
				want = ErrOld
			}
			w.open(t, o, want)
			counts[want]++
			opened[w.number] = true
			furthest = max(furthest, w.number)
		}
		for s.number < 9000 {
			w := s.next(1 + r.IntN(60))
			switch x := r.IntN(1000); {
			case x < 100: // lost
			case x < 101:
				s.skip(r.IntN(600))
			case x < 200:
				held = append(held, w)
			case x < 230:
				deliver(w)
				held = append(held, w)
			default:
				deliver(w)
			}
			for len(held) > 0 && r.IntN(10) == 0 {
				i := r.IntN(len(held))
				deliver(held[i])
				if r.IntN(4) > 0 {
					held = slices.Delete(held, i, i+1)
				}
			}
		}
		if counts[nil] < 1000 || counts[ErrOld] < 10 {
			t.Errorf("seed %d: %v: too few of one kind to be a test", seed, counts)
		}
	}
}

// OpenBatch does to each packet what Open would.
func TestOpenBatchIsOpen(t *testing.T) {
	forEachMode(t, func(t *testing.T, bits Bits, stateful bool) {
		r := rand.New(rand.NewPCG(5, uint64(bits)))
		s, one := pair(bits, stateful, 77)
		many := NewOpener(testKey(9), bits, stateful)
		kinds := map[error]int{}
		for range light(150) {
			var packets, wants [][]byte
			var seqs []uint32
			for range r.IntN(150) {
				w := s.next(1 + r.IntN(100))
				if r.IntN(50) == 0 {
					continue
				}
				packets, seqs = append(packets, w.packet), append(seqs, w.seq)
				if r.IntN(30) == 0 {
					packets, seqs = append(packets, bytes.Clone(w.packet)), append(seqs, w.seq)
				}
				if r.IntN(60) == 0 {
					packets, seqs = append(packets, w.packet[:r.IntN(3)]), append(seqs, w.seq)
				}
				if r.IntN(60) == 0 {
					packets, seqs = append(packets, bytes.Clone(w.packet)), append(seqs, w.seq)
					packets[len(packets)-1][0] ^= byte(1 << r.IntN(8))
				}
			}
			if !stateful {
				r.Shuffle(len(packets), func(i, j int) {
					packets[i], packets[j] = packets[j], packets[i]
					seqs[i], seqs[j] = seqs[j], seqs[i]
				})
			}
			for _, p := range packets {
				wants = append(wants, bytes.Clone(p))
			}
			n := len(packets)
			out, errs := make([][]byte, n), make([]error, n)
			for i := range out {
				out[i] = []byte("stale")
			}
			many.OpenBatch(packets, seqs, out, errs)
			for i, p := range wants {
				want, err := one.Open(p, seqs[i])
				kinds[err]++
				if err != errs[i] || !bytes.Equal(want, out[i]) || (want == nil) != (out[i] == nil) {
					t.Fatalf("packet %d of %d: %x, %v; Open gives %x, %v", i, n, out[i], errs[i], want, err)
				}
			}
		}
		for _, err := range []error{nil, ErrOld, ErrShort} {
			if kinds[err] == 0 {
				t.Errorf("no packet met %v", err)
			}
		}
	})
}

func TestWindow(t *testing.T) {
	for _, behind := range []int{1, 2, 254, windowSize - 1, windowSize, windowSize + 1, 300, 4095, 4096, 4097, 5000} {
		s, o := pair(Bits128, false, 0xffff_fff0)
		s.next(9).open(t, o, nil)
		late := s.next(20)
		s.skip(behind - 1)
		s.next(9).open(t, o, nil)
		want := error(nil)
		if behind >= windowSize {
			want = ErrOld
		}
		late.open(t, o, want)
		late.open(t, o, ErrOld)
		s.next(9).open(t, o, nil)
	}
}

// How often the count went round while packets were lost is told by the sequence
// number, also when many of its steps were not MPPE packets.
func TestManyLost(t *testing.T) {
	for _, lost := range []int{0, 1, 255, 256, 257, 4094, 4095, 4096, 4097, 8191, 8192, 20000, 65000} {
		for _, other := range []int{0, 1, 100, 4095, 4096, 9000, 1 << 20} {
			if lost > light(9000) && (raceEnabled || other != 0 && other != 1<<20) {
				continue
			}
			s, o := pair(Bits128, false, 0xffff_ff00)
			s.next(9).open(t, o, nil)
			s.skip(lost)
			s.seq += uint32(other)
			w := s.next(9)
			w.open(t, o, nil)
			w.open(t, o, ErrOld)
			s.next(9).open(t, o, nil)
		}
	}
}

// Where the packets make no sense to us, the largest number of packets the
// sequence number allows counts.
func TestManyLostNonsense(t *testing.T) {
	for _, lost := range []int{1, 4094, 4095, 4096, 4097, 20000} {
		s, o := pair(Bits128, false, 7)
		s.next(1).open(t, o, nil)
		s.skip(lost)
		s.seq += 50
		s.next(1).open(t, o, nil)
		s.next(1).open(t, o, nil)
	}
}

// The first packets may be lost too.
func TestFirstLost(t *testing.T) {
	for _, lost := range []int{0, 1, 300, 4094} {
		s, o := pair(Bits128, false, 5)
		early := s.next(9)
		s.skip(lost)
		s.next(9).open(t, o, nil)
		want := error(nil)
		if lost+1 >= windowSize {
			want = ErrOld
		}
		early.open(t, o, want)
	}
}

// A count that runs ahead of the sequence number is refused, and nothing moves.
func TestJump(t *testing.T) {
	for _, ahead := range []int{1, 2, 100, 4000} {
		s, o := pair(Bits128, false, 1000)
		s.next(9).open(t, o, nil)
		before := *o
		for _, forward := range []int{ahead + 1, ahead + 50, 4090} {
			forged := wire{seq: 1000 + uint32(ahead), packet: binary.BigEndian.AppendUint16(nil, 0x9000|uint16(forward))}
			forged.packet = append(forged.packet, "rubbish"...)
			forged.open(t, o, ErrJump)
		}
		if *o != before {
			t.Errorf("ahead %d: refused packets changed the state", ahead)
		}
		s.next(9).open(t, o, nil)
	}
	// Backwards as well.
	s, o := pair(Bits128, false, 1000)
	for range 10 {
		s.next(9).open(t, o, nil)
	}
	before := *o
	for _, count := range []uint16{9, 8, 4, 10, 4095} {
		forged := wire{seq: 1005, packet: append(binary.BigEndian.AppendUint16(nil, 0x9000|count), 1, 2, 3)}
		forged.open(t, o, ErrOld)
	}
	if *o != before {
		t.Error("refused packets changed the state")
	}
}

// A late packet cannot be further behind by its count than by its sequence
// number; the key of the missing packet stays.
func TestLateJump(t *testing.T) {
	s, o := pair(Bits128, false, 1000)
	s.next(9).open(t, o, nil)
	late := s.next(9)
	for range 6 {
		s.next(9).open(t, o, nil)
	}
	for seq := uint32(1002); seq < 1008; seq++ {
		forged := wire{seq: seq, packet: late.packet}
		forged.open(t, o, ErrOld)
	}
	late.open(t, o, nil)
	late.open(t, o, ErrOld)
}

// Skipping keys costs credit; packets that open earn it.
func TestCredit(t *testing.T) {
	jump := func(o *Opener, skipped uint32) error {
		packet := append(binary.BigEndian.AppendUint16(nil, 0x9000|uint16(o.next+uint64(skipped))&countMask), 1, 2, 3)
		_, err := o.Open(packet, o.seq+1+skipped)
		return err
	}
	s, o := pair(Bits128, false, 0)
	s.next(9).open(t, o, nil)
	before := *o
	if err := jump(o, maxCredit); err != ErrJump || o.next != before.next || o.chain != before.chain {
		t.Fatalf("one more than the limit: %v", err)
	}
	o.credit = maxCredit
	if err := jump(o, maxCredit-1); err != nil {
		t.Fatalf("the limit: %v", err)
	}
	start := o.next
	for range 1000 {
		if jump(o, 3000) != nil {
			jump(o, 10)
		}
	}
	skipped := int(o.next-start) - 1000
	if limit := 1001 * refill; skipped > limit {
		t.Errorf("%d keys skipped by 1000 packets, want at most %d", skipped, limit)
	}
	if skipped < 10000 {
		t.Errorf("%d keys skipped by 1000 packets: no credit was earned", skipped)
	}
	// Looking for the right one of many turns costs as well, found or not.
	s, o = pair(Bits128, false, 0)
	s.next(9).open(t, o, nil)
	for range 3 {
		if err := jump(o, 1<<30); err != ErrJump {
			t.Fatalf("far beyond the limit: %v", err)
		}
	}
	if o.credit > countSpace {
		t.Errorf("credit of %d is left", o.credit)
	}
	s.next(9).open(t, o, nil)
}

func TestHeader(t *testing.T) {
	for _, v := range []struct {
		packet string
		want   error
	}{
		{"", ErrShort}, {"90", ErrShort}, {"9000", ErrShort},
		{"9000 21", nil}, {"1000 21", nil}, {"d000 21", nil}, {"5000 21", nil},
		{"8000 21", ErrNotEncrypted}, {"0000 21", ErrNotEncrypted},
		{"b000 21", ErrNotEncrypted}, {"a000 21", ErrNotEncrypted}, {"6000 21", ErrNotEncrypted},
	} {
		for _, stateful := range []bool{false, true} {
			o := NewOpener(testKey(1), Bits128, stateful)
			if got, err := o.Open(unhex(t, v.packet), 1); err != v.want || err == nil && len(got) != 1 {
				t.Errorf("%s (stateful %v): %x, %v, want %v", v.packet, stateful, got, err, v.want)
			}
		}
	}
}

// A packet with nothing in it takes no count, alone and in a batch.
func TestSealNothing(t *testing.T) {
	for _, stateful := range []bool{false, true} {
		s := NewSealer(testKey(1), Bits128, stateful)
		want := newPlain(testKey(1), Bits128, stateful)
		for range 3 {
			empty := [][]byte{nil, {}, {7}, {7, 8}}
			for _, packet := range empty {
				s.Seal(packet)
			}
			s.SealBatch(empty)
			s.SealBatch(nil)
			if empty[2][0] != 7 || empty[3][0] != 7 || empty[3][1] != 8 {
				t.Fatalf("an empty packet was written to: %x", empty)
			}
			packet := []byte{0, 0, 0x21, 0x45}
			wanted := bytes.Clone(packet)
			want.seal(wanted, false)
			s.SealBatch([][]byte{{1}, packet, {2, 3}})
			if !bytes.Equal(packet, wanted) {
				t.Fatalf("packet %x, want %x", packet, wanted)
			}
		}
	}
}

// The largest packets PPP can have, among small ones.
func TestLargePackets(t *testing.T) {
	forEachMode(t, func(t *testing.T, bits Bits, stateful bool) {
		s, p := NewSealer(testKey(1), bits, stateful), newPlain(testKey(1), bits, stateful)
		o := NewOpener(testKey(1), bits, stateful)
		r := rand.New(rand.NewPCG(6, 6))
		for _, lengths := range [][]int{{65535}, {1, 65535}, {65535, 2047, 65535}, {2048, 4096, 2049, 65535}, {65535, 65534, 65533, 4097, 1, 2048, 2047}} {
			var packets, wants, plains [][]byte
			for _, n := range lengths {
				packet := testPacket(r, n)
				packets, plains = append(packets, packet), append(plains, bytes.Clone(packet[Overhead:]))
				want := bytes.Clone(packet)
				p.seal(want, false)
				wants = append(wants, want)
			}
			s.SealBatch(packets)
			seqs, out, errs := make([]uint32, len(packets)), make([][]byte, len(packets)), make([]error, len(packets))
			for i := range packets {
				if !bytes.Equal(packets[i], wants[i]) {
					t.Fatalf("%v: packet %d is not what crypto/rc4 makes", lengths, i)
				}
				seqs[i] = o.seq + uint32(i) + 1
			}
			o.OpenBatch(packets, seqs, out, errs)
			for i := range out {
				if errs[i] != nil || !bytes.Equal(out[i], plains[i]) {
					t.Fatalf("%v: packet %d: %v, or other octets", lengths, i, errs[i])
				}
			}
		}
	})
}

func TestSensible(t *testing.T) {
	for text, want := range map[string]bool{
		"2145": true, "214f": true, "0021 45": true, "5760": true, "0057 6f": true,
		"": false, "21": false, "0021": false, "00": false, "0000 2145": false,
		"2165": false, "5745": false, "fd45": false, "0145": false, "c021": false,
	} {
		if got := Sensible(unhex(t, text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestBits(t *testing.T) {
	for _, bits := range []Bits{0, 64, 127, -40} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bit: no panic", bits)
				}
			}()
			NewSealer(testKey(1), bits, false)
		}()
	}
	// Of a short key the second half does not count.
	long, short := testKey(1), testKey(1)
	clear(short[8:])
	for _, bits := range []Bits{Bits40, Bits56} {
		a, b := []byte("..abc"), []byte("..abc")
		NewSealer(long, bits, false).Seal(a)
		NewSealer(short, bits, false).Seal(b)
		if !bytes.Equal(a, b) {
			t.Errorf("%d bit: the second half of the key counts", bits)
		}
	}
}
