package osnet

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzAnswers: nothing that a kernel could say makes it panic or go on for ever.
func FuzzAnswers(f *testing.F) {
	message := func(kind uint16, body ...byte) []byte {
		b := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
		b = binary.NativeEndian.AppendUint16(b, kind)
		b = append(binary.NativeEndian.AppendUint32(append(b, 0, 0), 7), 0, 0, 0, 0)
		return append(append(b, body...), make([]byte, -len(body)&3)...)
	}
	f.Add(message(unix.RTM_NEWADDR, 2, 24, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 10, 9, 0, 1))
	f.Add(append(message(unix.RTM_NEWROUTE, 1, 2, 3), message(unix.NLMSG_ERROR, 0xff, 0xff, 0xff, 0xff)...))
	f.Add(message(unix.NLMSG_DONE))
	f.Fuzz(func(t *testing.T, b []byte) {
		shown, attrs := 0, 0
		done, err := answers(b, 7, func(_ uint16, body []byte) {
			shown++
			attributes(body, func(uint16, []byte) { attrs++ })
		})
		if !done && err != nil {
			t.Errorf("not done, but %v", err)
		}
		if 16*shown > len(b) || 4*attrs > len(b) {
			t.Errorf("%d messages and %d attributes in %d octets", shown, attrs, len(b))
		}
	})
}

// TestRTNetlinkError: the kernel's refusal comes as what it is.
func TestRTNetlinkError(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	ns.do(t, func() error {
		r, err := openRTNetlink()
		if err != nil {
			return err
		}
		defer r.close()
		for range 3 { // of each message only its own answer counts
			r.link(12345, unix.IFF_UP, unix.IFF_UP)
			if err := r.do(nil); err != unix.ENODEV {
				t.Errorf("no such interface: %v, want ENODEV", err)
			}
			if err := r.address(1, netip.MustParseAddr("127.9.9.9"), netip.Addr{}, 32, 0, 0); err != nil && err != unix.EEXIST {
				t.Error(err)
			}
		}
		return nil
	})
}

// TestMany: what is done for each client takes no more memory where there are
// many of them.
func TestMany(t *testing.T) {
	needRoot(t)
	a, _ := pairNetns(t)
	peer := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 0, byte(i)}) }
	cost := func(i int) (octets uint64) {
		a.do(t, func() error {
			cfg := TUNConfig{Local: addrA, Peer: peer(i), PeerRoute: true, Lean: true}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			tun, err := OpenTUN(cfg)
			if err != nil {
				return err
			}
			t.Cleanup(func() { tun.Close() })
			if _, err := SetForwarding(tun.Name()); err != nil {
				return err
			}
			remove, ifname, err := AddProxyARP(peer(i))
			if err != nil || ifname != "eth0" {
				t.Errorf("AddProxyARP: %q, %v, want eth0", ifname, err)
			}
			if i%2 == 0 {
				remove()
			}
			if _, err := PathMTU(addrB); err != nil {
				return err
			}
			runtime.ReadMemStats(&after)
			octets = after.TotalAlloc - before.TotalAlloc
			return nil
		})
		return octets
	}
	least := func(from, to int) uint64 {
		octets := ^uint64(0)
		for i := from; i < to; i++ {
			octets = min(octets, cost(i))
		}
		return octets
	}
	few := least(3, 13)
	least(13, 130)
	if many := least(130, 140); many > few*3/2 {
		t.Errorf("with 130 clients one takes %d octets, with none %d", many, few)
	}
}
