package osnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestTUNLean: it is as any other to see, but for what it says it leaves out.
func TestTUNLean(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	first := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, MTU: 1396, PeerRoute: true, Lean: true, NoIPv6Record: true, Queue: 700})
	second := openTUN(t, ns, TUNConfig{Name: "vpn%d", Lean: true, NoIPv6Record: true})
	third := openTUN(t, ns, TUNConfig{Name: "vpn-lab", Lean: true, NoIPv6Record: true, MTU: 1279})
	six := openTUN(t, ns, TUNConfig{Lean: true, NoIPv6Record: true, LocalID6: 1, PeerID6: 2})
	ns.do(t, func() error {
		for _, want := range []struct {
			tun               *TUN
			name              string
			mtu, queue, addrs int
		}{{first, "ppp0", 1396, 700, 1}, {second, "vpn0", 1400, 500, 0}, {third, "vpn-lab", 1279, 500, 0}, {six, "ppp1", 1400, 500, 1}} {
			tun := want.tun
			if tun.Name() != want.name {
				t.Errorf("it is called %q, want %q", tun.Name(), want.name)
			}
			link, err := netlink.LinkByIndex(tun.Index())
			if err != nil {
				return err
			}
			a := link.Attrs()
			if a.Name != want.name || a.MTU != want.mtu || a.TxQLen != want.queue || a.Flags&net.FlagUp == 0 {
				t.Errorf("%s: %q, MTU %d, queue %d, flags %v", want.name, a.Name, a.MTU, a.TxQLen, a.Flags)
			}
			if q, err := netlink.QdiscList(link); err != nil || len(q) != 1 || q[0].Type() != "noqueue" {
				t.Errorf("%s: queueing disciplines %v, %v", want.name, q, err)
			}
			addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
			if err != nil || len(addrs) != want.addrs {
				t.Errorf("%s: addresses %v, %v, want %d", want.name, addrs, err, want.addrs)
			}
			if _, err := os.Stat("/proc/sys/net/ipv4/conf/" + want.name); err != nil {
				t.Error(err)
			}
			_, err = os.Stat("/proc/sys/net/ipv6/conf/" + want.name)
			if has := err == nil; !noIPv6Off.Load() && has != (tun == six) {
				t.Errorf("%s: settings of IPv6: %v", want.name, err)
			}
		}
		if _, err := netlink.LinkByName(noIPv6Name); err == nil {
			t.Errorf("an interface is still called %q", noIPv6Name)
		}
		routes, err := netlink.RouteList(first.link(), netlink.FAMILY_V4)
		if err != nil || len(routes) != 1 || routes[0].Dst.String() != "10.9.0.2/32" {
			t.Errorf("routes %v, %v", routes, err)
		}
		if _, err := OpenTUN(TUNConfig{Name: "vpn-lab", Lean: true, NoIPv6Record: true}); !errors.Is(err, unix.EBUSY) {
			t.Errorf("a name in use: %v, want EBUSY", err)
		}
		return nil
	})
}

// TestTUNLeanTaken: somebody else's interface has the name that is needed for a
// moment; nothing comes of it but that IPv6 is switched off the usual way.
func TestTUNLeanTaken(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	other := openTUN(t, ns, TUNConfig{MTU: 1000})
	ns.do(t, func() error {
		if err := netlink.LinkSetDown(other.link()); err != nil {
			return err
		}
		return netlink.LinkSetName(other.link(), noIPv6Name)
	})
	tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, Lean: true, NoIPv6Record: true})
	ns.do(t, func() error {
		link, err := netlink.LinkByIndex(tun.Index())
		if err != nil {
			return err
		}
		if a := link.Attrs(); a.Name != tun.Name() || !strings.HasPrefix(a.Name, "ppp") || a.MTU != 1400 || a.Flags&net.FlagUp == 0 {
			t.Errorf("%q is %+v", tun.Name(), a)
		}
		if addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL); err != nil || len(addrs) != 1 {
			t.Errorf("addresses %v, %v", addrs, err)
		}
		return nil
	})
}

// TestTUNLeanMany: several at once do not get into each other's way.
func TestTUNLeanMany(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	var mu sync.Mutex
	names := make(map[string]bool)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			ns.do(t, func() error {
				for range 5 {
					tun, err := OpenTUN(TUNConfig{Lean: true, NoIPv6Record: true})
					if err != nil {
						return err
					}
					link, err := netlink.LinkByIndex(tun.Index())
					if err != nil {
						return err
					}
					mu.Lock()
					if link.Attrs().Name != tun.Name() || names[tun.Name()] || !strings.HasPrefix(tun.Name(), "ppp") {
						t.Errorf("%q is called %q", tun.Name(), link.Attrs().Name)
					}
					names[tun.Name()] = true
					mu.Unlock()
					t.Cleanup(func() { tun.Close() })
				}
				return nil
			})
		})
	}
	all.Wait()
}

// TestTUNNames: the first free number is found, also among interfaces of others,
// and numbers are of a namespace.
func TestTUNNames(t *testing.T) {
	needRoot(t)
	ns, other := newNetns(t), newNetns(t)
	ns.do(t, func() error {
		for i := range 3 {
			attrs := netlink.NewLinkAttrs()
			attrs.Name = fmt.Sprint("ppp", 2*i+1)
			if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: fmt.Sprint("ppp", 2*i+10)}); err != nil {
				return err
			}
		}
		return nil
	})
	open := func(ns netns, pattern, want string) *TUN {
		tun := openTUN(t, ns, TUNConfig{Name: pattern})
		if tun.Name() != want {
			t.Errorf("%s became %q, want %q", pattern, tun.Name(), want)
		}
		return tun
	}
	var tuns []*TUN
	for _, n := range []int{0, 2, 4, 6, 7, 8, 9, 11, 13, 15, 16} {
		tuns = append(tuns, open(ns, "ppp%d", fmt.Sprint("ppp", n)))
	}
	open(ns, "t%d-x", "t0-x").Close()
	open(ns, "t%d-x", "t0-x").Close()
	open(other, "ppp%d", "ppp0").Close()
	for _, i := range []int{1, 0} {
		tuns[i].Close()
	}
	tuns[0], tuns[1] = open(ns, "ppp%d", "ppp0"), open(ns, "ppp%d", "ppp2")
	for _, tun := range tuns {
		tun.Close()
	}
	// More of others than are passed over one by one.
	ns.do(t, func() error {
		for _, from := range []string{"0", "2", "4", "6", "7", "8", "9"} {
			attrs := netlink.NewLinkAttrs()
			attrs.Name = "ppp" + from
			if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "v" + from}); err != nil {
				return err
			}
		}
		return nil
	})
	open(ns, "ppp%d", "ppp11").Close()
	ns.do(t, func() error {
		for _, bad := range []string{"%d%d", "a%s", "a%db%", "a%dtoolongforaname"} {
			if tun, err := OpenTUN(TUNConfig{Name: bad}); err == nil {
				t.Errorf("%q became %q", bad, tun.Name())
				tun.Close()
			}
		}
		return nil
	})
	spaces.Lock()
	defer spaces.Unlock()
	if len(spaces.m) != 0 {
		t.Errorf("numbers of %d patterns are still in use", len(spaces.m))
	}
}

// BenchmarkOpenTUN makes and takes away 500 interfaces: how long each takes, how
// much of the kernel's memory and of ours, and how much of ours to make it. Nothing
// else should run.
func BenchmarkOpenTUN(b *testing.B) {
	needRoot(b)
	for _, lean := range []TUNConfig{{}, {Lean: true}, {Lean: true, NoIPv6Record: true}} {
		for _, queue := range []int{0, 128} {
			b.Run(fmt.Sprintf("lean=%v,noIPv6=%v,queue=%d", lean.Lean, lean.NoIPv6Record, queue), func(b *testing.B) {
				ns := newNetns(b)
				tuns := make([]*TUN, 500)
				var opened, closed time.Duration
				var kernel int
				var user, garbage uint64
				heap := func() (live, total uint64) {
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return m.HeapAlloc, m.TotalAlloc
				}
				for b.Loop() {
					live, total := heap()
					before, start := kernelMemory(b), time.Now()
					ns.do(b, func() (err error) {
						for i := range tuns {
							peer := netip.AddrFrom4([4]byte{10, 20, byte(i >> 8), byte(i)})
							cfg := lean
							cfg.Local, cfg.Peer, cfg.PeerRoute, cfg.Queue = addrA, peer, true, queue
							if tuns[i], err = OpenTUN(cfg); err != nil {
								return err
							}
						}
						return nil
					})
					opened += time.Since(start)
					kernel += kernelMemory(b) - before
					liveAfter, totalAfter := heap()
					user, garbage = user+liveAfter-live, garbage+totalAfter-total
					start = time.Now()
					var closers sync.WaitGroup
					for _, tun := range tuns {
						closers.Go(func() { tun.Close() })
					}
					closers.Wait()
					closed += time.Since(start)
				}
				n := float64(b.N * len(tuns))
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(opened.Microseconds())/1000/n, "ms/open")
				b.ReportMetric(float64(closed.Microseconds())/1000/n, "ms/close")
				b.ReportMetric(float64(kernel)/n, "kernel-kB/TUN")
				b.ReportMetric(float64(user)/n, "B-kept/TUN")
				b.ReportMetric(float64(garbage)/n, "B-used/TUN")
			})
		}
	}
}

// kernelMemory is what the kernel has allocated and cannot give back, in kB.
func kernelMemory(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && (f[0] == "SUnreclaim:" || f[0] == "Percpu:") {
			kB, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			total += kB
		}
	}
	return total
}
