package osnet

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// SetForwarding lets IPv4 packets that come in on the interface be forwarded;
// the empty name means all interfaces, also later ones (net.ipv4.ip_forward). The
// answers come in on another interface, which needs it as well, and so does the
// interface on which AddProxyARP answers. restore puts back what was there.
func SetForwarding(ifname string) (restore func(), err error) {
	file := "/proc/sys/net/ipv4/ip_forward"
	if ifname != "" {
		if strings.ContainsAny(ifname, "/") || ifname == "." || ifname == ".." {
			return nil, fmt.Errorf("osnet: forwarding: no interface can be called %q", ifname)
		}
		file = "/proc/sys/net/ipv4/conf/" + ifname + "/forwarding"
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("osnet: forwarding: %w", err)
	}
	if strings.TrimSpace(string(old)) == "1" {
		return func() {}, nil
	}
	if err := os.WriteFile(file, []byte("1"), 0); err != nil {
		return nil, fmt.Errorf("osnet: forwarding: %w", err)
	}
	return func() { os.WriteFile(file, old, 0) }, nil
}

// AddProxyARP has this host answer for addr on the link whose subnet holds it,
// as pppd's option proxyarp does: a published neighbour entry. Where no
// link's subnet holds it there is nothing to do, and ifname is "". remove takes
// the entry back; an entry that was there before stays.
func AddProxyARP(addr netip.Addr) (remove func(), ifname string, err error) {
	addr = addr.Unmap()
	link, err := linkHolding(addr)
	if err != nil || link == nil {
		return func() {}, "", err
	}
	ifname = link.Attrs().Name
	ip := net.IP(addr.AsSlice())
	entries, err := netlink.NeighProxyList(link.Attrs().Index, netlink.FAMILY_V4)
	if err != nil {
		return func() {}, "", fmt.Errorf("osnet: proxy ARP on %s: %w", ifname, err)
	}
	for _, e := range entries {
		if e.IP.Equal(ip) {
			return func() {}, ifname, nil
		}
	}
	entry := &netlink.Neigh{LinkIndex: link.Attrs().Index, Family: netlink.FAMILY_V4,
		State: netlink.NUD_PERMANENT, Flags: netlink.NTF_PROXY, IP: ip}
	if err := netlink.NeighAdd(entry); err != nil {
		return func() {}, "", fmt.Errorf("osnet: proxy ARP for %s on %s: %w", addr, ifname, err)
	}
	return func() { netlink.NeighDel(entry) }, ifname, nil
}

// linkHolding finds the link that is up, speaks ARP and has addr in one of its
// subnets: the narrowest subnet wins. nil if there is none.
func linkHolding(addr netip.Addr) (netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("osnet: links: %w", err)
	}
	var found netlink.Link
	best := -1
	for _, l := range links {
		a := l.Attrs()
		if a.Flags&(net.FlagUp|net.FlagBroadcast) != net.FlagUp|net.FlagBroadcast ||
			a.Flags&(net.FlagPointToPoint|net.FlagLoopback) != 0 || a.RawFlags&unix.IFF_NOARP != 0 {
			continue
		}
		addrs, err := netlink.AddrList(l, netlink.FAMILY_V4)
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &netlink.LinkNotFoundError{}) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("osnet: addresses of %s: %w", a.Name, err)
		}
		for _, x := range addrs {
			bits, _ := x.Mask.Size()
			if bits < 32 && bits > best && x.IPNet.Contains(addr.AsSlice()) {
				found, best = l, bits
			}
		}
	}
	return found, nil
}
