package offload

import (
	"encoding/binary"
	"fmt"
)

// A Splitter cuts frames of a TUN into the IP packets that they stand for.
// The zero value is ready; one goroutine uses it at a time.
type Splitter struct {
	packet []byte // of the frame, aliased; nil: there is no more
	header header
	kind   kind
	ip     int    // length of the IP header, with extension headers
	head   int    // length of all headers
	at     int    // the payload that comes next
	index  int    // of the next packet, from 0
	pseudo uint64 // sum of the pseudo-header without the length
}

// A kind is how a packet is cut, and joined.
type kind uint8

const (
	whole kind = iota // not at all
	tcp4
	tcp6
	udp4
	udp6
)

func (k kind) v6() bool  { return k == tcp6 || k == udp6 }
func (k kind) udp() bool { return k == udp4 || k == udp6 }

func (k kind) protocol() uint8 {
	if k.udp() {
		return protocolUDP
	}
	return protocolTCP
}

// checksumOffset is where the checksum stands in the transport header.
func (k kind) checksumOffset() int {
	if k.udp() {
		return udpChecksum
	}
	return tcpChecksum
}

// Load takes a frame as it was read, header first; it is aliased until the next
// Load. What is left of the frame before is forgotten. After an error there is
// nothing for Next to give.
func (s *Splitter) Load(frame []byte) error {
	*s = Splitter{}
	if len(frame) < HeaderLen {
		return fmt.Errorf("offload: virtio_net_hdr beyond the frame of %d octets", len(frame))
	}
	h, packet := parseHeader(frame), frame[HeaderLen:]
	if len(packet) == 0 {
		return fmt.Errorf("offload: no packet after the header")
	}
	s.header = h
	if h.gso == gsoNone {
		if end := int(h.checksumStart) + int(h.checksumOffset) + 2; h.flags&needsChecksum != 0 && end > len(packet) {
			return fmt.Errorf("offload: csum_start %d with csum_offset %d beyond the packet of %d octets",
				h.checksumStart, h.checksumOffset, len(packet))
		}
		s.packet = packet
		return nil
	}
	if err := s.loadGSO(packet); err != nil {
		return err
	}
	s.packet = packet
	return nil
}

// loadGSO finds the headers of a packet that is to be cut.
func (s *Splitter) loadGSO(packet []byte) error {
	h := s.header
	if int(h.hdrLen) > len(packet) {
		return fmt.Errorf("offload: hdr_len %d beyond the packet of %d octets", h.hdrLen, len(packet))
	}
	if h.gsoSize == 0 {
		return fmt.Errorf("offload: gso_size 0 with gso_type %d", h.gso)
	}
	protocol, routed, err := s.findTransport(packet)
	if err != nil {
		return err
	}
	if h.flags&needsChecksum != 0 && int(h.checksumStart) != s.ip {
		return fmt.Errorf("offload: csum_start %d, but the transport header is at %d", h.checksumStart, s.ip)
	}
	if protocol != s.kind.protocol() {
		return fmt.Errorf("offload: gso_type %d on protocol %d", h.gso, protocol)
	}
	if s.ip > len(packet) {
		return fmt.Errorf("offload: IP headers of %d octets beyond the packet of %d", s.ip, len(packet))
	}
	// hdr_len is not believed: for a packet that the host forwards it says how
	// much of it lay in one piece of memory.
	transport := packet[s.ip:]
	if s.kind.udp() {
		s.head = s.ip + udpLen
	} else if s.head = s.ip + tcpLen; len(packet) >= s.head {
		offset := int(transport[12]>>4) * 4
		if offset < tcpLen {
			return fmt.Errorf("offload: TCP data offset %d below %d", offset, tcpLen)
		}
		s.head = s.ip + offset
	}
	if s.head > len(packet) {
		return fmt.Errorf("offload: headers of %d octets beyond the packet of %d", s.head, len(packet))
	}
	if n := s.head + min(int(h.gsoSize), len(packet)-s.head); n > maxPacket {
		return fmt.Errorf("offload: gso_size %d makes packets of %d octets", h.gsoSize, n)
	}
	s.at = s.head
	switch {
	case !routed:
		s.pseudo = addresses(packet, protocol)
	case h.flags&needsChecksum != 0:
		// The final destination is where the kernel knows it, inside the
		// routing header. It has summed up the pseudo-header, with the length
		// of the whole: take that off again.
		in := binary.BigEndian.Uint16(transport[s.kind.checksumOffset():])
		s.pseudo = add(word(in), word(^fold(lengthWord(len(transport)))))
	default:
		return fmt.Errorf("offload: a routing header in a packet that is to be cut, and its checksum is complete")
	}
	return nil
}

// findTransport sets kind and ip.
func (s *Splitter) findTransport(packet []byte) (protocol uint8, routed bool, err error) {
	version := packet[0] >> 4
	switch gso := s.header.gso &^ gsoECN; {
	case gso == gsoTCPv4 && version == 4:
		s.kind = tcp4
	case gso == gsoTCPv6 && version == 6:
		s.kind = tcp6
	case gso == gsoUDP && version == 4:
		s.kind = udp4
	case gso == gsoUDP && version == 6:
		s.kind = udp6
	default:
		return 0, false, fmt.Errorf("offload: gso_type %d with IP version %d", s.header.gso, version)
	}
	if s.kind.v6() {
		protocol, s.ip, routed, err = skipIPv6(packet)
		return protocol, routed, err
	}
	if len(packet) < ipv4Len {
		return 0, false, fmt.Errorf("offload: IPv4 header beyond the packet of %d octets", len(packet))
	}
	s.ip = int(packet[0]&0x0f) * 4
	if s.ip < ipv4Len || s.ip > len(packet) {
		return 0, false, fmt.Errorf("offload: IPv4 header length %d in a packet of %d octets", s.ip, len(packet))
	}
	return packet[9], false, nil
}

// lengthWord is the length of a transport packet in the pseudo-header; IPv6's
// has 32 bits.
func lengthWord(n int) uint64 { return word(uint16(n)) + word(uint16(n>>16)) }

// Empty reports whether Next has given all of the frame.
func (s *Splitter) Empty() bool { return s.packet == nil }

// Next writes the next packet of the frame to b, with its checksums, and returns
// its length in octets, or 0 if there is no more. If b is too short for it the
// packet is lost: that is an error, and the next call gives the one after.
func (s *Splitter) Next(b []byte) (int, error) {
	if s.packet == nil {
		return 0, nil
	}
	if s.kind == whole {
		return s.nextWhole(b)
	}
	size := min(int(s.header.gsoSize), len(s.packet)-s.at)
	at, index := s.at, s.index
	s.at += size
	s.index++
	packet, last := s.packet, s.at == len(s.packet)
	if last {
		s.packet = nil
	}
	n := s.head + size
	if len(b) < n {
		return 0, fmt.Errorf("offload: no room for a packet of %d octets in %d", n, len(b))
	}
	b = b[:n]
	copy(b, packet[:s.head])
	copy(b[s.head:], packet[at:at+size])

	if s.kind.v6() {
		binary.BigEndian.PutUint16(b[4:], uint16(n-ipv6Len))
	} else {
		binary.BigEndian.PutUint16(b[2:], uint16(n))
		binary.BigEndian.PutUint16(b[4:], binary.BigEndian.Uint16(b[4:])+uint16(index))
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], Checksum(b[:s.ip]))
	}
	t := b[s.ip:]
	if s.kind.udp() {
		binary.BigEndian.PutUint16(t[4:], uint16(len(t)))
		t[udpChecksum], t[udpChecksum+1] = 0, 0
		putChecksum(t[udpChecksum:], sum(t, add(s.pseudo, lengthWord(len(t)))))
		return n, nil
	}
	binary.BigEndian.PutUint32(t[4:], binary.BigEndian.Uint32(t[4:])+uint32(at-s.head))
	if !last {
		t[13] &^= flagFIN | flagPSH
	}
	if index > 0 {
		t[13] &^= flagCWR // one answer to a congestion mark, RFC 3168, Section 6.1.2
	}
	t[tcpChecksum], t[tcpChecksum+1] = 0, 0
	binary.BigEndian.PutUint16(t[tcpChecksum:], ^fold(sum(t, add(s.pseudo, lengthWord(len(t))))))
	return n, nil
}

// nextWhole gives the packet as it is.
func (s *Splitter) nextWhole(b []byte) (int, error) {
	packet := s.packet
	s.packet = nil
	if len(b) < len(packet) {
		return 0, fmt.Errorf("offload: no room for a packet of %d octets in %d", len(packet), len(b))
	}
	n := copy(b, packet)
	if s.header.flags&needsChecksum != 0 {
		// The sum of the pseudo-header stands where the checksum will.
		start := int(s.header.checksumStart)
		putChecksum(b[start+int(s.header.checksumOffset):], sum(b[start:n], 0))
	}
	return n, nil
}

// putChecksum writes the complement of a sum, never as 0, which for UDP means
// that there is none (RFC 768).
func putChecksum(b []byte, acc uint64) {
	c := ^fold(acc)
	if c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(b, c)
}
