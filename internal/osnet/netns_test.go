package osnet

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// needRoot skips a test that makes network namespaces where it may not.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	if err := CheckPrivileges(); err != nil {
		t.Skipf("needs more privileges: %v", err)
	}
}

// A netns is a network namespace that lives as long as its file is open.
type netns struct{ file *os.File }

// newNetns makes a namespace with its loopback up.
func newNetns(t testing.TB) netns {
	t.Helper()
	made := make(chan any)
	// The goroutine never unlocks its thread, so the thread, which is in
	// the new namespace, ends with it.
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- fmt.Errorf("unshare: %w", err)
			return
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			made <- err
			return
		}
		made <- f
	}()
	f, ok := (<-made).(*os.File)
	if !ok {
		t.Fatal("no network namespace")
	}
	t.Cleanup(func() { f.Close() })
	ns := netns{f}
	ns.do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return ns
}

// do runs f in the namespace, on a thread that is not used again.
func (ns netns) do(t testing.TB, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		// t.Fatal inside f ends this goroutine; the test must not wait then.
		gaveUp := fmt.Errorf("stopped in the namespace")
		defer func() {
			if gaveUp != nil {
				done <- gaveUp
			}
		}()
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			gaveUp = fmt.Errorf("setns: %w", err)
			return
		}
		gaveUp = f()
		if gaveUp == nil {
			close(done)
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// pairNetns makes two namespaces joined by a veth pair, 10.9.0.1 and 10.9.0.2.
func pairNetns(t testing.TB) (a, b netns) {
	t.Helper()
	a, b = newNetns(t), newNetns(t)
	a.do(t, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "eth0"
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0",
			PeerNamespace: netlink.NsFd(int(b.file.Fd()))})
	})
	for i, ns := range []netns{a, b} {
		ns.do(t, func() error {
			return addAddress("eth0", fmt.Sprintf("10.9.0.%d/24", i+1))
		})
	}
	// Until the kernel has noted that the cable is in, it loses packets.
	for _, ns := range []netns{a, b} {
		ns.do(t, func() error {
			for {
				link, err := netlink.LinkByName("eth0")
				if err != nil || link.Attrs().OperState == netlink.OperUp {
					return err
				}
				runtime.Gosched()
			}
		})
	}
	return a, b
}

func addAddress(ifname, cidr string) error {
	link, err := netlink.LinkByName(ifname)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

var addrA, addrB = netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")
