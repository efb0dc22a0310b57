//go:build linux

package realpeers

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goppptp/test/uml"
)

// A packet is what the router saw on its side to the clients.
type packet struct {
	at   time.Time
	data []byte // from the Ethernet header on
}

// A capture takes what passes between clients and router.
type capture struct {
	packets []packet // owned by the capture until stopped
	stop    atomic.Bool
	done    chan struct{}
}

// capture begins to take packets. Those to clients are taken before what
// weather delays or drops, those from them after.
func (n *network) capture(t *testing.T) *capture {
	t.Helper()
	c := &capture{done: make(chan struct{})}
	var fd int
	n.router.must(t, func() (err error) {
		link, err := net.InterfaceByName("wan")
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network order
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all&0xffff); err != nil {
			return err
		}
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all & 0xffff, Ifindex: link.Index})
	})
	go func() {
		defer close(c.done)
		defer unix.Close(fd)
		b := make([]byte, 65536)
		for !c.stop.Load() {
			size, _, err := unix.Recvfrom(fd, b, 0)
			if err == nil {
				c.packets = append(c.packets, packet{time.Now(), append([]byte(nil), b[:size]...)})
			}
		}
	}()
	t.Cleanup(func() { c.stopped() })
	return c
}

// stopped ends the capture and returns what it has.
func (c *capture) stopped() []packet {
	c.stop.Store(true)
	<-c.done
	return c.packets
}

// keep leaves the capture to the host, which has tshark read it.
func (c *capture) keep(t *testing.T) {
	t.Helper()
	name := strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestRealPeers/"), "/", "_")
	if err := writePcap(uml.Exchange+"/"+name+".pcap", c.stopped()); err != nil {
		t.Fatal(err)
	}
}

// writePcap writes packets as a file in the pcap format.
func writePcap(path string, packets []packet) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	le := binary.LittleEndian
	// Magic, version 2.4, zone, accuracy, longest packet, link type 1 (Ethernet);
	// and of each packet: when, how much is here, how long it was.
	head := le.AppendUint32(nil, 0xa1b2c3d4)
	head = le.AppendUint16(le.AppendUint16(head, 2), 4)
	head = le.AppendUint32(append(head, make([]byte, 8)...), 65536)
	w.Write(le.AppendUint32(head, 1))
	for _, p := range packets {
		head := le.AppendUint32(nil, uint32(p.at.Unix()))
		head = le.AppendUint32(head, uint32(p.at.Nanosecond()/1000))
		head = le.AppendUint32(head, uint32(len(p.data)))
		w.Write(le.AppendUint32(head, uint32(len(p.data))))
		w.Write(p.data)
	}
	return w.Flush()
}

// ip takes the packet apart; ok is false for what is not IPv4 or a fragment
// other than the first.
func (p packet) ip() (src netip.Addr, protocol byte, payload []byte, ok bool) {
	if len(p.data) < 34 || binary.BigEndian.Uint16(p.data[12:]) != unix.ETH_P_IP {
		return
	}
	b := p.data[14:]
	head := int(b[0]&15) * 4
	if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 || len(b) < head {
		return
	}
	src, _ = netip.AddrFromSlice(b[12:16])
	return src, b[9], b[head:], true
}

// pppProtocol is the PPP protocol a GRE packet carries, 0 for none.
func pppProtocol(gre []byte) uint16 {
	if len(gre) < 8 || gre[0]&0x10 == 0 {
		return 0
	}
	head := 12
	if gre[1]&0x80 != 0 {
		head = 16
	}
	b := gre[min(head, len(gre)):]
	if len(b) > 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	switch {
	case len(b) > 0 && b[0]&1 == 1:
		return uint16(b[0])
	case len(b) > 1:
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// noneInClear checks that not one IP packet went through the tunnel in clear,
// and that packets did go.
func (c *capture) noneInClear(t *testing.T) {
	t.Helper()
	sealed := 0
	for i, p := range c.stopped() {
		src, protocol, payload, ok := p.ip()
		if !ok || protocol != unix.IPPROTO_GRE {
			continue
		}
		switch pppProtocol(payload) {
		case 0x0021, 0x0057:
			t.Fatalf("packet %d, from %v, carries IP in clear", i, src)
		case 0x00fd:
			sealed++
		}
	}
	if sealed == 0 {
		t.Error("no encrypted packet was captured")
	}
}
