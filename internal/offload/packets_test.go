package offload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// naive is the checksum as RFC 1071 writes it, two octets at a time.
func naive(b []byte, acc uint32) uint32 {
	for ; len(b) > 1; b = b[2:] {
		acc += uint32(b[0])<<8 | uint32(b[1])
		acc = acc>>16 + acc&0xffff
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
		acc = acc>>16 + acc&0xffff
	}
	return acc
}

// A packet as a test wants it; what is not said is usual.
type packet struct {
	src, dst   string // addresses; empty: 10.0.0.1 and 10.0.0.2
	sport      uint16
	udp        bool
	seq, ack   uint32
	flags      byte // 0: ACK
	window     uint16
	urgent     uint16
	options    []byte // of TCP
	ipOptions  []byte
	id         uint16
	fragment   uint16 // flags and offset
	tos        byte
	ttl        byte // 0: 64
	label      uint32
	reserved   byte // the low half of TCP's octet 12
	payload    []byte
	noChecksum bool   // UDP
	padding    int    // behind the packet
	extension  []byte // an IPv6 extension header whose kind is kind
	kind       byte
}

func (s packet) v6() bool { return netip.MustParseAddr(s.addr(s.src, 1)).Is6() }

func (s packet) addr(a string, n int) string {
	if a == "" {
		return fmt.Sprintf("10.0.0.%d", n)
	}
	return a
}

func (s packet) bytes() []byte {
	src, dst := netip.MustParseAddr(s.addr(s.src, 1)).AsSlice(), netip.MustParseAddr(s.addr(s.dst, 2)).AsSlice()
	var t []byte
	protocol := byte(protocolTCP)
	checksumAt := tcpChecksum
	if s.udp {
		protocol, checksumAt = protocolUDP, udpChecksum
		t = binary.BigEndian.AppendUint16(t, 1000+s.sport)
		t = binary.BigEndian.AppendUint16(t, 53)
		t = binary.BigEndian.AppendUint16(t, uint16(udpLen+len(s.payload)))
		t = append(t, 0, 0)
	} else {
		flags := s.flags
		if flags == 0 {
			flags = flagACK
		}
		t = binary.BigEndian.AppendUint16(t, 1000+s.sport)
		t = binary.BigEndian.AppendUint16(t, 80)
		t = binary.BigEndian.AppendUint32(t, s.seq)
		t = binary.BigEndian.AppendUint32(t, s.ack)
		t = append(t, byte(tcpLen+len(s.options))/4<<4|s.reserved, flags)
		t = binary.BigEndian.AppendUint16(t, s.window)
		t = append(t, 0, 0)
		t = binary.BigEndian.AppendUint16(t, s.urgent)
		t = append(t, s.options...)
	}
	t = append(t, s.payload...)
	pseudo := naive(src, naive(dst, uint32(protocol)+uint32(len(t))))
	if !s.noChecksum {
		binary.BigEndian.PutUint16(t[checksumAt:], ^uint16(naive(t, pseudo)))
		if s.udp && t[6] == 0 && t[7] == 0 {
			t[6], t[7] = 0xff, 0xff
		}
	}
	ttl := s.ttl
	if ttl == 0 {
		ttl = 64
	}
	var p []byte
	if s.v6() {
		next := protocol
		if s.extension != nil {
			next = s.kind
			s.extension[0] = protocol
		}
		p = binary.BigEndian.AppendUint32(p, 6<<28|uint32(s.tos)<<20|s.label)
		p = binary.BigEndian.AppendUint16(p, uint16(len(s.extension)+len(t)))
		p = append(p, next, ttl)
		p = append(append(append(p, src...), dst...), s.extension...)
	} else {
		n := ipv4Len + len(s.ipOptions)
		p = append(p, 4<<4|byte(n/4), s.tos)
		p = binary.BigEndian.AppendUint16(p, uint16(n+len(t)))
		p = binary.BigEndian.AppendUint16(p, s.id)
		p = binary.BigEndian.AppendUint16(p, s.fragment)
		p = append(p, ttl, protocol, 0, 0)
		p = append(append(append(p, src...), dst...), s.ipOptions...)
		binary.BigEndian.PutUint16(p[10:], ^uint16(naive(p, 0)))
	}
	return append(append(p, t...), make([]byte, s.padding)...)
}

// check tells what is wrong with the lengths and checksums of an IP packet that
// has TCP or UDP in it.
func check(p []byte) error {
	if len(p) < ipv4Len {
		return fmt.Errorf("%d octets", len(p))
	}
	var protocol byte
	var addrs []byte
	at := ipv6Len
	if p[0]>>4 == 6 {
		if got := int(binary.BigEndian.Uint16(p[4:])) + ipv6Len; got != len(p) {
			return fmt.Errorf("IPv6 length says %d of %d octets", got, len(p))
		}
		protocol, addrs = p[6], slices.Clone(p[8:40])
		for protocol == extHopByHop || protocol == extDestination || protocol == extRouting {
			if protocol == extRouting { // the last address of the list
				copy(addrs[16:], p[at+8+16*(int(p[at+1])/2-1):][:16])
			}
			protocol, at = p[at], at+8*(int(p[at+1])+1)
		}
	} else {
		if got := int(binary.BigEndian.Uint16(p[2:])); got != len(p) {
			return fmt.Errorf("IPv4 length says %d of %d octets", got, len(p))
		}
		protocol, addrs, at = p[9], p[12:20], int(p[0]&15)*4
		if c := naive(p[:at], 0); c != 0xffff {
			return fmt.Errorf("IPv4 header sums to %04x", c)
		}
	}
	t := p[at:]
	if protocol == protocolUDP {
		if got := int(binary.BigEndian.Uint16(t[4:])); got != len(t) {
			return fmt.Errorf("UDP length says %d of %d octets", got, len(t))
		}
		if t[6] == 0 && t[7] == 0 {
			return fmt.Errorf("UDP without a checksum")
		}
	}
	if c := naive(t, naive(addrs, uint32(protocol)+uint32(len(t)))); c != 0xffff {
		return fmt.Errorf("protocol %d sums to %04x", protocol, c)
	}
	return nil
}

// frame puts a virtio header before a packet.
func frame(h header, p []byte) []byte {
	b := make([]byte, HeaderLen, HeaderLen+len(p))
	h.put(b)
	return append(b, p...)
}

// split cuts a frame up, or gives an error of Load or Next.
func split(f []byte) ([][]byte, error) {
	var s Splitter
	if err := s.Load(f); err != nil {
		return nil, err
	}
	var out [][]byte
	for {
		b := make([]byte, 1<<16)
		n, err := s.Next(b)
		if err != nil {
			return out, err
		}
		if n == 0 {
			return out, nil
		}
		out = append(out, b[:n])
	}
}

// join gives the frames that a Joiner makes of packets, which it may change.
func join(j *Joiner, packets [][]byte) [][]byte {
	var frames [][]byte
	for _, p := range packets {
		j.Add(p)
	}
	j.Flush(func(parts [][]byte) error {
		frames = append(frames, bytes.Join(parts, nil))
		return nil
	})
	return frames
}

func clone(packets [][]byte) [][]byte {
	out := make([][]byte, len(packets))
	for i, p := range packets {
		out[i] = slices.Clone(p)
	}
	return out
}

// flowOf names what a packet must not leave the order of: ports are known of whole
// packets of TCP and UDP alone.
func flowOf(p []byte) string {
	if s := parse(p); s.kind != whole {
		return fmt.Sprintf("%d: %x", s.kind, s.hash)
	}
	return "others"
}

// same compares what was added with what came out, flow by flow.
func same(t testing.TB, in, out [][]byte) {
	t.Helper()
	if len(in) != len(out) {
		t.Fatalf("%d packets came out of %d", len(out), len(in))
	}
	flows := make(map[string][][]byte)
	for _, p := range in {
		flows[flowOf(p)] = append(flows[flowOf(p)], p)
	}
	for i, got := range out {
		f := flowOf(got)
		if len(flows[f]) == 0 {
			t.Fatalf("packet %d of what came out belongs to no flow that went in: % x", i, got)
		}
		want := flows[f][0]
		flows[f] = flows[f][1:]
		if !bytes.Equal(normal(want), normal(got)) {
			t.Fatalf("packet %d of what came out is\n% x, not\n% x", i, got, want)
		}
	}
}

// normal takes out what may change: the identification if DF is set (RFC 6864),
// and which of its two forms a checksum of zero has.
func normal(p []byte) []byte {
	p = slices.Clone(p)
	s := parse(p)
	if s.kind == whole || !s.joinable || !intact(p, s.ip, s.kind) {
		return p
	}
	if !s.kind.v6() && p[6]&dontFragment != 0 {
		p[4], p[5], p[10], p[11] = 0, 0, 0, 0
	}
	c := p[s.ip+s.kind.checksumOffset():][:2]
	if c[0] == 0xff && c[1] == 0xff {
		c[0], c[1] = 0, 0
	}
	return p
}
