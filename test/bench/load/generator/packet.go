package generator

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Port is the UDP port that the sessions use.
const Port = 7723

// MinSize is the size in octets of the smallest IP packet: 20 of IP, 8 of UDP, and
// what says whose it is.
const MinSize = 20 + 8 + markSize

// markSize is what a packet carries before the pattern: a magic number, who sent
// it, who is to get it, and its number.
const (
	markSize  = 4 + 4 + 4 + 8
	markMagic = 0x70707470
)

// Nobody is the number of who is no session: an Outside.
const Nobody = ^uint32(0)

// pattern is what packets are filled with, from a place that depends on their
// number. Its period is no power of two, so that parts that were exchanged show.
var pattern = func() []byte {
	p := make([]byte, 251+1<<16)
	x := uint32(1)
	for i := range p[:251] {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	for i := 251; i < len(p); i++ {
		p[i] = p[i-251]
	}
	return p
}()

// AppendMark appends the contents of a UDP packet: who sent it and for whom, by
// the numbers of the sessions, its own number, and the pattern; size octets in all, at
// least those of a mark.
func AppendMark(b []byte, from, to uint32, number uint64, size int) []byte {
	b = binary.BigEndian.AppendUint32(b, markMagic)
	b = binary.BigEndian.AppendUint32(b, from)
	b = binary.BigEndian.AppendUint32(b, to)
	b = binary.BigEndian.AppendUint64(b, number)
	rest := min(max(size-markSize, 0), 1<<16)
	at := int(number % 251)
	return append(b, pattern[at:at+rest]...)
}

// ParseMark checks the contents of a UDP packet and gives what it says. ok is false
// where it is not as AppendMark made it.
func ParseMark(b []byte) (from, to uint32, number uint64, ok bool) {
	if len(b) < markSize || len(b) > markSize+1<<16 || binary.BigEndian.Uint32(b) != markMagic {
		return 0, 0, 0, false
	}
	from, to, number = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint64(b[12:])
	at := int(number % 251)
	return from, to, number, bytes.Equal(b[markSize:], pattern[at:at+len(b)-markSize])
}

// AppendPacket appends an IPv4 packet of size octets (at least MinSize) with a UDP
// packet in it, checksums and all.
func AppendPacket(b []byte, from, to netip.AddrPort, fromSession, toSession uint32, number uint64, size int) []byte {
	size = min(max(size, MinSize), 1<<16-1)
	start := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = binary.BigEndian.AppendUint16(b, uint16(number))
	b = append(b, 0x40, 0, 64, 17, 0, 0) // don't fragment; TTL 64; UDP
	src, dst := from.Addr().As4(), to.Addr().As4()
	b = append(append(b, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(b[start:start+20])))
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(size-20))
	b = append(b, 0, 0)
	b = AppendMark(b, fromSession, toSession, number, size-28)
	check := ^fold(udpSum(b[start:]))
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(b[start+26:], check)
	return b
}

// A Verdict is what Check thinks of a packet.
type Verdict uint8

const (
	Right   Verdict = iota // as it was sent, and where it belongs
	Wrong                  // changed on the way, or somebody else's
	Foreign                // none of the generator's
)

// Check looks at an IPv4 packet that came to session, whose address is addr.
func Check(p []byte, addr netip.Addr, session uint32) (number uint64, v Verdict) {
	if len(p) < 28 || p[0] != 0x45 || p[9] != 17 || binary.BigEndian.Uint16(p[22:]) != Port {
		return 0, Foreign
	}
	if int(binary.BigEndian.Uint16(p[2:])) != len(p) || int(binary.BigEndian.Uint16(p[24:])) != len(p)-20 ||
		fold(sum(p[:20])) != 0xffff || netip.AddrFrom4([4]byte(p[16:20])) != addr {
		return 0, Wrong
	}
	if binary.BigEndian.Uint16(p[26:]) != 0 && fold(udpSum(p)) != 0xffff {
		return 0, Wrong
	}
	_, to, number, ok := ParseMark(p[28:])
	if !ok || to != session {
		return 0, Wrong
	}
	return number, Right
}

// sum adds up 16-bit words (RFC 1071).
func sum(b []byte) uint64 {
	var s uint64
	for ; len(b) >= 4; b = b[4:] {
		s += uint64(binary.BigEndian.Uint32(b))
	}
	var rest [4]byte
	copy(rest[:], b)
	return s + uint64(binary.BigEndian.Uint32(rest[:]))
}

func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// udpSum adds up the UDP packet in the IPv4 packet p, with its pseudo header.
func udpSum(p []byte) uint64 { return sum(p[12:20]) + 17 + uint64(len(p)-20) + sum(p[20:]) }
