package osnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// grePacket is an enhanced GRE packet with a sequence number and size octets of
// payload, which repeat the number.
func grePacket(seq uint32, size int) []byte {
	b := []byte{0x30, 0x01, 0x88, 0x0b, byte(size >> 8), byte(size), 0, 7, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[8:], seq)
	return append(b, bytes.Repeat([]byte{byte(seq)}, size)...)
}

func makePackets(n, size int) []Packet {
	p := make([]Packet, n)
	for i := range p {
		p[i].Buf = make([]byte, size)
	}
	return p
}

// greEnds opens a client and a server, in namespaces of their own.
func greEnds(t testing.TB) (client, server *GRE) {
	t.Helper()
	a, b := pairNetns(t)
	return greEndsIn(t, a, b)
}

func greEndsIn(t testing.TB, a, b netns) (client, server *GRE) {
	t.Helper()
	b.do(t, func() (err error) { server, err = ListenGRE(); return })
	a.do(t, func() (err error) { client, err = DialGRE(addrB); return })
	t.Cleanup(func() { client.Close(); server.Close() })
	for _, g := range []*GRE{client, server} {
		// A packet that never comes fails the test instead of hanging it.
		g.file.SetDeadline(time.Now().Add(20 * time.Second))
	}
	// The kernel queues little while ARP asks: a burst would lose packets.
	if err := client.WriteBatch([][]byte{grePacket(0, 4)}, Path{}); err != nil {
		t.Fatal(err)
	}
	readN(t, server, 1)
	return client, server
}

// readN reads n packets and gives their data, copied, and the last path.
func readN(t testing.TB, g *GRE, n int) (data [][]byte, path Path) {
	t.Helper()
	pkts := makePackets(BatchSize, 4096)
	for len(data) < n {
		k, err := g.ReadBatch(pkts)
		if err != nil {
			t.Fatalf("after %d of %d packets: %v", len(data), n, err)
		}
		for _, p := range pkts[:k] {
			data, path = append(data, bytes.Clone(p.Data)), p.Path
		}
	}
	return data, path
}

func TestGREBothWays(t *testing.T) {
	needRoot(t)
	client, server := greEnds(t)
	if want := (Path{addrA, addrB}); client.Path() != want {
		t.Errorf("client's path %v, want %v", client.Path(), want)
	}
	// More than two batches, of unequal sizes, arrive whole and in order.
	var sent [][]byte
	for i := range 150 {
		sent = append(sent, grePacket(uint32(i), 8*i))
	}
	if err := client.WriteBatch(sent, Path{}); err != nil {
		t.Fatal(err)
	}
	got, path := readN(t, server, len(sent))
	for i := range sent {
		if !bytes.Equal(got[i], sent[i]) {
			t.Fatalf("packet %d: %d octets % x..., want %d octets % x...", i, len(got[i]), got[i][:12], len(sent[i]), sent[i][:12])
		}
	}
	if want := (Path{Local: addrB, Remote: addrA}); path != want {
		t.Errorf("server saw path %v, want %v", path, want)
	}
	if err := server.WriteBatch(sent[:1], path); err != nil {
		t.Fatal(err)
	}
	if got, _ := readN(t, client, 1); !bytes.Equal(got[0], sent[0]) {
		t.Errorf("answer % x, want % x", got[0], sent[0])
	}
}

// The server has a second address; the client that dialled it hears from that.
func TestGREAnswersFromWhereItWasSent(t *testing.T) {
	needRoot(t)
	a, b := pairNetns(t)
	second := netip.MustParseAddr("10.9.0.77")
	b.do(t, func() error { return addAddress("eth0", second.String()+"/24") })
	var client, server *GRE
	b.do(t, func() (err error) { server, err = ListenGRE(); return })
	a.do(t, func() (err error) { client, err = DialGREFrom(addrA, second); return })
	defer client.Close()
	defer server.Close()
	client.file.SetDeadline(time.Now().Add(20 * time.Second))
	server.file.SetDeadline(time.Now().Add(20 * time.Second))
	if err := client.WriteBatch([][]byte{grePacket(1, 4)}, Path{}); err != nil {
		t.Fatal(err)
	}
	_, path := readN(t, server, 1)
	if path.Local != second {
		t.Fatalf("server's address in the path is %v, want %v", path.Local, second)
	}
	if err := server.WriteBatch([][]byte{grePacket(2, 4)}, path); err != nil {
		t.Fatal(err)
	}
	// The connected socket would not take it from another address.
	if got, p := readN(t, client, 1); p.Remote != second || got[0][11] != 2 {
		t.Errorf("client got % x from %v, want packet 2 from %v", got[0], p.Remote, second)
	}
}

// Plain GRE (version 0) and other protocols do not reach the reader.
func TestGREFilter(t *testing.T) {
	needRoot(t)
	client, server := greEnds(t)
	v0 := []byte{0, 0, 0x08, 0x00, 1, 2, 3, 4}
	v0ppp := append([]byte{0x30, 0x00}, grePacket(1, 4)[2:]...)
	v1ip := append([]byte{0x30, 0x01, 0x08, 0x00}, grePacket(1, 4)[4:]...)
	short := []byte{0x30}
	if err := client.WriteBatch([][]byte{v0, v0ppp, v1ip, short, grePacket(9, 4)}, Path{}); err != nil {
		t.Fatal(err)
	}
	got, _ := readN(t, server, 1)
	if got[0][11] != 9 {
		t.Errorf("first packet read is % x, want number 9", got[0])
	}
}

// A packet larger than the link is sent in fragments and arrives in one piece.
func TestGREFragments(t *testing.T) {
	needRoot(t)
	client, server := greEnds(t)
	big := grePacket(5, 3500)
	if err := client.WriteBatch([][]byte{big}, Path{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := readN(t, server, 1); !bytes.Equal(got[0], big) {
		t.Errorf("got %d octets, want %d", len(got[0]), len(big))
	}
	// One too large for the reader's buffer is counted, and the next comes.
	if err := client.WriteBatch([][]byte{grePacket(6, 5000), grePacket(7, 4)}, Path{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := readN(t, server, 1); got[0][11] != 7 {
		t.Errorf("got packet % x, want number 7", got[0][:12])
	}
	if s := server.Stats(); s.Truncated != 1 {
		t.Errorf("truncated: %d, want 1", s.Truncated)
	}
}

// Nobody takes GRE at the peer: it says protocol unreachable, which comes out of
// ReadBatch as a transient error; writing goes on meanwhile.
func TestGREProtocolUnreachable(t *testing.T) {
	needRoot(t)
	if _, err := os.Stat("/sys/module/gre"); err == nil {
		t.Skip("the kernel's own GRE takes such packets and says nothing")
	}
	a, _ := pairNetns(t)
	var client *GRE
	a.do(t, func() (err error) { client, err = DialGRE(addrB); return })
	defer client.Close()
	client.file.SetDeadline(time.Now().Add(20 * time.Second))
	for round := range 2 {
		if err := client.WriteBatch([][]byte{grePacket(1, 4), grePacket(2, 4)}, Path{}); err != nil {
			t.Fatalf("round %d: write: %v", round, err)
		}
		_, err := client.ReadBatch(makePackets(4, 2048))
		var icmp *ICMPError
		if !errors.As(err, &icmp) {
			t.Fatalf("round %d: read: %v, want an ICMPError", round, err)
		}
		if !icmp.NoGRE() || icmp.From != addrB || icmp.Remote != addrB || !errors.Is(err, syscall.ENOPROTOOPT) {
			t.Errorf("round %d: %+v, want protocol unreachable from %v", round, icmp, addrB)
		}
		const text = "osnet: GRE to 10.9.0.2: the peer answers protocol unreachable: GRE (IP protocol 47) is not accepted there"
		if err.Error() != text {
			t.Errorf("text %q, want %q", err.Error(), text)
		}
	}
}

// A router on the way refuses, and says who it is.
func TestGREProhibited(t *testing.T) {
	needRoot(t)
	a, b := pairNetns(t)
	far := netip.MustParseAddr("198.51.100.7")
	farNet := &net.IPNet{IP: net.IPv4(198, 51, 100, 0), Mask: net.CIDRMask(24, 32)}
	b.do(t, func() error {
		if _, err := SetForwarding(""); err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Dst: farNet, Type: unix.RTN_PROHIBIT})
	})
	var client *GRE
	a.do(t, func() (err error) {
		if err := netlink.RouteAdd(&netlink.Route{Dst: farNet, Gw: addrB.AsSlice()}); err != nil {
			return err
		}
		client, err = DialGRE(far)
		return
	})
	defer client.Close()
	client.file.SetDeadline(time.Now().Add(20 * time.Second))
	if err := client.WriteBatch([][]byte{grePacket(1, 4)}, Path{}); err != nil {
		t.Fatal(err)
	}
	_, err := client.ReadBatch(makePackets(4, 2048))
	var icmp *ICMPError
	if !errors.As(err, &icmp) || !icmp.NoGRE() || icmp.From != addrB || icmp.Remote != far || icmp.Code != 13 {
		t.Errorf("read: %v, want a refusal by %v", err, addrB)
	}
	// It is past: what is read next has no error left over from it.
	client.file.SetDeadline(time.Unix(1, 0))
	if _, err := client.ReadBatch(makePackets(4, 2048)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read again: %v, want the deadline", err)
	}
}

func TestGREHostUnreachable(t *testing.T) {
	needRoot(t)
	a, _ := pairNetns(t)
	nobody := netip.MustParseAddr("10.9.0.200")
	var client *GRE
	a.do(t, func() (err error) {
		// One question instead of three, each a second, until ARP gives up.
		if err := os.WriteFile("/proc/sys/net/ipv4/neigh/eth0/mcast_solicit", []byte("1"), 0); err != nil {
			return err
		}
		client, err = DialGRE(nobody)
		return
	})
	defer client.Close()
	client.file.SetDeadline(time.Now().Add(20 * time.Second))
	if err := client.WriteBatch([][]byte{grePacket(1, 4)}, Path{}); err != nil {
		t.Fatal(err)
	}
	_, err := client.ReadBatch(makePackets(4, 2048))
	var icmp *ICMPError
	if !errors.As(err, &icmp) || icmp.NoGRE() || !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("read: %v, want host unreachable", err)
	}
}

func TestGRENoRoute(t *testing.T) {
	needRoot(t)
	a, b := pairNetns(t)
	client, server := greEndsIn(t, a, b)
	down := func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	}
	a.do(t, down)
	b.do(t, down)
	for _, g := range []struct {
		name string
		gre  *GRE
		path Path
	}{{"client", client, Path{}}, {"server", server, Path{addrB, addrA}}} {
		err := g.gre.WriteBatch([][]byte{grePacket(1, 4)}, g.path)
		var send *SendError
		if !errors.As(err, &send) || !send.Transient() || !errors.Is(err, syscall.ENETUNREACH) || send.Sent != 0 {
			t.Errorf("%s: write: %v, want a transient SendError, network unreachable", g.name, err)
		}
	}
}

func TestGREClose(t *testing.T) {
	needRoot(t)
	client, server := greEnds(t)
	result := make(chan error)
	for _, g := range []*GRE{client, server} {
		go func() {
			_, err := g.ReadBatch(makePackets(4, 2048))
			result <- err
		}()
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-result; !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("read after close: %v, want ErrClosed", err)
		}
		if err := g.WriteBatch([][]byte{grePacket(1, 4)}, Path{addrB, addrA}); !errors.Is(err, ErrClosed) {
			t.Errorf("write after close: %v, want ErrClosed", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
}

// The path to write to may be of another family; nothing goes anywhere.
func TestGREBadAddress(t *testing.T) {
	if _, err := DialGRE(netip.MustParseAddr("2001:db8::1")); err == nil {
		t.Error("dialled an IPv6 address")
	}
	needRoot(t)
	_, server := greEnds(t)
	for _, p := range []Path{{}, {Remote: netip.MustParseAddr("2001:db8::1")}} {
		if err := server.WriteBatch([][]byte{grePacket(1, 4)}, p); err == nil {
			t.Errorf("wrote to %v", p)
		}
	}
}

// A full batch each way allocates nothing.
func TestGREAllocations(t *testing.T) {
	needRoot(t)
	client, server := greEnds(t)
	var batch [][]byte
	for i := range BatchSize {
		batch = append(batch, grePacket(uint32(i), 1400))
	}
	pkts := makePackets(BatchSize, 2048)
	per := testing.AllocsPerRun(50, func() {
		if err := client.WriteBatch(batch, Path{}); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(batch); {
			k, err := server.ReadBatch(pkts)
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
		if err := server.WriteBatch(batch[:1], pkts[0].Path); err != nil {
			t.Fatal(err)
		}
		if _, err := client.ReadBatch(pkts); err != nil {
			t.Fatal(err)
		}
	})
	// The pool of writers may be emptied by a garbage collection meanwhile.
	if per > 1 {
		t.Errorf("%v allocations a round, want none", per)
	}
}

// BenchmarkGRE moves packets of 1400 octets in batches of 64 through a veth
// pair; a figure is per packet, sent and received.
func BenchmarkGRE(b *testing.B) {
	needRoot(b)
	client, server := greEnds(b)
	client.file.SetDeadline(time.Time{})
	server.file.SetDeadline(time.Time{})
	var batch [][]byte
	for i := range BatchSize {
		batch = append(batch, grePacket(uint32(i), 1400))
	}
	pkts := makePackets(BatchSize, 2048)
	b.SetBytes(1412)
	b.ReportAllocs()
	for i := 0; i < b.N; i += BatchSize {
		if err := client.WriteBatch(batch, Path{}); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < BatchSize; {
			k, err := server.ReadBatch(pkts)
			if err != nil {
				b.Fatal(err)
			}
			n += k
		}
	}
}

func TestStripIPv4(t *testing.T) {
	ip := func(header, total, length int, dst byte) []byte {
		b := make([]byte, length)
		b[0] = 0x40 | byte(header/4)
		binary.BigEndian.PutUint16(b[2:], uint16(total))
		copy(b[12:], []byte{10, 0, 0, 1, dst, 0, 0, 2})
		return b
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want int // octets of payload; -1: refused
	}{
		{"plain", ip(20, 30, 30, 10), 10},
		{"options", ip(24, 30, 30, 10), 6},
		{"padded", ip(20, 30, 40, 10), 10},
		{"no payload", ip(20, 20, 20, 10), 0},
		{"empty", nil, -1},
		{"short", make([]byte, 19), -1},
		{"header of 16", ip(16, 30, 30, 10), -1},
		{"header beyond the end", ip(60, 30, 30, 10), -1},
		{"total beyond the end", ip(20, 31, 30, 10), -1},
		{"total inside the header", ip(24, 20, 30, 10), -1},
		{"IPv6", append([]byte{0x60}, make([]byte, 39)...), -1},
		{"multicast", ip(20, 30, 30, 224), -1},
		{"broadcast", ip(20, 30, 30, 255), -1},
	} {
		payload, path, ok := stripIPv4(tt.in)
		if ok != (tt.want >= 0) || ok && len(payload) != tt.want {
			t.Errorf("%s: %d octets, %v, want %d", tt.name, len(payload), ok, tt.want)
		}
		if want := (Path{netip.MustParseAddr("10.0.0.2"), addr4(10, 0, 0, 1)}); ok && path != want {
			t.Errorf("%s: path %v, want %v", tt.name, path, want)
		}
	}
}

func addr4(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

func FuzzStripIPv4(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 24, 0, 0, 0, 0, 64, 47, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 1, 0x88, 0x0b})
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, path, ok := stripIPv4(b)
		if ok && (len(payload)+20 > len(b) || !path.Local.Is4() || !path.Remote.Is4()) {
			t.Errorf("% x: %d octets of payload, path %v", b, len(payload), path)
		}
	})
}

func TestParseErrorQueue(t *testing.T) {
	message := func(origin, typ, code byte, info uint32, withOffender bool) []byte {
		data := make([]byte, 32)
		binary.NativeEndian.PutUint32(data, uint32(syscall.EHOSTUNREACH))
		data[4], data[5], data[6] = origin, typ, code
		binary.NativeEndian.PutUint32(data[8:], info)
		if withOffender {
			binary.NativeEndian.PutUint16(data[16:], unix.AF_INET)
			copy(data[20:], []byte{10, 0, 0, 9})
		}
		return controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, data)
	}
	remote := addr4(10, 9, 0, 2)
	for _, tt := range []struct {
		name string
		in   []byte
		want string // the error's text; empty: none
	}{
		{"host", message(2, 3, 1, 0, true), "osnet: GRE to 10.9.0.2: 10.0.0.9 answers host unreachable"},
		{"filtered", message(2, 3, 13, 0, true), "osnet: GRE to 10.9.0.2: 10.0.0.9 answers prohibited by a filter: GRE (IP protocol 47) is not accepted there"},
		{"too big", message(2, 3, 4, 1300, true), "osnet: GRE to 10.9.0.2: 10.0.0.9 answers fragmentation needed (MTU 1300)"},
		{"time to live", message(2, 11, 0, 0, false), "osnet: GRE to 10.9.0.2: the network answers time to live exceeded"},
		{"odd", message(2, 12, 1, 0, false), "osnet: GRE to 10.9.0.2: the network answers ICMP type 12 code 1"},
		{"local", message(1, 0, 0, 1300, false), ""},
		{"empty", nil, ""},
		{"another message", controlMessage(unix.IPPROTO_IP, unix.IP_TTL, make([]byte, 32)), ""},
		{"short", controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, make([]byte, 8)), ""},
	} {
		e, got := parseErrorQueue(tt.in, remote), ""
		if e != nil {
			got = e.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func controlMessage(level, typ int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(len(data))))
	binary.NativeEndian.PutUint32(b[8:], uint32(level))
	binary.NativeEndian.PutUint32(b[12:], uint32(typ))
	copy(b[unix.CmsgLen(0):], data)
	return b
}
