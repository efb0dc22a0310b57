package generator

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Port is the port that the sessions use, with UDP and with TCP.
const Port = 7723

// MinSize is the size in octets of the smallest IP packet: the headers of IP and
// TCP, and what says whose it is.
const MinSize = ipHeader + tcpHeader + markSize

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

// A Packet is what AppendPacket makes.
type Packet struct {
	From, To               netip.AddrPort // IPv4
	FromSession, ToSession uint32
	Number                 uint64
	Size                   int // octets, those of IP included; at least MinSize
	// TCP makes a segment of a connection that is long since open, instead of UDP.
	TCP bool
	Seq uint32 // of TCP
}

const (
	ipHeader  = 20
	udpHeader = 8
	tcpHeader = 20

	protocolTCP = 6
	protocolUDP = 17
)

// header is the length of what is between IP's header and the mark.
func (p *Packet) header() int {
	if p.TCP {
		return tcpHeader
	}
	return udpHeader
}

// AppendPacket appends an IPv4 packet, checksums and all.
func AppendPacket(b []byte, p *Packet) []byte {
	size := min(max(p.Size, MinSize), 1<<16-1)
	protocol, check := byte(protocolUDP), 6
	if p.TCP {
		protocol, check = protocolTCP, 16
	}
	start := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = binary.BigEndian.AppendUint16(b, uint16(p.Number))
	b = append(b, 0x40, 0, 64, protocol, 0, 0) // don't fragment; TTL 64
	src, dst := p.From.Addr().As4(), p.To.Addr().As4()
	b = append(append(b, src[:]...), dst[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(b[start:start+ipHeader])))
	b = binary.BigEndian.AppendUint16(b, p.From.Port())
	b = binary.BigEndian.AppendUint16(b, p.To.Port())
	if p.TCP {
		b = binary.BigEndian.AppendUint32(b, p.Seq)
		b = append(b, 0, 0, 0, 1, tcpHeader/4<<4, 0x10, 0xff, 0xff, 0, 0, 0, 0) // acknowledges, and wants the most
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(size-ipHeader))
		b = append(b, 0, 0)
	}
	b = AppendMark(b, p.FromSession, p.ToSession, p.Number, size-ipHeader-p.header())
	c := ^fold(innerSum(b[start:]))
	if c == 0 && !p.TCP {
		c = 0xffff // 0 means none
	}
	binary.BigEndian.PutUint16(b[start+ipHeader+check:], c)
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
	if len(p) < ipHeader+udpHeader || p[0] != 0x45 || binary.BigEndian.Uint16(p[22:]) != Port {
		return 0, Foreign
	}
	header := ipHeader + udpHeader
	switch {
	case p[9] == protocolUDP:
		if int(binary.BigEndian.Uint16(p[24:])) != len(p)-ipHeader {
			return 0, Wrong
		}
	case p[9] == protocolTCP && len(p) >= ipHeader+tcpHeader:
		header = ipHeader + tcpHeader
		if p[32] != tcpHeader/4<<4 {
			return 0, Wrong
		}
	default:
		return 0, Foreign
	}
	if int(binary.BigEndian.Uint16(p[2:])) != len(p) || fold(sum(p[:ipHeader])) != 0xffff || netip.AddrFrom4([4]byte(p[16:20])) != addr {
		return 0, Wrong
	}
	unchecked := p[9] == protocolUDP && binary.BigEndian.Uint16(p[26:]) == 0
	if !unchecked && fold(innerSum(p)) != 0xffff {
		return 0, Wrong
	}
	_, to, number, ok := ParseMark(p[header:])
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

// innerSum adds up what is in the IPv4 packet p, with the pseudo header of UDP and
// TCP.
func innerSum(p []byte) uint64 {
	return sum(p[12:20]) + uint64(p[9]) + uint64(len(p)-ipHeader) + sum(p[ipHeader:])
}
