package osnet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const addrGenModeNone = 1 // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h

// headerLen is the length of struct virtio_net_hdr.
const headerLen = 10

// TUNConfig says what interface OpenTUN makes.
type TUNConfig struct {
	Name  string     // "" and a name with %d: the first free number, "ppp%d" if empty
	Local netip.Addr // our address; the zero Addr: none yet
	Peer  netip.Addr // the address at the other end
	MTU   int        // of the IP packets inside; 0: 1400

	// PeerRoute has the kernel add "PEER dev ppp0 scope link" itself, as it
	// does for pppd: the server's way. Without it the address comes with
	// IFA_F_NOPREFIXROUTE and all routes are the caller's.
	PeerRoute bool

	// The two ends' interface identifiers, if IPv6 was negotiated (RFC 5072):
	// they become link-local addresses. 0, or a kernel without IPv6: the
	// interface has no IPv6 at all.
	LocalID6, PeerID6 uint64

	Poller    *Poller // what WhenReadable waits with; nil: one that all such TUNs share
	NoOffload bool    // every frame is one packet with its checksums, both ways
}

// A TUN is the interface behind which the tunnel lies. It vanishes with Close
// and with the process. Any goroutine may use it.
type TUN struct {
	name     string
	index    int
	tcp, udp bool // offload
	watch    Watch
	release  func() // of the poller
	refused  atomic.Uint64

	mu  sync.RWMutex // held for reading while fd is used
	fd  int          // mu guards; -1: closed
	hot *hot         // mu guards; nil unless Linger is in use

	old old
}

// OpenTUN makes the interface, gives it its addresses and MTU and sets it up.
// Errors: *PrivilegeError, ErrNoTUN, or what the kernel said of the name or of
// an address.
func OpenTUN(cfg TUNConfig) (*TUN, error) {
	if cfg.Name == "" {
		cfg.Name = "ppp%d"
	}
	if cfg.MTU == 0 {
		cfg.MTU = 1400
	}
	t, err := createTUN(cfg.Name, !cfg.NoOffload)
	if err != nil {
		return nil, err
	}
	p := cfg.Poller
	if p == nil {
		if p, err = sharedPoller(); err == nil {
			t.release = releaseShared
		}
	}
	if err == nil {
		err = p.add(&t.watch, t.fd)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	if err := t.configure(cfg); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func createTUN(name string, offload bool) (*TUN, error) {
	fd, err := openTUNDevice()
	if err != nil {
		return nil, err
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		// The kernel replaces %d by the first free number and writes the name back.
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		if err == unix.EPERM {
			return nil, &PrivilegeError{Missing: []string{"CAP_NET_ADMIN"}}
		}
		return nil, fmt.Errorf("osnet: make the interface %q: %w", name, err)
	}
	t := &TUN{fd: fd, name: ifr.Name(), release: func() {}}
	t.old.closing = make(chan struct{})
	if err := t.setOffload(offload); err != nil {
		t.Close()
		return nil, fmt.Errorf("osnet: set up %s: %w", t.name, err)
	}
	link, err := netlink.LinkByName(t.name)
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("osnet: find %s: %w", t.name, err)
	}
	t.index = link.Attrs().Index
	return t, nil
}

// setOffload settles the form of frames, and how much may be left to us: as
// much of it as the kernel knows.
func (t *TUN) setOffload(on bool) error {
	if err := unix.IoctlSetPointerInt(t.fd, unix.TUNSETVNETHDRSZ, headerLen); err != nil {
		return os.NewSyscallError("ioctl TUNSETVNETHDRSZ", err)
	}
	const (
		sum = unix.TUN_F_CSUM
		tcp = sum | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
		udp = unix.TUN_F_USO4 | unix.TUN_F_USO6 // both or none, since Linux 6.2
	)
	if on {
		for _, flags := range [...]int{tcp | udp, tcp, sum} {
			if unix.IoctlSetInt(t.fd, unix.TUNSETOFFLOAD, flags) == nil {
				t.tcp, t.udp = flags&tcp == tcp, flags&udp == udp
				return nil
			}
		}
	}
	if err := unix.IoctlSetInt(t.fd, unix.TUNSETOFFLOAD, 0); err != nil {
		return os.NewSyscallError("ioctl TUNSETOFFLOAD", err)
	}
	return nil
}

func (t *TUN) configure(cfg TUNConfig) error {
	// No link-local address of the kernel's own, no router solicitations into
	// the tunnel. Kernels without IPv6 have none of these knobs.
	link := t.link()
	netlink.LinkSetIP6AddrGenMode(link, addrGenModeNone)
	if cfg.LocalID6 == 0 {
		t.sysctl6("disable_ipv6", "1")
	} else {
		t.sysctl6("disable_ipv6", "0")
		t.sysctl6("accept_ra", "0")
	}
	if err := t.SetMTU(cfg.MTU); err != nil {
		return err
	}
	if cfg.Local.IsValid() {
		if err := t.SetAddress(cfg.Local, cfg.Peer, cfg.PeerRoute); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("osnet: set %s up: %w", t.name, err)
	}
	// Not before: for an address that is there when the link comes up the kernel
	// makes no route to the peer.
	if cfg.LocalID6 != 0 {
		return t.addLinkLocal(cfg.LocalID6, cfg.PeerID6)
	}
	return nil
}

// sysctl6 writes a setting of IPv6 on the interface, if there is such a thing.
func (t *TUN) sysctl6(name, value string) {
	os.WriteFile("/proc/sys/net/ipv6/conf/"+t.name+"/"+name, []byte(value), 0)
}

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

func (t *TUN) addLinkLocal(local, peer uint64) error {
	linkLocal := func(id uint64) netip.Addr {
		a := [16]byte{0: 0xfe, 1: 0x80}
		binary.BigEndian.PutUint64(a[8:], id)
		return netip.AddrFrom16(a)
	}
	addr := &netlink.Addr{IPNet: hostNet(linkLocal(local)), Scope: unix.RT_SCOPE_LINK, Flags: unix.IFA_F_NODAD}
	if peer != 0 {
		addr.Peer = hostNet(linkLocal(peer))
	} else {
		addr.IPNet.Mask = net.CIDRMask(64, 128)
	}
	err := netlink.AddrAdd(t.link(), addr)
	if err != nil && err != unix.EOPNOTSUPP && err != unix.EAFNOSUPPORT {
		return fmt.Errorf("osnet: give %s the address %s: %w", t.name, addr.IP, err)
	}
	return nil
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

// Name is the interface's name, "ppp0".
func (t *TUN) Name() string { return t.name }

// Index is the interface's index.
func (t *TUN) Index() int { return t.index }
