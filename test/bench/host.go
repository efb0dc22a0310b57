package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The addresses of the two ends of a cable; every contender has a cable of its
// own, in namespaces of its own.
var (
	clientOuter = netip.MustParseAddr("10.77.0.1")
	serverOuter = netip.MustParseAddr("10.77.0.2")
)

// A host is a network namespace. It lives as long as its file is open or a
// process runs in it, so a run that was killed leaves none.
type host struct{ file *os.File }

// threadNamespace opens the namespace of the calling thread.
func threadNamespace() (*os.File, error) { return os.Open("/proc/thread-self/ns/net") }

// away runs f with its goroutine's thread free to change its namespace.
func away(f func() error) error {
	runtime.LockOSThread()
	home, err := threadNamespace()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err) // the thread would go on in the wrong network
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

func newHost() (*host, error) {
	h := &host{}
	err := away(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if h.file, err = threadNamespace(); err != nil {
			return err
		}
		for _, name := range []string{"all", "default"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/rp_filter", []byte("0"), 0); err != nil {
				return err
			}
		}
		return setUp("lo")
	})
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *host) close() {
	if h != nil && h.file != nil {
		h.file.Close()
	}
}

// do runs f in the host's network. Goroutines that f starts run outside of it;
// sockets that it opens stay inside.
func (h *host) do(f func() error) error {
	return away(func() error {
		if err := unix.Setns(int(h.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// start starts a process in the host's network.
func (h *host) start(cmd *exec.Cmd) error { return h.do(cmd.Start) }

func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// address gives a link an address, with a peer if that is valid, and an MTU
// unless that is 0, and sets it up.
func (h *host) address(name string, addr netip.Prefix, peer netip.Addr, mtu int) error {
	return h.do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if mtu > 0 {
			if err := netlink.LinkSetMTU(link, mtu); err != nil {
				return err
			}
		}
		text := addr.String()
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		if peer.IsValid() {
			p, err := netlink.ParseIPNet(netip.PrefixFrom(peer, 32).String())
			if err != nil {
				return err
			}
			a.Peer = p
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
}

// join lays a cable between two hosts: eth0 at both ends, MTU 1500, without IPv6,
// whose neighbour discovery would mix with what is measured.
func join(client, server *host) error {
	quiet := func() error {
		os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		return nil
	}
	for _, h := range []*host{client, server} {
		if err := h.do(quiet); err != nil {
			return err
		}
	}
	err := client.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = "eth0", 1500
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerMTU: 1500,
			PeerNamespace: netlink.NsFd(int(server.file.Fd()))})
	})
	if err != nil {
		return fmt.Errorf("make a veth pair: %w", err)
	}
	if err := client.address("eth0", netip.PrefixFrom(clientOuter, 24), netip.Addr{}, 0); err != nil {
		return err
	}
	return server.address("eth0", netip.PrefixFrom(serverOuter, 24), netip.Addr{}, 0)
}
