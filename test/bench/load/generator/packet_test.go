package generator

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
)

var (
	fromAddr = netip.MustParseAddrPort("10.1.0.1:7723")
	toAddr   = netip.MustParseAddrPort("10.2.0.2:7723")
)

func TestPacket(t *testing.T) {
	for _, size := range []int{0, MinSize, MinSize + 1, 100, 999, 1400, 1500} {
		for k, number := range []uint64{0, 1, 250, 251, 65535, 1<<40 + 7, 0, 251} {
			tcp := k >= 6
			p := AppendPacket([]byte("before"), &Packet{From: fromAddr, To: toAddr, FromSession: 3, ToSession: 4, Number: number, Size: size, TCP: tcp, Seq: 1 << 31})[len("before"):]
			if want := max(size, MinSize); len(p) != want {
				t.Fatalf("size %d: %d octets, want %d", size, len(p), want)
			}
			got, verdict := Check(p, toAddr.Addr(), 4)
			if verdict != Right || got != number {
				t.Errorf("size %d, number %d: number %d, verdict %d", size, number, got, verdict)
			}
		}
	}
}

// TestChecksum compares with packets whose checksums were worked out by hand.
func TestChecksum(t *testing.T) {
	for _, c := range []struct {
		name  string
		words []byte
		want  uint16
	}{
		{"RFC 1071, section 3", []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0xddf2},
		{"an odd length", []byte{0x00, 0x01, 0xf2, 0x03, 0xf4}, 0xf4<<8 + 0xf204 - 0xffff},
		{"a carry of a carry", []byte{0xff, 0xff, 0xff, 0xff, 0x00, 0x01}, 0x0001},
	} {
		if got := fold(sum(c.words)); got != c.want {
			t.Errorf("%s: %#04x, want %#04x", c.name, got, c.want)
		}
	}
}

// TestDamage has a packet spoilt octet by octet: none of it goes unseen.
func TestDamage(t *testing.T) {
	for k, size := range []int{MinSize, 77, 300, 78} {
		p := AppendPacket(nil, &Packet{From: fromAddr, To: toAddr, FromSession: 3, ToSession: 4, Number: 12345, Size: size, TCP: k > 1, Seq: 77})
		for i := range p {
			for _, flip := range []byte{0x01, 0x80, 0xff} {
				bad := bytes.Clone(p)
				bad[i] ^= flip
				if _, verdict := Check(bad, toAddr.Addr(), 4); verdict == Right {
					t.Errorf("size %d: octet %d changed by %#02x: called right", size, i, flip)
				}
			}
			if _, verdict := Check(p[:i], toAddr.Addr(), 4); verdict == Right {
				t.Errorf("size %d: cut to %d octets: called right", size, i)
			}
		}
		if _, verdict := Check(append(bytes.Clone(p), 0), toAddr.Addr(), 4); verdict != Wrong {
			t.Errorf("size %d: an octet too many: verdict %d", size, verdict)
		}
	}
}

func TestCheck(t *testing.T) {
	packet := Packet{From: fromAddr, To: toAddr, FromSession: 3, ToSession: 4, Number: 1, Size: 200}
	p := AppendPacket(nil, &packet)
	elsewhere := packet
	elsewhere.To = netip.MustParseAddrPort("10.2.0.2:53")
	segment := packet
	segment.TCP = true
	unchecked := bytes.Clone(p)
	unchecked[26], unchecked[27] = 0, 0
	icmp := bytes.Clone(p)
	icmp[9] = 1
	for _, c := range []struct {
		name    string
		packet  []byte
		addr    string
		session uint32
		want    Verdict
	}{
		{"its own", p, "10.2.0.2", 4, Right},
		{"another session's", p, "10.2.0.2", 5, Wrong},
		{"for another address", p, "10.2.0.3", 4, Wrong},
		{"to another port", AppendPacket(nil, &elsewhere), "10.2.0.2", 4, Foreign},
		{"TCP", AppendPacket(nil, &segment), "10.2.0.2", 4, Right},
		{"TCP, another session's", AppendPacket(nil, &segment), "10.2.0.2", 5, Wrong},
		{"TCP, cut in its header", AppendPacket(nil, &segment)[:39], "10.2.0.2", 4, Foreign},
		{"UDP without a checksum", unchecked, "10.2.0.2", 4, Right},
		{"ICMP", icmp, "10.2.0.2", 4, Foreign},
		{"nothing", nil, "10.2.0.2", 4, Foreign},
		{"IPv6", append([]byte{0x60}, p[1:]...), "10.2.0.2", 4, Foreign},
	} {
		if _, got := Check(c.packet, netip.MustParseAddr(c.addr), c.session); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
	}
}

// TestMarksDiffer: packets that follow one another have different contents, so
// that one cannot pass for the other.
func TestMarksDiffer(t *testing.T) {
	seen := map[string]uint64{}
	for n := range uint64(2000) {
		text := string(AppendMark(nil, 1, 2, n, 200))
		if other, again := seen[text]; again {
			t.Fatalf("%d and %d have the same contents", n, other)
		}
		seen[text] = n
		if n < 250 && text[markSize:] == string(AppendMark(nil, 1, 2, n+1, 200))[markSize:] {
			t.Errorf("%d and %d are filled alike", n, n+1)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(AppendPacket(nil, &Packet{From: fromAddr, To: toAddr, FromSession: 3, ToSession: 4, Number: 1, Size: 200}), uint32(4))
	f.Add(AppendPacket(nil, &Packet{From: fromAddr, To: toAddr, FromSession: Nobody, ToSession: 9, Number: 1 << 50, TCP: true}), uint32(9))
	f.Add([]byte{0x45}, uint32(0))
	f.Fuzz(func(t *testing.T, p []byte, session uint32) {
		number, verdict := Check(p, toAddr.Addr(), session)
		if verdict != Right {
			return
		}
		inside := p[ipHeader+udpHeader:]
		if p[9] == protocolTCP {
			inside = p[ipHeader+tcpHeader:]
		}
		from, to, n, ok := ParseMark(inside)
		if !ok || to != session || n != number {
			t.Fatalf("right, but its mark says %v %d %d", ok, to, n)
		}
		if again := AppendMark(nil, from, to, n, len(inside)); !bytes.Equal(again, inside) {
			t.Fatalf("right, but not what AppendMark makes: %x", p)
		}
	})
}

func BenchmarkPacket(b *testing.B) {
	for _, size := range []int{100, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			buf := make([]byte, 0, 1500)
			b.ReportAllocs()
			for n := range b.N {
				buf = AppendPacket(buf[:0], &Packet{From: fromAddr, To: toAddr, FromSession: 3, ToSession: 4, Number: uint64(n), Size: size})
				if _, v := Check(buf, toAddr.Addr(), 4); v != Right {
					b.Fatal(v)
				}
			}
		})
	}
}
