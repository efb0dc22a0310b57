package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
)

// cable makes the links, addresses and routes.
func (l *Lab) cable(opts Options) error {
	var steps tasks
	// What a namespace begins with depends on the host's settings.
	for _, n := range l.namespaces() {
		steps.do(n, func() error { return linkUp("lo") })
		steps.sysctl(n, "net/ipv4/conf/all/rp_filter", "0")
		steps.sysctl(n, "net/ipv4/conf/default/rp_filter", "0")
		forward := "0"
		if n == l.Router {
			forward = "1"
		}
		steps.sysctl(n, "net/ipv4/ip_forward", forward)
	}
	steps.veth(l.Client, "eth0", l.Router, "wan", opts.MTU)
	steps.veth(l.Outside, "eth0", l.Router, "net", 1500)
	steps.veth(l.Server, "eth0", l.Router, "to-server", 1500)
	steps.veth(l.Inner, "eth0", l.Router, "to-inner", 1500)
	steps.bridge(l.Router, "lan", "to-server", "to-inner")

	steps.address(l.Client, "eth0", ClientAddr, 24)
	steps.address(l.Router, "wan", GatewayAddr, 24)
	steps.address(l.Router, "net", outsideRouter, 24)
	steps.address(l.Router, "lan", RouterAddr, ClosedNet.Bits())
	steps.address(l.Outside, "eth0", OutsideAddr, 24)
	steps.address(l.Server, "eth0", ServerAddr, ClosedNet.Bits())
	steps.address(l.Inner, "eth0", InnerAddr, ClosedNet.Bits())
	for _, addr := range BehindAddrs {
		steps.address(l.Inner, "lo", addr, 32)
	}

	defaultRoute := netip.MustParsePrefix("0.0.0.0/0")
	steps.route(l.Client, defaultRoute, GatewayAddr)
	steps.route(l.Outside, defaultRoute, outsideRouter)
	steps.route(l.Server, defaultRoute, RouterAddr)
	for _, net := range BehindNets {
		steps.route(l.Server, net, InnerAddr)
	}
	// A proxy answers ARP after a random time up to this, 0.8 s at first.
	steps.sysctl(l.Server, "net/ipv4/neigh/eth0/proxy_delay", "0")

	for _, n := range []*Namespace{l.Client, l.Outside, l.Server, l.Inner} {
		steps.carries(n, "eth0")
	}
	for _, name := range []string{"wan", "net", "to-server", "to-inner", "lan"} {
		steps.carries(l.Router, name)
	}
	return steps.err
}

// tasks does one thing after the other until the first error.
type tasks struct{ err error }

func (t *tasks) do(n *Namespace, f func() error) {
	if t.err == nil {
		if err := n.Do(f); err != nil {
			t.err = fmt.Errorf("netlab: %s: %w", n.Name, err)
		}
	}
}

func (t *tasks) sysctl(n *Namespace, name, value string) {
	if t.err == nil {
		t.err = n.sysctl(name, value)
	}
}

// veth joins two namespaces.
func (t *tasks) veth(a *Namespace, aName string, b *Namespace, bName string, mtu int) {
	t.do(a, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = aName, mtu
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: bName, PeerMTU: uint32(mtu),
			PeerNamespace: netlink.NsFd(int(b.file.Fd()))})
	})
	t.do(a, func() error { return quietUp(aName) })
	t.do(b, func() error { return quietUp(bName) })
}

// bridge makes a switch of ports.
func (t *tasks) bridge(n *Namespace, name string, ports ...string) {
	t.do(n, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		br := &netlink.Bridge{LinkAttrs: attrs}
		if err := netlink.LinkAdd(br); err != nil {
			return err
		}
		for _, p := range ports {
			link, err := netlink.LinkByName(p)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMaster(link, br); err != nil {
				return err
			}
		}
		// Where the host has br_netfilter, what is only switched would pass
		// the router's filter.
		err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("0"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return quietUp(name)
	})
}

// carries waits until a link takes packets. The kernel sees to that a while,
// up to a second, after both ends of a cable are up; packets sent before then are
// lost, ARP's first question among them.
func (t *tasks) carries(n *Namespace, name string) {
	t.do(n, func() error {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if link.Attrs().OperState == netlink.OperUp {
				return nil
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s stays %s", name, link.Attrs().OperState)
			}
		}
	})
}

func (t *tasks) address(n *Namespace, ifname string, addr netip.Addr, bits int) {
	t.do(n, func() error {
		link, err := netlink.LinkByName(ifname)
		if err != nil {
			return err
		}
		return netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(addr, bits))})
	})
}

func (t *tasks) route(n *Namespace, to netip.Prefix, via netip.Addr) {
	t.do(n, func() error {
		return netlink.RouteAdd(&netlink.Route{Dst: ipNet(to), Gw: via.AsSlice()})
	})
}

// ipNet keeps the host's bits.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// quietUp sets a link up without IPv6, whose neighbour discovery would mix with
// what a test counts.
func quietUp(name string) error {
	os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	return linkUp(name)
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
