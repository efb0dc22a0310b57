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
	s := &c.s
	var j uint8
	for i := range s {
		x := s[i]
		j += uint8(x) + key[i%longKey]
		s[i], s[j] = s[j], x
	}
}

// xor encrypts b in place with the next len(b) octets of the stream.
func (c *state) xor(b []byte) {
	s, i, j := &c.s, c.i, c.j
	for len(b) >= 8 {
		var word uint64
		for n := 0; n < 64; n += 8 {
			i++
			x := s[i]
			j += uint8(x)
			y := s[j]
			s[i], s[j] = y, x
			word |= uint64(uint8(s[uint8(x+y)])) << n
		}
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for n := range b {
		i++
		x := s[i]
		j += uint8(x)
		y := s[j]
		s[i], s[j] = y, x
		b[n] ^= uint8(s[uint8(x+y)])
	}
	c.i, c.j = i, j
}
