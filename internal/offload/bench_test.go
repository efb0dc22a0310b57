package offload

import (
	"encoding/binary"
	"testing"
)

// BenchmarkChecksum measures one packet's sum against the plain loop's.
func BenchmarkChecksum(b *testing.B) {
	p := random(1400)
	b.Run("words", func(b *testing.B) {
		b.SetBytes(1400)
		for b.Loop() {
			sum(p, 0)
		}
	})
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(1400)
		for b.Loop() {
			plain(p)
		}
	})
}

// plain is the loop that a checksum is without any care, but for carries that
// are added at the end.
func plain(b []byte) uint16 {
	var acc uint64
	for i := 0; i+1 < len(b); i += 2 {
		acc += uint64(binary.BigEndian.Uint16(b[i:]))
	}
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}

// BenchmarkSplitter cuts frames of 64 kB; an operation is one packet of 1,400
// octets. The copy alone is what it cannot do without.
func BenchmarkSplitter(b *testing.B) {
	f := large(packet{payload: random(47 * 1348), options: make([]byte, 12)}, 1348)
	whole := frame(header{}, packet{payload: random(1360)}.bytes())
	out := make([]byte, 64<<10)
	run := func(f []byte) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(1400)
			var s Splitter
			for b.Loop() {
				n, _ := s.Next(out)
				if n == 0 {
					s.Load(f)
					s.Next(out)
				}
			}
		}
	}
	b.Run("large", run(f))
	b.Run("whole", run(whole))
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(1400)
		at := 0
		for b.Loop() {
			at += copy(out, f[at:at+1400])
			if at+1400 > len(f) {
				at = 0
			}
		}
	})
}

// BenchmarkJoiner joins batches of 64; an operation is one packet of 1,400
// octets.
func BenchmarkJoiner(b *testing.B) {
	one := encode(stream(packet{fragment: 0x4000, options: make([]byte, 12)}, 64, 1348, nil))
	var eight [][]byte
	for k := range 8 {
		for f := range 8 {
			s := packet{sport: uint16(f), fragment: 0x4000, options: make([]byte, 12), seq: uint32(k) * 1348, id: uint16(k)}
			s.payload = random(1348)
			eight = append(eight, s.bytes())
		}
	}
	acks := encode(stream(packet{options: make([]byte, 12)}, 64, 0, nil))
	run := func(packets [][]byte, on bool) func(b *testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(packets[0])))
			j := Joiner{TCP: on, UDP: on}
			work := clone(packets)
			write := func(parts [][]byte) error { return nil }
			for i := 0; b.Loop(); i++ {
				p := work[i%64]
				copy(p, packets[i%64][:60]) // Flush has changed the first
				j.Add(p)
				if i%64 == 63 {
					j.Flush(write)
				}
			}
		}
	}
	b.Run("one flow", run(one, true))
	b.Run("eight flows", run(eight, true))
	b.Run("acknowledgements", run(acks, true))
	b.Run("off", run(one, false))
}
