package offload

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// A segment is what a Joiner has to know of a packet.
type segment struct {
	kind     kind // whole: not of TCP or UDP, or nothing can be said of its flow
	fragment bool // of something between hosts
	joinable bool // it may be part of a group
	push     bool // it is the last of its group
	ip, head int  // octets of the IP header, of all headers
	payload  int
	seq      uint32 // TCP
	id       uint16 // IPv4

	hosts, hash uint64 // of the two addresses; of those, protocol and ports
}

const (
	dontFragment = 0x40 // in octet 6 of an IPv4 header

	extFragment = 44
)

// parse looks at a packet; it need not be one.
func parse(p []byte) (s segment) {
	if len(p) < ipv4Len {
		return s
	}
	var protocol uint8
	var plain bool // the IP header has nothing that joining would have to keep
	switch p[0] >> 4 {
	case 4:
		protocol = p[9]
		s.ip = int(p[0]&0x0f) * 4
		s.hosts = mix(0, binary.LittleEndian.Uint64(p[12:]))
		s.fragment = binary.BigEndian.Uint16(p[6:])&0x3fff != 0 // there are more, or it is not the first
		plain = s.ip == ipv4Len && int(binary.BigEndian.Uint16(p[2:])) == len(p)
		s.id = binary.BigEndian.Uint16(p[4:])
	case 6:
		if len(p) < ipv6Len {
			return s
		}
		protocol = p[6]
		s.ip = ipv6Len
		for i := 8; i < ipv6Len; i += 8 {
			s.hosts = mix(s.hosts, binary.LittleEndian.Uint64(p[i:]))
		}
		// Behind other extension headers there may be anything as well.
		s.fragment = protocol == extFragment || protocol == extHopByHop || protocol == extRouting || protocol == extDestination
		plain = ipv6Len+int(binary.BigEndian.Uint16(p[4:])) == len(p)
	default:
		return s
	}
	if s.fragment || s.ip < ipv4Len || len(p) < s.ip+udpLen {
		return s
	}
	t := p[s.ip:]
	s.hash = mix(s.hosts, uint64(binary.LittleEndian.Uint32(t))<<8|uint64(protocol))
	switch protocol {
	case protocolTCP:
		s.kind = tcp4
		s.parseTCP(t)
	case protocolUDP:
		s.kind = udp4
		s.head = s.ip + udpLen
		// A checksum of 0 is none (RFC 768): nothing tells whether it is intact.
		s.joinable = int(binary.BigEndian.Uint16(t[4:])) == len(t) && (t[udpChecksum] != 0 || t[udpChecksum+1] != 0)
	default:
		return s
	}
	if p[0]>>4 == 6 {
		s.kind++ // from tcp4 to tcp6, udp4 to udp6
	}
	s.payload = len(p) - s.head
	s.joinable = s.joinable && plain && s.payload > 0
	return s
}

// parseTCP takes only what carries data on an open connection: what opens or
// ends one, or answers a congestion mark, goes alone.
func (s *segment) parseTCP(t []byte) {
	if len(t) < tcpLen {
		return
	}
	offset := int(t[12]>>4) * 4
	s.head = s.ip + offset
	s.seq = binary.BigEndian.Uint32(t[4:])
	s.push = t[13]&flagPSH != 0
	s.joinable = offset >= tcpLen && offset <= len(t) && t[13]&^(flagPSH|flagECE) == flagACK
}

// mix is a hash of a and b, good enough to tell a few flows apart.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1b54a32d192ed03)
	return hi ^ lo
}

// alike compares all of the headers that cutting a joined packet would give to
// each of its pieces, checked before: kinds, lengths, identification, sequence
// number. a is the first packet of a group.
func alike(k kind, a, b []byte, ip, head int) bool {
	if k.v6() {
		if !bytes.Equal(a[0:4], b[0:4]) || !bytes.Equal(a[6:ipv6Len], b[6:ipv6Len]) {
			return false
		}
	} else if a[1] != b[1] || a[6] != b[6] || a[8] != b[8] || !bytes.Equal(a[12:ipv4Len], b[12:ipv4Len]) {
		return false // type of service, DF, time to live, addresses
	}
	a, b = a[ip:head], b[ip:head]
	if k.udp() {
		return bytes.Equal(a[0:4], b[0:4])
	}
	// Ports; acknowledgement and data offset; flags; window; urgent pointer
	// and options.
	return bytes.Equal(a[0:4], b[0:4]) && bytes.Equal(a[8:13], b[8:13]) && (a[13]^b[13])&^flagPSH == 0 &&
		bytes.Equal(a[14:16], b[14:16]) && bytes.Equal(a[18:], b[18:])
}

// intact verifies the checksums of a packet's headers and payload.
func intact(p []byte, ip int, k kind) bool {
	if !k.v6() && fold(sum(p[:ip], 0)) != 0xffff {
		return false
	}
	t := p[ip:]
	return fold(sum(t, add(addresses(p, k.protocol()), lengthWord(len(t))))) == 0xffff
}

// seal makes p, the group's first packet, the headers of the whole, and returns
// the header for the host.
func (g *group) seal(p []byte) header {
	h := header{
		flags: needsChecksum, hdrLen: uint16(g.head), gsoSize: uint16(g.each),
		checksumStart: uint16(g.ip), checksumOffset: uint16(g.kind.checksumOffset()),
	}
	switch g.kind {
	case tcp4:
		h.gso = gsoTCPv4
	case tcp6:
		h.gso = gsoTCPv6
	default:
		h.gso = gsoUDP
	}
	if g.kind.v6() {
		binary.BigEndian.PutUint16(p[4:], uint16(g.total-ipv6Len))
	} else {
		binary.BigEndian.PutUint16(p[2:], uint16(g.total))
		p[10], p[11] = 0, 0
		binary.BigEndian.PutUint16(p[10:], Checksum(p[:g.ip]))
	}
	t := p[g.ip:]
	length := g.total - g.ip
	if g.kind.udp() {
		binary.BigEndian.PutUint16(t[4:], uint16(length))
	} else if g.push {
		t[13] |= flagPSH
	}
	binary.BigEndian.PutUint16(t[g.kind.checksumOffset():], fold(add(addresses(p, g.kind.protocol()), lengthWord(length))))
	return h
}
