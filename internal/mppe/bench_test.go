package mppe

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The packets of the benchmarks: 64 of n octets behind the header.
func benchPackets(n int) [][]byte {
	r := rand.New(rand.NewPCG(3, 3))
	packets := make([][]byte, 64)
	for i := range packets {
		packets[i] = testPacket(r, n)
	}
	return packets
}

// perPacket seals one packet after the other.
func perPacket(b *testing.B, seal func([]byte)) {
	packets := benchPackets(1400)
	b.SetBytes(1400)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		seal(packets[i%len(packets)])
	}
}

func BenchmarkSeal(b *testing.B) {
	perPacket(b, NewSealer(testKey(1), Bits128, false).Seal)
}

func BenchmarkSealStateful(b *testing.B) {
	perPacket(b, NewSealer(testKey(1), Bits128, true).Seal)
}

func BenchmarkSealPlain(b *testing.B) {
	p := newPlain(testKey(1), Bits128, false)
	perPacket(b, func(packet []byte) { p.seal(packet, false) })
}

// The engine against crypto/rc4, batch about batch so that a busy machine
// disturbs both alike. ns/packet is SealBatch's, ratio how many times as long
// the plain way takes.
func BenchmarkSealBatch(b *testing.B) {
	packets := benchPackets(1400)
	s, p := NewSealer(testKey(1), Bits128, false), newPlain(testKey(1), Bits128, false)
	var fast, slow time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		s.SealBatch(packets)
		middle := time.Now()
		for _, packet := range packets {
			p.seal(packet, false)
		}
		fast += middle.Sub(start)
		slow += time.Since(middle)
		n += len(packets)
	}
	b.ReportMetric(float64(fast.Nanoseconds())/float64(n), "ns/packet")
	b.ReportMetric(float64(slow)/float64(fast), "ratio")
}

func BenchmarkOpenBatch(b *testing.B) {
	s, o := NewSealer(testKey(1), Bits128, false), NewOpener(testKey(1), Bits128, false)
	packets := benchPackets(1400)
	seqs, out, errs := make([]uint32, len(packets)), make([][]byte, len(packets)), make([]error, len(packets))
	var spent time.Duration
	seq, n := uint32(0), 0
	for b.Loop() {
		for i := range seqs {
			seq++
			seqs[i] = seq
		}
		s.SealBatch(packets)
		start := time.Now()
		o.OpenBatch(packets, seqs, out, errs)
		spent += time.Since(start)
		n += len(packets)
		if errs[63] != nil {
			b.Fatal(errs[63])
		}
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "ns/packet")
}

func BenchmarkChain(b *testing.B) {
	c := newChain(testKey(1), Bits128)
	b.ReportAllocs()
	for b.Loop() {
		c.next()
	}
}

// Engine alone: four equal packets, and four of which one is long.
func BenchmarkEngine(b *testing.B) {
	for name, lengths := range map[string][]int{
		"1400": {1400, 1400, 1400, 1400}, "mixed": {1400, 52, 1400, 52, 1400, 52, 1400, 52}, "one": {1400}, "two": {1400, 1400}, "three": {1400, 1400, 1400}, "52": {52, 52, 52, 52},
	} {
		b.Run(name, func(b *testing.B) {
			e := new(Engine)
			var data [][]byte
			for _, n := range lengths {
				data = append(data, make([]byte, n))
			}
			key := testKey(1)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for _, d := range data {
					e.addKeyed(&key, d)
				}
				e.Run()
				n += len(data)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/packet")
		})
	}
}
