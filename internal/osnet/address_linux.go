package osnet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func (t *TUN) link() netlink.Link {
	return &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: t.name, Index: t.index}}
}

// SetMTU changes the interface's MTU.
func (t *TUN) SetMTU(mtu int) error {
	if err := netlink.LinkSetMTU(t.link(), mtu); err != nil {
		return fmt.Errorf("osnet: set the MTU of %s to %d: %w", t.name, mtu, err)
	}
	return nil
}

// SetAddress gives the interface "local peer PEER" in place of the IPv4
// addresses it has; peerRoute as in TUNConfig.
func (t *TUN) SetAddress(local, peer netip.Addr, peerRoute bool) error {
	old, err := netlink.AddrList(t.link(), netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("osnet: addresses of %s: %w", t.name, err)
	}
	addr := &netlink.Addr{IPNet: hostNet(local)}
	if peer.IsValid() {
		addr.Peer = hostNet(peer)
	}
	if !peerRoute {
		addr.Flags = unix.IFA_F_NOPREFIXROUTE
	}
	for _, o := range old {
		if err := netlink.AddrDel(t.link(), &o); err != nil {
			return fmt.Errorf("osnet: take %s off %s: %w", o.IPNet, t.name, err)
		}
	}
	if err := netlink.AddrAdd(t.link(), addr); err != nil {
		return fmt.Errorf("osnet: give %s the address %s: %w", t.name, local, err)
	}
	return nil
}

func hostNet(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// addLinkLocal gives the interface its address of IPv6, and returns when the
// peer's can be reached.
func (t *TUN) addLinkLocal(r *rtnetlink, local, peer uint64) error {
	var other netip.Addr
	bits := 64
	if peer != 0 {
		other, bits = linkLocal(peer), 128
	}
	err := r.address(t.index, linkLocal(local), other, bits, unix.RT_SCOPE_LINK, unix.IFA_F_NODAD)
	if err == unix.EOPNOTSUPP || err == unix.EAFNOSUPPORT {
		return nil // a kernel without IPv6
	}
	if err != nil {
		return fmt.Errorf("osnet: give %s the address %s: %w", t.name, linkLocal(local), err)
	}
	// The kernel makes an address usable in the background, also one that it
	// has not to look for duplicates of: that takes a few milliseconds at most.
	for range 200 {
		if _, err := netlink.RouteGetWithOptions(linkLocal(max(peer, 1)).AsSlice(), &netlink.RouteGetOptions{OifIndex: t.index}); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// linkLocal is the address of an interface identifier.
func linkLocal(id uint64) netip.Addr {
	a := [16]byte{0: 0xfe, 1: 0x80}
	binary.BigEndian.PutUint64(a[8:], id)
	return netip.AddrFrom16(a)
}

// AddRoute sends a subnet into the tunnel, as a server does for networks that
// lie behind a client. The route goes when the interface goes.
func (t *TUN) AddRoute(to netip.Prefix) error {
	dst := &net.IPNet{IP: to.Masked().Addr().AsSlice(), Mask: net.CIDRMask(to.Bits(), to.Addr().BitLen())}
	r := &netlink.Route{LinkIndex: t.index, Dst: dst, Scope: netlink.SCOPE_LINK}
	if err := netlink.RouteAdd(r); err != nil {
		return fmt.Errorf("osnet: route %s into %s: %w", to, t.name, err)
	}
	return nil
}
