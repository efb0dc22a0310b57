package offload

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestChecksum has all lengths and alignments against the plain sum, and
// octets that make carries.
func TestChecksum(t *testing.T) {
	// RFC 1071, Section 3.
	if got := ^Checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != 0xddf2 {
		t.Errorf("the example of RFC 1071 sums to %04x, not ddf2", got)
	}
	r := rand.NewChaCha8([32]byte{7})
	b := make([]byte, 3000)
	for round := range 3 {
		r.Read(b)
		if round > 0 { // nothing but carries, nearly
			for i := range b {
				b[i] |= 0xff << (round - 1)
			}
		}
		for from := range 9 {
			for n := range 300 {
				s := b[from : from+n]
				if got, want := Checksum(s), ^uint16(naive(s, 0)); got != want {
					t.Fatalf("% x: %04x, want %04x", s, got, want)
				}
			}
			if got, want := Checksum(b[from:]), ^uint16(naive(b[from:], 0)); got != want {
				t.Fatalf("%d octets: %04x, want %04x", len(b)-from, got, want)
			}
		}
	}
	for _, acc := range []uint64{0, 1, 0xffff, 0x10000, 1<<32 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 2, 0xffff0000ffff0000} {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], acc)
		if got, want := fold(acc), uint16(naive(b[:], 0)); got != want {
			t.Errorf("%x folds to %04x, want %04x", acc, got, want)
		}
	}
}

func FuzzChecksum(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint64(1<<64-1))
	f.Fuzz(func(t *testing.T, b []byte, acc uint64) {
		var start [8]byte
		binary.LittleEndian.PutUint64(start[:], acc)
		if got, want := fold(sum(b, acc)), uint16(naive(b, naive(start[:], 0))); got != want {
			t.Errorf("%04x, want %04x", got, want)
		}
	})
}
