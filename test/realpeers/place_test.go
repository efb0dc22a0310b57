//go:build linux

package realpeers

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A place is a network namespace.
type place struct {
	name string
	ns   *os.File
}

// newPlace makes a network namespace with lo up and IPv6 off on all links but
// those of PPP, where IPV6CP wants it.
func newPlace(t *testing.T, name string) *place {
	t.Helper()
	p := &place{name: name}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is of no more use
		made <- func() (err error) {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			p.ns, err = os.Open("/proc/thread-self/ns/net")
			return err
		}()
	}()
	if err := <-made; err != nil {
		t.Fatalf("namespace %s: %v", name, err)
	}
	t.Cleanup(func() { p.ns.Close() })
	p.must(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return p
}

// do calls f on a thread in the namespace: sockets and processes that it makes
// belong there. It must not call t.Fatal.
func (p *place) do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: see newPlace
		if err := unix.Setns(int(p.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("setns: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// must is do for a test that cannot go on without.
func (p *place) must(t *testing.T, f func() error) {
	t.Helper()
	if err := p.do(f); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

// sysctl writes a value under /proc/sys/net.
func (p *place) sysctl(t *testing.T, key, value string) {
	t.Helper()
	p.must(t, func() error { return os.WriteFile("/proc/sys/net/"+key, []byte(value), 0) })
}

// link wires p to other: a virtual cable with an end in each, both up.
func (p *place) link(t *testing.T, name string, other *place, otherName string) {
	t.Helper()
	p.must(t, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		cable := netlink.NewVeth(attrs)
		cable.PeerName, cable.PeerNamespace = otherName, netlink.NsFd(other.ns.Fd())
		return netlink.LinkAdd(cable)
	})
	p.up(t, name)
	other.up(t, otherName)
}

func (p *place) up(t *testing.T, name string) {
	t.Helper()
	p.must(t, func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return netlink.LinkSetUp(link)
	})
}

// bridge makes a switch of the links named.
func (p *place) bridge(t *testing.T, name string, ports ...string) {
	t.Helper()
	p.must(t, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		sw := &netlink.Bridge{LinkAttrs: attrs}
		if err := netlink.LinkAdd(sw); err != nil {
			return err
		}
		for _, port := range ports {
			link, err := netlink.LinkByName(port)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMaster(link, sw); err != nil {
				return err
			}
		}
		return nil
	})
	p.up(t, name)
}

// addr gives a link an address with its prefix length.
func (p *place) addr(t *testing.T, name, cidr string) {
	t.Helper()
	p.must(t, func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(cidr)
		if err != nil {
			return err
		}
		return netlink.AddrAdd(link, a)
	})
}

// route sends a network to a next hop ("192.168.13.1") or into a link ("ppp0").
func (p *place) route(t *testing.T, network, via string) {
	t.Helper()
	if err := p.addRoute(network, via); err != nil {
		t.Fatalf("%s: route %s: %v", p.name, network, err)
	}
}

func (p *place) addRoute(network, via string) error {
	return p.do(func() error {
		dst, err := netlink.ParseIPNet(network)
		if err != nil {
			return err
		}
		r := &netlink.Route{Dst: dst}
		if hop, err := netlink.ParseAddr(via + "/32"); err == nil {
			r.Gw = hop.IP
			return netlink.RouteAdd(r)
		}
		link, err := netlink.LinkByName(via)
		if err != nil {
			return err
		}
		r.LinkIndex, r.Scope = link.Attrs().Index, netlink.SCOPE_LINK
		return netlink.RouteAdd(r)
	})
}

// weather is what netem does to the packets that leave by a link; the zero
// value takes it away again.
func (p *place) weather(t *testing.T, name string, w netlink.NetemQdiscAttrs) {
	t.Helper()
	p.must(t, func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		attrs := netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
		if w == (netlink.NetemQdiscAttrs{}) {
			return netlink.QdiscDel(&netlink.GenericQdisc{QdiscAttrs: attrs, QdiscType: "netem"})
		}
		w.Limit = 10000
		return netlink.QdiscReplace(netlink.NewNetem(attrs, w))
	})
}
