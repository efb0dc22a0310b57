package osnet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AddProxyARP has this host answer for addr on the link whose subnet holds it,
// as pppd's option proxyarp does: a published neighbour entry. Where no
// link's subnet holds it there is nothing to do, and ifname is "". remove takes
// the entry back; an entry that was there before stays. A subnet that has come in
// the last second may be missed.
func AddProxyARP(addr netip.Addr) (remove func(), ifname string, err error) {
	addr = addr.Unmap()
	index, ifname, err := linkHolding(addr)
	if err != nil || ifname == "" {
		return func() {}, "", err
	}
	there := false
	m := unix.NdMsg{Family: unix.AF_INET, Ifindex: int32(index), State: unix.NUD_PERMANENT, Flags: unix.NTF_PROXY}
	proxy := func(kind, flags uint16, each func(kind uint16, body []byte)) error {
		m := m
		if kind == unix.RTM_GETNEIGH {
			m.State = 0
		}
		return ask(kind, flags, (*[unix.SizeofNdMsg]byte)(unsafe.Pointer(&m))[:],
			func(r *rtnetlink) { r.attr(unix.NDA_DST, addr.AsSlice()) }, each)
	}
	// A kernel before Linux 5.0 cannot tell; it then counts as ours.
	proxy(unix.RTM_GETNEIGH, 0, func(kind uint16, _ []byte) { there = there || kind == unix.RTM_NEWNEIGH })
	if there {
		return func() {}, ifname, nil
	}
	if err := proxy(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, nil); err != nil {
		return func() {}, "", fmt.Errorf("osnet: proxy ARP for %s on %s: %w", addr, ifname, err)
	}
	return func() { proxy(unix.RTM_DELNEIGH, 0, nil) }, ifname, nil
}

// linkHolding finds the link that is up, speaks ARP and has addr in one of its
// subnets: the narrowest subnet wins. "" if there is none.
func linkHolding(addr netip.Addr) (index uint32, ifname string, err error) {
	list, err := subnets()
	if err != nil {
		return 0, "", fmt.Errorf("osnet: addresses: %w", err)
	}
	best := -1
	for _, s := range list {
		if !s.prefix.Contains(addr) || s.prefix.Bits() <= best {
			continue
		}
		name, err := nameOfIndex(s.index)
		if err != nil {
			continue // it went meanwhile
		}
		ifr, err := unix.NewIfreq(name)
		if err != nil || ioctlIfreq(unix.SIOCGIFFLAGS, ifr) != nil {
			continue
		}
		const all = unix.IFF_UP | unix.IFF_BROADCAST | unix.IFF_POINTOPOINT | unix.IFF_LOOPBACK | unix.IFF_NOARP
		if ifr.Uint16()&all == unix.IFF_UP|unix.IFF_BROADCAST {
			index, ifname, best = s.index, name, s.prefix.Bits()
		}
	}
	return index, ifname, nil
}

// A subnet is one that an interface is in.
type subnet struct {
	prefix netip.Prefix
	index  uint32
}

// known is the last list of subnets: to make one the kernel goes through all
// addresses, the clients' among them, and that for each client would take the
// longer the more there are.
var known struct {
	sync.Mutex
	netns uint64 // its cookie
	at    time.Time
	list  []subnet
}

// subnets lists those of the thread's namespace that have more than one address.
func subnets() ([]subnet, error) {
	r, err := openRTNetlink()
	if err != nil {
		return nil, err
	}
	defer r.close()
	netns, err := unix.GetsockoptUint64(r.fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	known.Lock()
	defer known.Unlock()
	if err == nil && netns == known.netns && time.Since(known.at) < time.Second {
		return known.list, nil
	}
	var list []subnet
	m := unix.IfAddrmsg{Family: unix.AF_INET}
	// Interfaces that come and go meanwhile do not hide others, so there is no
	// need to begin again if the kernel says that there were such.
	r.begin(unix.RTM_GETADDR, unix.NLM_F_DUMP, (*[unix.SizeofIfAddrmsg]byte)(unsafe.Pointer(&m))[:])
	err = r.do(func(kind uint16, body []byte) {
		if kind != unix.RTM_NEWADDR || len(body) < unix.SizeofIfAddrmsg || body[0] != unix.AF_INET || body[1] >= 32 {
			return
		}
		attributes(body[unix.SizeofIfAddrmsg:], func(kind uint16, data []byte) {
			if kind == unix.IFA_LOCAL && len(data) == 4 {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte(data)), int(body[1]))
				list = append(list, subnet{p.Masked(), binary.NativeEndian.Uint32(body[4:])})
			}
		})
	})
	if err != nil {
		return nil, err
	}
	known.netns, known.at, known.list = netns, time.Now(), list
	return list, nil
}
