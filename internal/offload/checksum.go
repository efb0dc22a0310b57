package offload

import (
	"encoding/binary"
	"math/bits"
)

// The Internet checksum (RFC 1071) is a sum in ones' complement, so it may be
// taken eight octets at a time, in either byte order, and folded at the end.
// A sum here is of little-endian words, as a uint64 in ones' complement.

// Checksum is the Internet checksum of b (RFC 1071): the complement of the sum
// of its 16-bit words, as it stands in a header, most significant octet first.
func Checksum(b []byte) uint16 { return ^fold(sum(b, 0)) }

// sum adds b to acc; an odd octet at the end counts as if a zero followed it.
func sum(b []byte, acc uint64) uint64 {
	var carry uint64
	for len(b) >= 64 {
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[0:8]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[8:16]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[16:24]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[24:32]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[32:40]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[40:48]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[48:56]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[56:64]), carry)
		b = b[64:]
	}
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	var last uint64
	if len(b) >= 4 {
		last = uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
		last = add(last, tail(b)<<32)
	} else {
		last = tail(b)
	}
	acc, carry = bits.Add64(acc, last, carry)
	return add(acc, carry)
}

// tail is up to three octets.
func tail(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(b[0]) | uint64(b[1])<<8
	case 3:
		return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16
	}
	return 0
}

// add adds in ones' complement.
func add(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	return s + carry // no further carry: s is below the maximum if there was one
}

// word is a 16-bit value of a header as a sum counts it.
func word(v uint16) uint64 { return uint64(bits.ReverseBytes16(v)) }

// fold brings a sum down to the 16 bits that stand in a header.
func fold(acc uint64) uint16 {
	s := acc>>32 + acc&0xffffffff
	s = s>>16 + s&0xffff // at most 18 bits are left
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return bits.ReverseBytes16(uint16(s))
}

// addresses is the pseudo-header of TCP and UDP (RFC 9293, Section 3.1; RFC
// 8200, Section 8.1) without the length.
func addresses(ip []byte, protocol uint8) uint64 {
	if ip[0]>>4 == 6 {
		return sum(ip[8:ipv6Len], word(uint16(protocol)))
	}
	return sum(ip[12:ipv4Len], word(uint16(protocol)))
}
