package tunnel

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// sum is the Internet checksum (RFC 1071).
func sum(parts ...[]byte) uint16 {
	var s uint32
	for _, p := range parts {
		for i := 0; i+1 < len(p); i += 2 {
			s += uint32(binary.BigEndian.Uint16(p[i:]))
		}
		if len(p)%2 == 1 {
			s += uint32(p[len(p)-1]) << 8
		}
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

// tcpPacket makes an IPv4 or IPv6 packet with a TCP header that has these
// flags and options, and a good checksum.
func tcpPacket(version int, flags byte, options []byte) []byte {
	tcp := make([]byte, 20, 20+len(options))
	binary.BigEndian.PutUint16(tcp, 40000)
	binary.BigEndian.PutUint16(tcp[2:], 443)
	tcp[12], tcp[13] = byte((20+len(options))/4)<<4, flags
	tcp = append(tcp, options...)
	var ip, pseudo []byte
	if version == 4 {
		ip = []byte{0x45, 0, 0, byte(20 + len(tcp)), 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
		pseudo = append(append([]byte{}, ip[12:20]...), 0, 6, 0, byte(len(tcp)))
	} else {
		ip = make([]byte, 40)
		ip[0], ip[5], ip[6], ip[7] = 0x60, byte(len(tcp)), 6, 64
		ip[23], ip[39] = 1, 2
		pseudo = append(append([]byte{}, ip[8:40]...), 0, 0, 0, byte(len(tcp)), 0, 0, 0, 6)
	}
	binary.BigEndian.PutUint16(tcp[16:], sum(pseudo, tcp))
	return append(ip, tcp...)
}

// checksumGood verifies the TCP checksum of a packet that tcpPacket made.
func checksumGood(p []byte) bool {
	if p[0]>>4 == 4 {
		tcp := p[20:]
		return sum(append(append([]byte{}, p[12:20]...), 0, 6, 0, byte(len(tcp))), tcp) == 0
	}
	tcp := p[40:]
	return sum(append(append([]byte{}, p[8:40]...), 0, 0, 0, byte(len(tcp)), 0, 0, 0, 6), tcp) == 0
}

func TestClampMSS(t *testing.T) {
	const syn, ack = 2, 16
	for _, c := range []struct {
		name    string
		version int
		flags   byte
		options []byte
		mtu     int
		want    []byte // the options afterwards
	}{
		{"lowered", 4, syn, []byte{2, 4, 0x05, 0xb4}, 1400, []byte{2, 4, 0x05, 0x50}},
		{"SYN and ACK too", 4, syn | ack, []byte{2, 4, 0x05, 0xb4}, 1400, []byte{2, 4, 0x05, 0x50}},
		{"never raised", 4, syn, []byte{2, 4, 0x02, 0x18}, 1400, []byte{2, 4, 0x02, 0x18}},
		{"exact", 4, syn, []byte{2, 4, 0x05, 0x50}, 1400, []byte{2, 4, 0x05, 0x50}},
		{"not a SYN", 4, ack, []byte{2, 4, 0x05, 0xb4}, 1400, []byte{2, 4, 0x05, 0xb4}},
		{"after others", 4, syn, []byte{1, 1, 4, 2, 2, 4, 0x05, 0xb4}, 1400, []byte{1, 1, 4, 2, 2, 4, 0x05, 0x50}},
		{"at an odd offset", 4, syn, []byte{1, 2, 4, 0x05, 0xb4, 0, 0, 0}, 1400, []byte{1, 2, 4, 0x05, 0x50, 0, 0, 0}},
		{"behind the end of the list", 4, syn, []byte{0, 0, 0, 0, 2, 4, 0x05, 0xb4}, 1400, []byte{0, 0, 0, 0, 2, 4, 0x05, 0xb4}},
		{"option of no length", 4, syn, []byte{8, 0, 2, 4, 0x05, 0xb4, 0, 0}, 1400, []byte{8, 0, 2, 4, 0x05, 0xb4, 0, 0}},
		{"option longer than the header", 4, syn, []byte{2, 9, 0x05, 0xb4}, 1400, []byte{2, 9, 0x05, 0xb4}},
		{"IPv6", 6, syn, []byte{2, 4, 0x05, 0xa0}, 1400, []byte{2, 4, 0x05, 0x3c}},
	} {
		p := tcpPacket(c.version, c.flags, c.options)
		clampMSS(p, c.mtu)
		if got := p[len(p)-len(c.options):]; !bytes.Equal(got, c.want) {
			t.Errorf("%s: options % x, want % x", c.name, got, c.want)
		}
		if !checksumGood(p) {
			t.Errorf("%s: checksum broken", c.name)
		}
	}
}

// TestClampMSSKeepsBroken: a packet with a wrong checksum must not be made
// right on the way.
func TestClampMSSKeepsBroken(t *testing.T) {
	p := tcpPacket(4, 2, []byte{2, 4, 0x05, 0xb4})
	p[20+5] ^= 1
	clampMSS(p, 1400)
	if checksumGood(p) {
		t.Error("a broken packet has a good checksum now")
	}
}

func TestClampMSSLeavesFragments(t *testing.T) {
	p := tcpPacket(4, 2, []byte{2, 4, 0x05, 0xb4})
	p[7] = 1 // fragment offset 8: what follows is no TCP header
	want := bytes.Clone(p)
	clampMSS(p, 1400)
	if !bytes.Equal(p, want) {
		t.Error("a later fragment was changed")
	}
}

func FuzzClampMSS(f *testing.F) {
	f.Add(tcpPacket(4, 2, []byte{2, 4, 0x05, 0xb4}), 1400)
	f.Add(tcpPacket(6, 2, []byte{1, 2, 4, 0x05, 0xb4, 0, 0, 0}), 1280)
	f.Fuzz(func(t *testing.T, p []byte, mtu int) {
		n := len(p)
		before := bytes.Clone(p)
		clampMSS(p, mtu)
		changed := 0
		for i := range n {
			if p[i] != before[i] {
				changed++
			}
		}
		if changed > 4 { // two octets of MSS, two of checksum
			t.Errorf("%d octets changed of % x", changed, before)
		}
	})
}
