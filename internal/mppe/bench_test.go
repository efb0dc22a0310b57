package mppe

import (
	"fmt"
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

// The engine without the keys' chain.
func BenchmarkEngine(b *testing.B) {
	for _, v := range []struct {
		name    string
		lengths []int
	}{
		{"one", []int{1400}}, {"two", []int{1400, 1400}}, {"three", []int{1400, 1400, 1400}},
		{"mixed", []int{1400, 52, 1400, 52, 1400, 52, 1400, 52}}, {"three of 52", []int{52, 52, 52}},
	} {
		b.Run(v.name, func(b *testing.B) {
			var e Engine
			data, keys := make([][]byte, len(v.lengths)), make([][longKey]byte, len(v.lengths))
			for i, n := range v.lengths {
				data[i], keys[i] = make([]byte, n), testKey(byte(i))
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for i := range data {
					keys[i][0]++ // or memory is learnt by heart
					e.addKeyed(&keys[i], data[i])
				}
				e.Run()
				n += len(data)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/packet")
		})
	}
}

// One packet at a time from each of many sessions, as a server has them.
func BenchmarkManySessions(b *testing.B) {
	for _, length := range []int{1400, 52} {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			packets := benchPackets(length)
			sealers := make([]*Sealer, len(packets))
			for i := range sealers {
				sealers[i] = NewSealer(testKey(byte(i)), Bits128, false)
			}
			var e Engine
			b.ReportAllocs()
			for b.Loop() {
				for i, s := range sealers {
					s.Queue(&e, packets[i])
				}
				e.Run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(packets)), "ns/packet")
		})
	}
}
