package offload

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const host6, peer6 = "fd00::1", "fd00::2"

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b)
	return b
}

// large is a frame as the kernel hands one over: the pseudo-header's sum stands
// in the checksum's place, with the length of the whole.
func large(s packet, size int) []byte {
	p := s.bytes()
	h := header{flags: needsChecksum, gso: gsoTCPv4, gsoSize: uint16(size), checksumStart: ipv4Len + uint16(len(s.ipOptions))}
	if s.v6() {
		h.gso, h.checksumStart = gsoTCPv6, ipv6Len+uint16(len(s.extension))
	}
	h.checksumOffset = tcpChecksum
	h.hdrLen = h.checksumStart + tcpLen + uint16(len(s.options))
	if s.udp {
		h.gso, h.checksumOffset = gsoUDP, udpChecksum
		h.hdrLen = h.checksumStart + udpLen
	}
	t := p[h.checksumStart:]
	c := t[h.checksumOffset:]
	c[0], c[1] = 0, 0
	pseudo := naive(t, 0) // with what made the sum right before, the pseudo-header's is left
	whole := s.bytes()[h.checksumStart:]
	binary.BigEndian.PutUint16(c, ^uint16(naive([]byte{whole[h.checksumOffset], whole[h.checksumOffset+1]}, pseudo)))
	return frame(h, p)
}

// TestSplitter cuts large frames of all kinds, with payloads that divide evenly
// and not.
func TestSplitter(t *testing.T) {
	timestamps := []byte{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}
	destination := []byte{0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	routing := append([]byte{0, 2, 4, 1, 0, 0, 0, 0}, append(make([]byte, 15), 9)...)
	for name, s := range map[string]packet{
		"TCP over IPv4":        {seq: 0xfffffff0, ack: 77, window: 501, id: 0xfffe, fragment: 0x4000, options: timestamps},
		"TCP with IP options":  {ipOptions: []byte{7, 7, 4, 0, 0, 0, 0, 0}},
		"TCP over IPv6":        {src: host6, dst: peer6, seq: 5, options: timestamps, tos: 0x12, label: 0xabcde},
		"TCP behind extension": {src: host6, dst: peer6, extension: destination, kind: extDestination},
		"TCP on a route":       {src: host6, dst: peer6, extension: routing, kind: extRouting},
		"UDP over IPv4":        {udp: true, id: 9},
		"UDP over IPv6":        {src: host6, dst: peer6, udp: true},
	} {
		for _, size := range []int{48, 1360, 1400, 65000} {
			for _, n := range []int{1, 47, 48, 1400, 4200, 4201, 65000 - 40} {
				s.payload = random(n)
				if s.extension != nil && s.kind == extRouting {
					// The checksum is of the final destination.
					end := s
					end.dst = "::9"
					c := end.bytes()
					f := large(s, size)
					at := HeaderLen + ipv6Len + len(routing)
					sum := naive(c[8:40], protocolTCP+uint32(len(f)-at))
					binary.BigEndian.PutUint16(f[at+tcpChecksum:], uint16(sum))
					splitOne(t, name, s, f, size)
					continue
				}
				splitOne(t, name, s, large(s, size), size)
			}
		}
	}
}

func splitOne(t *testing.T, name string, s packet, f []byte, size int) {
	t.Helper()
	out, err := split(f)
	if err != nil {
		t.Fatalf("%s, %d octets by %d: %v", name, len(s.payload), size, err)
	}
	if want := (len(s.payload) + size - 1) / size; len(out) != want {
		t.Fatalf("%s, %d octets by %d: %d packets, want %d", name, len(s.payload), size, len(out), want)
	}
	head := len(f) - HeaderLen - len(s.payload)
	var payload []byte
	for i, p := range out {
		if err := check(p); err != nil {
			t.Fatalf("%s, %d octets by %d, packet %d: %v", name, len(s.payload), size, i, err)
		}
		if !s.v6() {
			if got := binary.BigEndian.Uint16(p[4:]); got != s.id+uint16(i) {
				t.Errorf("%s: packet %d has the identification %d after %d", name, i, got, s.id)
			}
		}
		if !s.udp {
			at := head - tcpLen - len(s.options)
			if got, want := binary.BigEndian.Uint32(p[at+4:]), s.seq+uint32(len(payload)); got != want {
				t.Errorf("%s: packet %d has the sequence number %d, want %d", name, i, got, want)
			}
			if !bytes.Equal(p[at+8:at+tcpChecksum], f[HeaderLen+at+8:][:8]) || !bytes.Equal(p[at+18:head], f[HeaderLen+at+18:][:head-at-18]) {
				t.Errorf("%s: packet %d has another header: % x", name, i, p[at:head])
			}
		}
		payload = append(payload, p[head:]...)
	}
	if !bytes.Equal(payload, s.payload) {
		t.Errorf("%s: the payload has changed", name)
	}
}

// TestSplitterFlags: what is said once is said in the right packet.
func TestSplitterFlags(t *testing.T) {
	s := packet{flags: flagACK | flagPSH | flagFIN | flagCWR | flagECE, payload: random(250)}
	f := large(s, 100)
	f[1] |= gsoECN
	out, err := split(f)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{flagACK | flagECE | flagCWR, flagACK | flagECE, flagACK | flagECE | flagPSH | flagFIN}
	for i, p := range out {
		if p[33] != want[i] {
			t.Errorf("packet %d has the flags %02x, want %02x", i, p[33], want[i])
		}
	}
}

// TestSplitterSegments: a frame of 64 kB in pieces of 48 octets.
func TestSplitterSegments(t *testing.T) {
	s := packet{payload: random(65535 - 40)}
	out, err := split(large(s, 48))
	if err != nil || len(out) != 1365 {
		t.Errorf("%d packets, %v, want 1365", len(out), err)
	}
}

// TestSplitterWhole: without segmentation a packet only lacks its checksum, or
// not even that.
func TestSplitterWhole(t *testing.T) {
	for _, s := range []packet{
		{payload: random(1000)}, {udp: true, payload: random(333)}, {src: host6, dst: peer6, udp: true}, {src: host6, dst: peer6, payload: random(7)},
	} {
		p := s.bytes()
		out, err := split(frame(header{}, p))
		if err != nil || len(out) != 1 || !bytes.Equal(out[0], p) {
			t.Errorf("a complete packet became % x, %v", out, err)
		}
		f := large(s, 0)
		f[1] = gsoNone
		out, err = split(f)
		if err != nil || len(out) != 1 || !bytes.Equal(out[0], p) {
			t.Errorf("without its checksum it became\n% x, %v, want\n% x", out, err, p)
		}
	}
	// A checksum of UDP that comes to zero is written as its other form.
	s := packet{udp: true, payload: make([]byte, 2)}
	c := ^binary.BigEndian.Uint16(s.bytes()[26:])
	binary.BigEndian.PutUint16(s.payload, ^c)
	f := large(s, 0)
	f[1] = gsoNone
	if out, _ := split(f); len(out) != 1 || out[0][26] != 0xff || out[0][27] != 0xff {
		t.Errorf("the checksum zero became % x", out)
	}
	// What is no IP at all goes through as well: it is the host's.
	if out, err := split(frame(header{}, []byte{1})); err != nil || len(out) != 1 {
		t.Errorf("one octet: %v, %v", out, err)
	}
}

// TestSplitterShort: a packet for which there is no room is an error of its own,
// and not the next one's.
func TestSplitterShort(t *testing.T) {
	var s Splitter
	if err := s.Load(large(packet{payload: random(250)}, 100)); err != nil {
		t.Fatal(err)
	}
	b := bytes.Repeat([]byte{0xee}, 139)
	for i := range 2 {
		if n, err := s.Next(b); n != 0 || err == nil || err.Error() != "offload: no room for a packet of 140 octets in 139" {
			t.Errorf("packet %d: %d, %v", i, n, err)
		}
		if b[0] != 0xee {
			t.Error("half a packet was written")
		}
	}
	if n, err := s.Next(b); n != 90 || err != nil || check(b[:n]) != nil {
		t.Errorf("the last, which fits: %d, %v", n, err)
	}
	if n, err := s.Next(b); n != 0 || err != nil {
		t.Errorf("after the last: %d, %v", n, err)
	}
	s.Load(frame(header{}, make([]byte, 140)))
	if n, err := s.Next(b); n != 0 || err == nil {
		t.Errorf("a whole packet: %d, %v", n, err)
	}
	if n, err := s.Next(nil); n != 0 || err != nil {
		t.Errorf("after it: %d, %v", n, err)
	}
}

// TestSplitterErrors: what cannot be is said, with the field.
func TestSplitterErrors(t *testing.T) {
	tcp := packet{payload: random(100)}
	change := func(s packet, f func(f []byte)) []byte {
		b := large(s, 50)
		f(b)
		return b
	}
	put := func(at int, v uint16) func(f []byte) {
		return func(f []byte) { binary.NativeEndian.PutUint16(f[at:], v) }
	}
	for _, c := range []struct {
		frame []byte
		want  string
	}{
		{make([]byte, 9), "offload: virtio_net_hdr beyond the frame of 9 octets"},
		{make([]byte, 10), "offload: no packet after the header"},
		{frame(header{flags: needsChecksum, checksumStart: 20, checksumOffset: 16}, make([]byte, 37)), "offload: csum_start 20 with csum_offset 16 beyond the packet of 37 octets"},
		{frame(header{flags: needsChecksum, checksumStart: 65535, checksumOffset: 65535}, make([]byte, 37)), "offload: csum_start 65535 with csum_offset 65535 beyond"},
		{change(tcp, put(2, 141)), "offload: hdr_len 141 beyond the packet of 140 octets"},
		{change(tcp, put(4, 0)), "offload: gso_size 0 with gso_type 1"},
		{change(tcp, put(6, 24)), "offload: csum_start 24, but the transport header is at 20"},
		{change(tcp, func(f []byte) { f[1] = 3 }), "offload: gso_type 3 with IP version 4"},
		{change(tcp, func(f []byte) { f[1] = gsoTCPv6 }), "offload: gso_type 4 with IP version 4"},
		{change(tcp, func(f []byte) { f[1] = gsoUDP }), "offload: gso_type 5 on protocol 6"},
		{change(tcp, func(f []byte) { f[10] = 0x44 }), "offload: IPv4 header length 16 in a packet of 140 octets"},
		{change(tcp, func(f []byte) { f[10+32] = 0x4f }), "offload: TCP data offset 16 below 20"},
		{change(packet{}, func(f []byte) { f[10+32] = 0xff }), "offload: headers of 80 octets beyond the packet of 40"},
		{frame(header{gso: gsoTCPv4, gsoSize: 1}, []byte{0x45}), "offload: IPv4 header beyond the packet of 1 octets"},
		{frame(header{gso: gsoTCPv6, gsoSize: 1}, []byte{0x60}), "offload: IPv6 header beyond the packet of 1 octets"},
		{frame(header{gso: gsoTCPv6, gsoSize: 1}, slices.Concat([]byte{0x60, 0, 0, 0, 0, 0, 60, 0}, make([]byte, 33))), "offload: IPv6 extension header 60 beyond the packet of 41 octets"},
		{frame(header{gso: gsoTCPv6, gsoSize: 1}, slices.Concat([]byte{0x60, 0, 0, 0, 0, 0, 60, 0}, make([]byte, 32), []byte{6, 1, 0, 0, 0, 0, 0, 0})), "offload: IP headers of 56 octets beyond the packet of 48"},
		{frame(header{gso: gsoTCPv6, gsoSize: 1}, slices.Concat([]byte{0x60, 0, 0, 0, 0, 0, 43, 0}, make([]byte, 32), []byte{6, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 12), []byte{0x50}, make([]byte, 7))), "offload: a routing header"},
		{frame(header{gso: gsoUDP, gsoSize: 65535}, append(packet{udp: true}.bytes(), make([]byte, 65535)...)), "offload: gso_size 65535 makes packets of 65563 octets"},
	} {
		out, err := split(c.frame)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || out != nil {
			t.Errorf("got %v with %d packets, want %q", err, len(out), c.want)
		}
	}
}
