package mschap

import (
	"encoding/binary"
	"math/bits"
)

// md4Block is the length of the blocks MD4 works on, in octets.
const md4Block = 64

// md4Words says which word of the block each of the 16 steps of a round takes
// (RFC 1320, section 3.4).
var md4Words = [3][16]uint8{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
	{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15},
}

// md4Shifts are the rotations of each round; they repeat every four steps.
var md4Shifts = [3][4]int{{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}}

// md4Sum returns the MD4 digest of data (RFC 1320).
func md4Sum(data []byte) [16]byte {
	state := [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	length := uint64(len(data)) * 8
	for len(data) >= md4Block {
		md4Update(&state, data[:md4Block])
		data = data[md4Block:]
	}
	// A single one bit, zeros, and the length in bits: one block, or two
	// where the length does not fit behind the rest.
	var tail [2 * md4Block]byte
	n := copy(tail[:], data)
	tail[n] = 0x80
	end := md4Block
	if n+1+8 > md4Block {
		end = 2 * md4Block
	}
	binary.LittleEndian.PutUint64(tail[end-8:], length)
	for at := 0; at < end; at += md4Block {
		md4Update(&state, tail[at:at+md4Block])
	}
	var sum [16]byte
	for i, v := range state {
		binary.LittleEndian.PutUint32(sum[4*i:], v)
	}
	return sum
}

func md4Update(state *[4]uint32, block []byte) {
	var x [16]uint32
	for i := range x {
		x[i] = binary.LittleEndian.Uint32(block[4*i:])
	}
	a, b, c, d := state[0], state[1], state[2], state[3]
	for round := range md4Words {
		for step, word := range md4Words[round] {
			var f uint32
			switch round {
			case 0:
				f = b&c | ^b&d
			case 1:
				f = (b&c | b&d | c&d) + 0x5a827999
			default:
				f = (b ^ c ^ d) + 0x6ed9eba1
			}
			a = bits.RotateLeft32(a+f+x[word], md4Shifts[round][step%4])
			a, b, c, d = d, a, b, c
		}
	}
	state[0] += a
	state[1] += b
	state[2] += c
	state[3] += d
}
