package offload

import (
	"encoding/binary"
	"fmt"
)

// HeaderLen is the length in octets of the header in front of each packet:
// struct virtio_net_hdr of linux/virtio_net.h.
const HeaderLen = 10

// MaxFrame is the length in octets of the largest frame there is.
const MaxFrame = HeaderLen + 65535

// Values of linux/virtio_net.h.
const (
	needsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM

	gsoNone  = 0    // VIRTIO_NET_HDR_GSO_NONE
	gsoTCPv4 = 1    // VIRTIO_NET_HDR_GSO_TCPV4
	gsoTCPv6 = 4    // VIRTIO_NET_HDR_GSO_TCPV6
	gsoUDP   = 5    // VIRTIO_NET_HDR_GSO_UDP_L4
	gsoECN   = 0x80 // VIRTIO_NET_HDR_GSO_ECN: CWR is set
)

// A header is struct virtio_net_hdr. Offsets count from the IP header.
type header struct {
	flags, gso     uint8
	hdrLen         uint16 // a hint: between the headers' length and all of the packet
	gsoSize        uint16 // payload of each piece but the last
	checksumStart  uint16 // needsChecksum: sum from here on to the end,
	checksumOffset uint16 // and put it here, counted from checksumStart
}

// parseHeader reads the first HeaderLen octets of b.
func parseHeader(b []byte) header {
	_ = b[HeaderLen-1]
	return header{
		flags: b[0], gso: b[1],
		hdrLen:         binary.NativeEndian.Uint16(b[2:]),
		gsoSize:        binary.NativeEndian.Uint16(b[4:]),
		checksumStart:  binary.NativeEndian.Uint16(b[6:]),
		checksumOffset: binary.NativeEndian.Uint16(b[8:]),
	}
}

// put writes HeaderLen octets.
func (h header) put(b []byte) {
	_ = b[HeaderLen-1]
	b[0], b[1] = h.flags, h.gso
	binary.NativeEndian.PutUint16(b[2:], h.hdrLen)
	binary.NativeEndian.PutUint16(b[4:], h.gsoSize)
	binary.NativeEndian.PutUint16(b[6:], h.checksumStart)
	binary.NativeEndian.PutUint16(b[8:], h.checksumOffset)
}

// Protocols and header lengths.
const (
	protocolTCP = 6
	protocolUDP = 17

	ipv4Len = 20 // without options
	ipv6Len = 40
	tcpLen  = 20 // without options
	udpLen  = 8

	tcpChecksum = 16 // where it stands in the header
	udpChecksum = 6

	maxPacket = 65535 // what an IPv4 header can say
)

// Flags of TCP, octet 13 of its header.
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagPSH = 0x08
	flagACK = 0x10
	flagURG = 0x20
	flagECE = 0x40
	flagCWR = 0x80
)

// IPv6 extension headers that may stand before TCP (RFC 8200, Section 4).
const (
	extHopByHop    = 0
	extRouting     = 43
	extDestination = 60
)

// skipIPv6 finds the transport header of an IPv6 packet: its protocol and
// offset. routed tells of a routing header: the destination that the checksum
// covers is then inside it.
func skipIPv6(p []byte) (protocol uint8, at int, routed bool, err error) {
	if len(p) < ipv6Len {
		return 0, 0, false, fmt.Errorf("offload: IPv6 header beyond the packet of %d octets", len(p))
	}
	protocol, at = p[6], ipv6Len
	for {
		switch protocol {
		case extRouting:
			routed = true
		case extHopByHop, extDestination:
		default:
			return protocol, at, routed, nil
		}
		if len(p) < at+8 {
			return 0, 0, false, fmt.Errorf("offload: IPv6 extension header %d beyond the packet of %d octets", protocol, len(p))
		}
		protocol, at = p[at], at+8*(int(p[at+1])+1)
	}
}
