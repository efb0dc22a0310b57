package tunnel

import "encoding/binary"

// clampMSS lowers the maximum segment size that a TCP SYN in the IP packet p
// announces, so that the segments sent in answer fit a tunnel of mtu octets
// (RFC 879, RFC 6691). Hosts beyond the tunnel's end do not know its MTU, and
// the ICMP message that would tell them is often filtered: large transfers
// would hang. The checksum is mended by the difference (RFC 1624), so a
// broken packet stays broken.
func clampMSS(p []byte, mtu int) {
	var tcp []byte
	var limit int
	switch {
	case len(p) < 20:
		return
	case p[0]>>4 == 4:
		ihl := int(p[0]&15) * 4
		if p[9] != 6 || binary.BigEndian.Uint16(p[6:])&0x1fff != 0 || ihl < 20 || len(p) < ihl+20 {
			return
		}
		tcp, limit = p[ihl:], mtu-40
	case p[0]>>4 == 6:
		if len(p) < 60 || p[6] != 6 {
			return
		}
		tcp, limit = p[40:], mtu-60
	default:
		return
	}
	const syn = 2
	if tcp[13]&syn == 0 || limit <= 0 {
		return
	}
	end := int(tcp[12]>>4) * 4
	if end > len(tcp) {
		return
	}
	for i := 20; i < end; {
		switch tcp[i] {
		case 0: // end of option list
			return
		case 1: // no operation
			i++
			continue
		}
		if i+2 > end || tcp[i+1] < 2 || i+int(tcp[i+1]) > end {
			return
		}
		if tcp[i] == 2 && tcp[i+1] == 4 {
			if mss := binary.BigEndian.Uint16(tcp[i+2:]); int(mss) > limit {
				replace16(tcp, i+2, uint16(limit))
			}
			return
		}
		i += int(tcp[i+1])
	}
}

// replace16 sets the two octets at offset i of a TCP header to v and mends
// the checksum. At an odd offset the octets count the other way round.
func replace16(tcp []byte, i int, v uint16) {
	old := binary.BigEndian.Uint16(tcp[i:])
	binary.BigEndian.PutUint16(tcp[i:], v)
	if i%2 == 1 {
		old, v = old<<8|old>>8, v<<8|v>>8
	}
	// RFC 1624, Section 3, equation 3: HC' = ~(~HC + ~m + m')
	sum := uint32(^binary.BigEndian.Uint16(tcp[16:])) + uint32(^old) + uint32(v)
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
}
