package osnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"goppptp/internal/offload"
)

// readFrame waits for a frame.
func readFrame(tun *TUN, b []byte) (int, error) {
	ready := make(chan struct{}, 1)
	for {
		n, err := tun.ReadFrame(b)
		if n > 0 || err != nil {
			return n, err
		}
		if err := tun.WhenReadable(func() { ready <- struct{}{} }); err != nil {
			return 0, err
		}
		<-ready
	}
}

// readPacket waits for a frame that is one packet, and completes it in b.
func readPacket(tun *TUN, b []byte) ([]byte, error) {
	n, err := readFrame(tun, b)
	if err != nil {
		return nil, err
	}
	var s offload.Splitter
	if err := s.Load(b[:n]); err != nil {
		return nil, err
	}
	packet := make([]byte, 2000)
	n, err = s.Next(packet)
	return packet[:n], err
}

// TestTUNPing: the host answers an echo request that is written, with offload
// and without, in one part and in many.
func TestTUNPing(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	for i, cfg := range []TUNConfig{{}, {NoOffload: true}, {Poller: newPoller(t)}, {Lean: true}, {NoIPv6Record: true, MTU: 1200, Queue: 64}} {
		cfg.Local, cfg.Peer, cfg.PeerRoute = addrA, addrB, true
		tun := openTUN(t, ns, cfg)
		if tcp, udp := tun.Offload(); cfg.NoOffload == tcp || udp && !tcp {
			t.Errorf("config %d: offload of TCP %v, of UDP %v", i, tcp, udp)
		}
		// RFC 792.
		packet := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1}, 8, 0, 0, 0, 0, 7, 0, 1)
		packet = append(packet, "are you there?"...)
		binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
		binary.BigEndian.PutUint16(packet[10:], offload.Checksum(packet[:20]))
		binary.BigEndian.PutUint16(packet[22:], offload.Checksum(packet[20:]))
		frame := append(make([]byte, offload.HeaderLen), packet...)
		single := make([][]byte, 0, len(frame))
		for k := range frame {
			single = append(single, frame[k:k+1])
		}
		for _, parts := range [][][]byte{{frame}, {frame[:10], frame[10:30], nil, frame[30:]}, single} {
			if err := tun.WriteFrame(parts); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, FrameSize)
			answer, err := readPacket(tun, b)
			n := len(answer)
			if err != nil || n != len(packet) || answer[20] != 0 || !bytes.Equal(answer[28:n], packet[28:]) {
				t.Errorf("config %d: in %d parts, the answer is % x, %v", i, len(parts), answer[:n], err)
			}
			if n, err := tun.ReadFrame(b); n != 0 || err != nil {
				t.Errorf("after it there are %d octets, %v", n, err)
			}
		}
		if tun.Refused() != 0 {
			t.Errorf("%d refused", tun.Refused())
		}
		for _, parts := range [][][]byte{nil, {}, {nil}, {make([]byte, 5)}, {frame[:10]}, make([][]byte, maxParts+1)} {
			before := tun.Refused()
			if err := tun.WriteFrame(parts); err != nil || tun.Refused() != before+1 {
				t.Errorf("%d parts of nothing: %v, %d refused", len(parts), err, tun.Refused()-before)
			}
		}
		tun.Close()
	}
}

// A pump moves packets from one TUN to another as a tunnel does, cut to their
// size and joined again. It has no goroutine while there is nothing to do.
type pump struct {
	from, to *TUN
	frame    []byte
	splitter offload.Splitter
	joiner   offload.Joiner
	slots    [64][]byte
	ready    func()
	wake     chan struct{}
	err      error

	frames, packets, written int
	lose                     func(packet []byte) bool
}

func newPump(from, to *TUN) *pump {
	p := &pump{from: from, to: to, frame: make([]byte, FrameSize), wake: make(chan struct{}, 1)}
	for i := range p.slots {
		p.slots[i] = make([]byte, 1500)
	}
	p.joiner.TCP, p.joiner.UDP = to.Offload()
	p.ready = func() {
		select {
		case p.wake <- struct{}{}:
		default: // it has been told
		}
	}
	return p
}

func (p *pump) write(parts [][]byte) error {
	p.written++
	return p.to.WriteFrame(parts)
}

// run pumps until one of them is closed.
func (p *pump) run() {
	for {
		n, err := p.from.ReadFrame(p.frame)
		if err != nil {
			p.err = err
			return
		}
		if n == 0 {
			if p.from.WhenReadable(p.ready) != nil {
				return
			}
			<-p.wake
			continue
		}
		p.frames++
		if err := p.splitter.Load(p.frame[:n]); err != nil {
			p.err = err
			return
		}
		for more := true; more; {
			for i := range p.slots {
				n, err := p.splitter.Next(p.slots[i])
				if err != nil {
					p.err = err
					return
				}
				if n == 0 {
					more = false
					break
				}
				p.packets++
				if p.lose == nil || !p.lose(p.slots[i][:n]) {
					p.joiner.Add(p.slots[i][:n])
				}
			}
			if err := p.joiner.Flush(p.write); err != nil {
				return
			}
		}
	}
}

// TestTUNTransfer moves TCP between two hosts, with IPv4 and IPv6, with offload at
// both ends, at one, at none, and with losses.
func TestTUNTransfer(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		offA, offB bool
		lose       int
	}{{}, {offA: true}, {offB: true}, {offA: true, offB: true}, {lose: 50}} {
		for _, network := range []string{"tcp4", "tcp6"} {
			t.Run(fmt.Sprintf("%s,noA=%v,noB=%v,lose=%d", network, c.offA, c.offB, c.lose), func(t *testing.T) {
				transfer(t, network, c.offA, c.offB, c.lose)
			})
		}
	}
}

func transfer(t *testing.T, network string, offA, offB bool, lose int) {
	a, b := newNetns(t), newNetns(t)
	poller := newPoller(t)
	tunA := openTUN(t, a, TUNConfig{Local: addrA, Peer: addrB, PeerRoute: true, LocalID6: 1, PeerID6: 2, Poller: poller, Lean: lose > 0, NoOffload: offA})
	tunB := openTUN(t, b, TUNConfig{Local: addrB, Peer: addrA, PeerRoute: true, LocalID6: 2, PeerID6: 1, Poller: poller, NoOffload: offB})
	there, back := newPump(tunA, tunB), newPump(tunB, tunA)
	if lose > 0 {
		k := 0
		there.lose = func([]byte) bool { k++; return k%lose == 0 }
	}
	var pumps sync.WaitGroup
	pumps.Go(there.run)
	pumps.Go(back.run)
	// What is stuck fails instead of hanging.
	defer time.AfterFunc(time.Minute, func() { tunA.Close(); tunB.Close() }).Stop()
	deadline := time.Now().Add(time.Minute)

	addr := "10.9.0.2:5001"
	if network == "tcp6" {
		addr = "[fe80::2%" + tunB.Name() + "]:5001"
	}
	var listener net.Listener
	b.do(t, func() (err error) { listener, err = net.Listen(network, addr); return })
	defer listener.Close()
	listener.(*net.TCPListener).SetDeadline(deadline)
	sent := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{1}).Read(sent)
	var sender sync.WaitGroup
	sender.Go(func() {
		a.do(t, func() error {
			conn, err := net.Dial(network, addr)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write(sent)
			return err
		})
	})
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("received %d octets, %v, want the %d sent", len(got), err, len(sent))
	}
	sender.Wait()
	tunA.Close()
	tunB.Close()
	for _, p := range []*pump{there, back} {
		p.ready() // Close does not call what is armed
	}
	pumps.Wait()
	for _, p := range []*pump{there, back} {
		if p.err != nil && !errors.Is(p.err, ErrClosed) {
			t.Error(p.err)
		}
	}
	switch {
	case !offA && there.packets < 2*there.frames:
		t.Errorf("%d frames read made %d packets: nothing came large", there.frames, there.packets)
	case offA && there.packets != there.frames:
		t.Errorf("%d frames read made %d packets without offload", there.frames, there.packets)
	case !offA && !offB && lose == 0 && there.written*2 > there.packets:
		t.Errorf("%d packets were written as %d frames: nothing was joined", there.packets, there.written)
	case offB && lose == 0 && there.written != there.packets:
		t.Errorf("%d packets were written as %d frames without offload", there.packets, there.written)
	}
	if n := tunA.Refused() + tunB.Refused(); n > 0 {
		t.Errorf("%d frames were refused", n)
	}
}

// TestTUNDatagrams: datagrams that are joined arrive one by one.
func TestTUNDatagrams(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, PeerRoute: true})
	var conn net.PacketConn
	ns.do(t, func() (err error) { conn, err = net.ListenPacket("udp4", "10.9.0.1:5000"); return })
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	const n = 64
	var j offload.Joiner
	j.TCP, j.UDP = tun.Offload()
	for i := range n {
		p := []byte{0x45, 0, 0, 0, 0, byte(i), 0, 0, 64, 17, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1, 0x17, 0x70, 0x13, 0x88, 0, 0, 0, 0}
		p = append(p, bytes.Repeat([]byte{byte(i)}, 500)...)
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
		binary.BigEndian.PutUint16(p[24:], uint16(len(p)-20))
		binary.BigEndian.PutUint16(p[10:], offload.Checksum(p[:20]))
		binary.BigEndian.PutUint16(p[26:], udpChecksum(p))
		j.Add(p)
	}
	frames := 0
	if err := j.Flush(func(parts [][]byte) error { frames++; return tun.WriteFrame(parts) }); err != nil {
		t.Fatal(err)
	}
	if j.UDP && frames != 1 {
		t.Errorf("%d datagrams went as %d frames", n, frames)
	}
	for i := range n {
		var b [2000]byte
		k, _, err := conn.ReadFrom(b[:])
		if err != nil || k != 500 || b[0] != byte(i) || b[499] != byte(i) {
			t.Fatalf("datagram %d: %d octets of %d, %v", i, k, b[0], err)
		}
	}
	if tun.Refused() != 0 {
		t.Errorf("%d refused", tun.Refused())
	}
}

// udpChecksum is that of an IPv4 packet without options.
func udpChecksum(p []byte) uint16 {
	b := append([]byte{}, p[12:20]...)
	b = append(b, 0, p[9], byte((len(p)-20)>>8), byte(len(p)-20))
	return offload.Checksum(append(b, p[20:]...))
}

// TestTUNMany: a thousand interfaces on one poller each tell of their packet, and
// nothing is left of them.
func TestTUNMany(t *testing.T) {
	needRoot(t)
	n := 1000
	if testing.Short() {
		n = 100
	}
	ns := newNetns(t)
	before := runtime.NumGoroutine()
	tuns := make([]*TUN, n)
	peer := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 20, byte(i >> 8), byte(i)}) }
	ns.do(t, func() (err error) {
		for i := range tuns {
			cfg := TUNConfig{Local: netip.AddrFrom4([4]byte{10, 10, 0, 1}), Peer: peer(i), PeerRoute: true, Lean: i%2 == 0, NoIPv6Record: i%3 == 0}
			if tuns[i], err = OpenTUN(cfg); err != nil {
				return err
			}
		}
		return nil
	})
	var got atomic.Int32
	all := make(chan struct{})
	for i, tun := range tuns {
		var ready func()
		ready = func() {
			var b [200]byte
			n, err := tun.ReadFrame(b[:])
			if n == 0 && err == nil {
				tun.WhenReadable(ready)
				return
			}
			if err != nil || n != offload.HeaderLen+28+1 || netip.AddrFrom4([4]byte(b[26:30])) != peer(i) {
				t.Errorf("TUN %d: %d octets for %v, %v", i, n, b[26:30], err)
			}
			if int(got.Add(1)) == len(tuns) {
				close(all)
			}
		}
		if err := tun.WhenReadable(ready); err != nil {
			t.Fatal(err)
		}
	}
	if g := runtime.NumGoroutine(); g > before+1 {
		t.Errorf("%d goroutines for %d interfaces", g-before, n)
	}
	var conn net.PacketConn
	ns.do(t, func() (err error) { conn, err = net.ListenPacket("udp4", "10.10.0.1:0"); return })
	defer conn.Close()
	for i := range tuns {
		if _, err := conn.WriteTo([]byte{1}, &net.UDPAddr{IP: peer(i).AsSlice(), Port: 9}); err != nil {
			t.Fatal(err)
		}
	}
	<-all
	conn.Close()
	var closers sync.WaitGroup
	for _, tun := range tuns {
		closers.Go(func() {
			if err := tun.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	closers.Wait()
	// The poller they shared has ended with the last.
	if g := runtime.NumGoroutine(); g > before {
		t.Errorf("%d goroutines are left", g-before)
	}
	ns.do(t, func() error {
		links, err := netlink.LinkList()
		if len(links) != 1 {
			t.Errorf("%d interfaces are left, want lo alone", len(links))
		}
		return err
	})
}

// TestTUNCloseWhileUsed closes one that is being read, written and armed.
func TestTUNCloseWhileUsed(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	for range 10 {
		tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB})
		var users sync.WaitGroup
		started := make(chan struct{}, 6)
		use := func(f func() error) {
			users.Go(func() {
				for i := 0; ; i++ {
					if err := f(); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					if i == 10 {
						started <- struct{}{}
					}
				}
			})
		}
		for range 2 {
			b := make([]byte, FrameSize)
			use(func() error { _, err := tun.ReadFrame(b); return err })
			use(func() error { return tun.WriteFrame([][]byte{{0: 0, 9: 0}, {0x45, 0}}) })
			use(func() error { return tun.WhenReadable(func() {}) })
		}
		for range cap(started) {
			<-started
		}
		if err := tun.Close(); err != nil {
			t.Error(err)
		}
		users.Wait()
		if err := tun.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
}

// TestTUNGone: that somebody deletes the interface is told to one who waits.
func TestTUNGone(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	tun := openTUN(t, ns, TUNConfig{})
	ready := make(chan struct{}, 1)
	if err := tun.WhenReadable(func() { ready <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	ns.do(t, func() error { return netlink.LinkDel(tun.link()) })
	<-ready
	if _, err := tun.ReadFrame(make([]byte, FrameSize)); !errors.Is(err, ErrTUNGone) {
		t.Errorf("read: %v, want ErrTUNGone", err)
	}
	if err := tun.WriteFrame([][]byte{make([]byte, 40)}); !errors.Is(err, ErrTUNGone) {
		t.Errorf("write: %v, want ErrTUNGone", err)
	}
	if err := tun.Close(); err != nil {
		t.Error(err)
	}
}

// TestTUNNoAllocations: frames pass without.
func TestTUNNoAllocations(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB})
	b := make([]byte, FrameSize)
	parts := [][]byte{make([]byte, 10), make([]byte, 20), make([]byte, 1000)}
	if n := testing.AllocsPerRun(100, func() { tun.WriteFrame(parts); tun.ReadFrame(b) }); n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
}
