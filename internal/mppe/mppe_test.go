package mppe

import (
	"bytes"
	"crypto/rc4"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatalf("bad vector %q: %v", s, err)
	}
	return b
}

// plain is MPPE in the plainest way, with crypto/rc4: what the package is
// measured against and must agree with.
type plain struct {
	start, key []byte
	bits       Bits
	stateful   bool
	count      uint16
	rc4        *rc4.Cipher
}

func newPlain(start [16]byte, bits Bits, stateful bool) *plain {
	n := 16
	if bits != Bits128 {
		n = 8
	}
	p := &plain{start: start[:n], key: start[:n], bits: bits, stateful: stateful, count: 0xfff}
	p.change(true)
	return p
}

func (p *plain) change(first bool) {
	h := sha1.New()
	h.Write(p.start)
	h.Write(make([]byte, 40))
	h.Write(p.key)
	h.Write(bytes.Repeat([]byte{0xf2}, 40))
	key := h.Sum(nil)[:len(p.start)]
	if !first {
		c, _ := rc4.NewCipher(key)
		c.XORKeyStream(key, key)
	}
	switch p.bits {
	case Bits40:
		key[0], key[1], key[2] = 0xd1, 0x26, 0x9e
	case Bits56:
		key[0] = 0xd1
	}
	p.key = key
	p.rc4, _ = rc4.NewCipher(key)
}

// seal encrypts packet[2:] and writes the header, as Linux does.
func (p *plain) seal(packet []byte, flush bool) {
	p.count = (p.count + 1) & 0xfff
	header := 0x1000 | p.count
	if !p.stateful || flush || p.count&0xff == 0xff {
		p.change(false)
		header |= 0x8000
	}
	binary.BigEndian.PutUint16(packet, header)
	p.rc4.XORKeyStream(packet[2:], packet[2:])
}

var allBits = []Bits{Bits40, Bits56, Bits128}

func forEachMode(t *testing.T, f func(t *testing.T, bits Bits, stateful bool)) {
	for _, bits := range allBits {
		for _, stateful := range []bool{false, true} {
			name := fmt.Sprintf("%d", bits)
			if stateful {
				name += "stateful"
			}
			t.Run(name, func(t *testing.T) {
				forEachLoop(t, func(t *testing.T) { f(t, bits, stateful) })
			})
		}
	}
}

func testKey(n byte) (key [16]byte) {
	for i := range key {
		key[i] = n + byte(i)*7
	}
	return key
}

// testPacket returns room for the header and an IPv4 packet of n octets, with
// its compressed protocol field.
func testPacket(r *rand.Rand, n int) []byte {
	b := make([]byte, Overhead+n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if n > 1 {
		b[2], b[3] = 0x21, 0x45
	}
	return b
}

// RFC 3079, sections 3.5.1 to 3.5.3, from the start key on: the first session
// key, and "test message" encrypted with it. The RFC prints the last octet of
// the 56-bit message as 58; RC4 of its key makes it b8.
func TestSessionKeys(t *testing.T) {
	start := [16]byte(unhex(t, "8B 7C DC 14 9B 99 3A 1B A1 18 CB 15 3F 56 DC CB"))
	for _, v := range []struct {
		bits         Bits
		key, message string
	}{
		{Bits40, "D1 26 9E C4 9F A6 2E 3E", "92 91 37 91 7E 58 03 D6 68 D7 58 98"},
		{Bits56, "D1 5C 00 C4 9F A6 2E 3E", "3F 10 68 33 FA 44 8D A8 42 BC 57 B8"},
		{Bits128, "40 5C B2 24 7A 79 56 E6 E2 11 00 7A E2 7B 22 D4", "81 84 83 17 DF 68 84 62 72 FB 5A BE"},
	} {
		c := newChain(start, v.bits)
		key := unhex(t, v.key)
		if got := c.key[:len(key)]; !bytes.Equal(got, key) {
			t.Errorf("%d bit: session key %x, want %x", v.bits, got, key)
		}
		message := []byte("test message")
		var s state
		s.init(&c.key)
		s.xor(message)
		if want := unhex(t, v.message); !bytes.Equal(message, want) {
			t.Errorf("%d bit: message %x, want %x", v.bits, message, want)
		}
		packet := append(make([]byte, Overhead), "test message"...)
		NewSealer(start, v.bits, true).Seal(packet) // the first key, for the stateful alone
		if want := unhex(t, "1000"+v.message); !bytes.Equal(packet, want) {
			t.Errorf("%d bit: packet %x, want %x", v.bits, packet, want)
		}
	}
}

// Sealing, one by one and in batches of all sizes, is what plain does, over more
// packets than there are counts.
func TestSealAgreesWithPlain(t *testing.T) {
	forEachMode(t, func(t *testing.T, bits Bits, stateful bool) {
		r := rand.New(rand.NewPCG(1, uint64(bits)))
		want, got := newPlain(testKey(1), bits, stateful), NewSealer(testKey(1), bits, stateful)
		for sealed := 0; sealed < countSpace+600; {
			batch := make([][]byte, r.IntN(80))
			wants := make([][]byte, len(batch))
			for i := range batch {
				n := 1 + r.IntN(40)
				if r.IntN(20) == 0 {
					n = 1 + r.IntN(5000)
				}
				batch[i] = testPacket(r, n)
				wants[i] = bytes.Clone(batch[i])
				want.seal(wants[i], false)
			}
			if r.IntN(4) == 0 {
				for _, packet := range batch {
					got.Seal(packet)
				}
			} else {
				got.SealBatch(batch)
			}
			for i := range batch {
				if !bytes.Equal(batch[i], wants[i]) {
					t.Fatalf("packet %d (%d of %d, %d octets) differs", sealed+i, i, len(batch), len(batch[i]))
				}
			}
			sealed += len(batch)
		}
	})
}

// Opening in batches gives back what was sealed.
func TestOpen(t *testing.T) {
	forEachMode(t, func(t *testing.T, bits Bits, stateful bool) {
		r := rand.New(rand.NewPCG(2, uint64(bits)))
		s, o := NewSealer(testKey(1), bits, stateful), NewOpener(testKey(1), bits, stateful)
		seq := r.Uint32()
		for range light(200) {
			n := r.IntN(70)
			packets, wants := make([][]byte, n), make([][]byte, n)
			seqs, out, errs := make([]uint32, n), make([][]byte, n), make([]error, n)
			for i := range packets {
				packets[i] = testPacket(r, 1+r.IntN(3000))
				wants[i] = bytes.Clone(packets[i][Overhead:])
				seqs[i] = seq
				seq += 1 + uint32(r.IntN(2))
			}
			s.SealBatch(packets)
			o.OpenBatch(packets, seqs, out, errs)
			for i := range out {
				if errs[i] != nil || !bytes.Equal(out[i], wants[i]) {
					t.Fatalf("packet %d: %v, or other octets", i, errs[i])
				}
			}
		}
	})
}
