package main

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestSplit counts what crosses the cable of one send with UDP segmentation: by
// itself a veth pair carries it as one packet, and split as what it is made of.
func TestSplit(t *testing.T) {
	needRoot(t)
	const size, packets = 1000, 10
	for _, c := range []struct {
		name  string
		split bool
		want  uint64
	}{{"whole", false, 1}, {"split", true, packets}} {
		t.Run(c.name, func(t *testing.T) {
			a, b := cable(t)
			if c.split {
				if err := split(a, b); err != nil {
					t.Fatal(err)
				}
			}
			var from, to *net.UDPConn
			err := b.do(func() (err error) {
				to, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(serverOuter, 0)))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			err = a.do(func() (err error) {
				from, err = net.DialUDP("udp4", nil, to.LocalAddr().(*net.UDPAddr))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			receive := func(want int) {
				t.Helper()
				to.SetReadDeadline(time.Now().Add(10 * time.Second))
				for i := range want {
					if n, err := to.Read(make([]byte, 65536)); err != nil || n != size {
						t.Fatalf("packet %d: %d octets, %v", i, n, err)
					}
				}
			}
			if _, err := from.Write(make([]byte, size)); err != nil { // and ARP is done
				t.Fatal(err)
			}
			receive(1)
			before := crossed(t, b)
			if err := control(from, func(fd int) error {
				return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, size)
			}); err != nil {
				t.Skipf("needs UDP segmentation offload: %v", err)
			}
			if _, err := from.Write(make([]byte, size*packets)); err != nil {
				t.Fatal(err)
			}
			receive(packets)
			if got := crossed(t, b) - before; got != c.want {
				t.Errorf("%d packets crossed the cable, want %d", got, c.want)
			}
		})
	}
}

// cable makes two hosts that are joined.
func cable(t *testing.T) (a, b *host) {
	t.Helper()
	for _, h := range []**host{&a, &b} {
		made, err := newHost()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(made.close)
		*h = made
	}
	if err := join(a, b); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// crossed is how many packets a host's end of the cable has received.
func crossed(t *testing.T, h *host) (n uint64) {
	t.Helper()
	err := h.do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			n = link.Attrs().Statistics.RxPackets
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
