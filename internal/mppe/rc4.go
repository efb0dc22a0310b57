package mppe

import "encoding/binary"

// state is one RC4 stream; entries of 32 bits are faster than octets. The zero
// value needs init.
type state struct {
	s    [256]uint32
	i, j uint8
}

var identity = func() (s [256]uint32) {
	for i := range s {
		s[i] = uint32(i)
	}
	return
}()

// init schedules a key of 16 octets.
func (c *state) init(key *[longKey]byte) {
	c.s = identity
	c.i, c.j = 0, 0
	scheduleAlone(&c.s, key)
}

// xor encrypts b in place with the next len(b) octets of the stream.
func (c *state) xor(b []byte) {
	c.j = xorAlone(&c.s, c.i, c.j, b)
	c.i += uint8(len(b))
}

// A stream that runs alone waits for memory: an entry is loaded that a store just
// before may have changed. So the entry of the step to come is loaded ahead of
// the stores, and replaced when one of them was to it.

// scheduleAlone schedules a key in s, which is the identity.
func scheduleAlone(s *[256]uint32, key *[longKey]byte) {
	x := s[0]
	var j uint8
	for n := range len(s) {
		i := uint8(n)
		next := s[i+1]
		j += uint8(x) + key[i%longKey]
		s[i], s[j] = s[j], x
		if j == i+1 {
			next = x
		}
		x = next
	}
}

// xorAlone encrypts b in place with the stream behind i and j, and returns the new
// j.
func xorAlone(s *[256]uint32, i, j uint8, b []byte) uint8 {
	x := s[i+1]
	var octet uint64
	for ; len(b) >= 8; b = b[8:] {
		j, x, octet = ahead(s, i+1, j, x)
		word := octet
		j, x, octet = ahead(s, i+2, j, x)
		word |= octet << 8
		j, x, octet = ahead(s, i+3, j, x)
		word |= octet << 16
		j, x, octet = ahead(s, i+4, j, x)
		word |= octet << 24
		j, x, octet = ahead(s, i+5, j, x)
		word |= octet << 32
		j, x, octet = ahead(s, i+6, j, x)
		word |= octet << 40
		j, x, octet = ahead(s, i+7, j, x)
		word |= octet << 48
		j, x, octet = ahead(s, i+8, j, x)
		word |= octet << 56
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		i += 8
	}
	for n := range b {
		i++
		j, x, octet = ahead(s, i, j, x)
		b[n] ^= byte(octet)
	}
	return j
}

// ahead is a step whose entry i is x, and gives the next one's.
func ahead(s *[256]uint32, i, j uint8, x uint32) (newJ uint8, next uint32, octet uint64) {
	next = s[i+1]
	j += uint8(x)
	y := s[j]
	s[i], s[j] = y, x
	octet = uint64(s[uint8(x+y)])
	if j == i+1 {
		next = x
	}
	return j, next, octet
}
