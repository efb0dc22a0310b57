package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"goppptp/test/transcripts"
)

const (
	etherTypeIPv4 = 0x0800
	protocolTCP   = 6
	protocolGRE   = 47
	portPPTP      = 1723
)

// session picks the PPTP session out of Ethernet frames.
func session(frames []frame, client netip.Addr) ([]transcripts.Packet, error) {
	var packets []transcripts.Packet
	var begin time.Duration
	pieces := make(map[string][]piece)
	streams := make(map[bool]*stream) // by whether the client sends
	for i, f := range frames {
		if i == 0 {
			begin = f.at
		}
		if len(f.data) < 34 || binary.BigEndian.Uint16(f.data[12:]) != etherTypeIPv4 {
			continue
		}
		ip := f.data[14:]
		size, head := int(binary.BigEndian.Uint16(ip[2:])), int(ip[0]&15)*4
		if size > len(ip) || head > size {
			return nil, errors.New("an IP packet was not captured whole")
		}
		body, whole := assemble(pieces, ip[:size], head)
		if !whole {
			continue
		}
		src, _ := netip.AddrFromSlice(ip[12:16])
		p := transcripts.Packet{At: f.at - begin, FromClient: src == client}
		switch ip[9] {
		case protocolGRE:
			p.GRE, p.Data = true, body
		case protocolTCP:
			s := streams[p.FromClient]
			if s == nil {
				s = new(stream)
				streams[p.FromClient] = s
			}
			p.Data = s.take(body)
		}
		if len(p.Data) > 0 {
			packets = append(packets, p)
		}
	}
	return packets, nil
}

// A piece is a fragment of an IP packet.
type piece struct {
	offset int
	last   bool
	data   []byte
}

// assemble returns the packet's payload, once all of its fragments came.
func assemble(pieces map[string][]piece, ip []byte, head int) ([]byte, bool) {
	const moreFragments, offsetMask = 0x2000, 0x1fff
	field := binary.BigEndian.Uint16(ip[6:])
	if field&(moreFragments|offsetMask) == 0 {
		return ip[head:], true
	}
	key := string(ip[12:20]) + string(ip[4:6]) + string(ip[9])
	got := append(pieces[key], piece{int(field&offsetMask) * 8, field&moreFragments == 0, ip[head:]})
	slices.SortFunc(got, func(a, b piece) int { return a.offset - b.offset })
	pieces[key] = got
	var body []byte
	for _, p := range got {
		if p.offset != len(body) {
			return nil, false
		}
		body = append(body, p.data...)
		if p.last {
			delete(pieces, key)
			return body, true
		}
	}
	return nil, false
}

// A stream is one direction of the control connection.
type stream struct {
	next    uint32 // sequence number of the next octet
	started bool
}

// take returns what a segment brings that is new. One that comes early is left
// for its repetition.
func (s *stream) take(tcp []byte) []byte {
	if len(tcp) < 20 || (binary.BigEndian.Uint16(tcp) != portPPTP && binary.BigEndian.Uint16(tcp[2:]) != portPPTP) {
		return nil
	}
	const synFlag = 2
	seq, head := binary.BigEndian.Uint32(tcp[4:]), int(tcp[12]>>4)*4
	if tcp[13]&synFlag != 0 {
		s.next, s.started = seq+1, true
		return nil
	}
	if !s.started || head > len(tcp) {
		return nil
	}
	data, repeated := tcp[head:], int32(s.next-seq)
	if repeated < 0 || int(repeated) >= len(data) {
		return nil
	}
	data = data[repeated:]
	s.next += uint32(len(data))
	return data
}
