package osnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"
)

const addrGenModeNone = 1 // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h

// TUNHeadroom is the least offset that TUN.Read and TUN.Write need: room for
// the virtio header in front of the IP packet.
const TUNHeadroom = 10

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
}

// A TUN is the interface behind which the tunnel lies. It vanishes with Close
// and with the process. One goroutine reads and one writes at a time; further
// ones wait.
type TUN struct {
	dev     tun.Device
	name    string
	index   int
	closed  atomic.Bool
	refused atomic.Uint64
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
	t, err := createTUN(cfg.Name)
	if err != nil {
		return nil, err
	}
	if err := t.configure(cfg); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func createTUN(name string) (*TUN, error) {
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
	// The "unmonitored" device has no goroutines and no events to drain. It
	// takes the descriptor, also in failure.
	dev, name, err := tun.CreateUnmonitoredTUNFromFD(fd)
	if err != nil {
		return nil, fmt.Errorf("osnet: set up %s: %w", ifr.Name(), err)
	}
	t := &TUN{dev: dev, name: name}
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("osnet: find %s: %w", name, err)
	}
	t.index = link.Attrs().Index
	return t, nil
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

// Read waits for IP packets from the host and puts each into bufs[i] from
// offset (TUNHeadroom or more) on, its length into sizes[i]; it returns how many.
// A large TCP segment comes cut to the MTU, so bufs should have BatchSize
// elements of offset+MTU octets. ErrClosed after Close, ErrTUNGone when the
// interface was deleted.
func (t *TUN) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	for {
		n, err := t.dev.Read(bufs, sizes, offset)
		switch {
		case err == nil:
			if n > 0 {
				return n, nil
			}
		case errors.Is(err, tun.ErrTooManySegments) && n > 0:
			// More segments than bufs: TCP sends the rest again.
			return n, nil
		}
		if e := t.ended(err); err != nil && e != nil {
			return 0, e
		}
		if errors.As(err, new(*fs.PathError)) {
			return 0, fmt.Errorf("osnet: read %s: %w", t.name, err)
		}
		// Anything else is one packet that offload could not make sense of.
	}
}

// Write gives IP packets, each in bufs[i] from offset (TUNHeadroom or more) on,
// to the host. It overwrites the headroom, and joins TCP segments of one flow
// (whose checksums it verifies first) in the first one's buffer as far as its
// capacity goes. A packet that the host refuses, being no IP packet or the
// interface being down, is lost as on any link; Refused counts these writes.
// ErrClosed after Close, ErrTUNGone when the interface was deleted.
func (t *TUN) Write(bufs [][]byte, offset int) (int, error) {
	if _, err := t.dev.Write(bufs, offset); err != nil {
		if e := t.ended(err); e != nil {
			return 0, e
		}
		if !errors.As(err, new(syscall.Errno)) {
			return 0, fmt.Errorf("osnet: write %s: %w", t.name, err)
		}
		t.refused.Add(1)
	}
	return len(bufs), nil
}

// Refused counts the calls of Write in which the host refused a packet.
func (t *TUN) Refused() uint64 { return t.refused.Load() }

// ended gives ErrClosed or ErrTUNGone if that is why err came; otherwise nil.
func (t *TUN) ended(err error) error {
	switch {
	case t.closed.Load():
		return ErrClosed
	case errors.Is(err, os.ErrClosed), errors.Is(err, unix.EBADFD), errors.Is(err, io.EOF), t.detached():
		return ErrTUNGone
	}
	return nil
}

// detached tells whether the descriptor has lost its interface. Older kernels
// wake a reader up then without a reason that the poller could give.
func (t *TUN) detached() bool {
	conn, err := t.dev.File().SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	conn.Control(func(fd uintptr) {
		if ifr, err := unix.NewIfreq(t.name); err == nil {
			gone = unix.IoctlIfreq(int(fd), unix.TUNGETIFF, ifr) == unix.EBADFD
		}
	})
	return gone
}

// BatchSize is the number of buffers that Read and Write work best with.
func (t *TUN) BatchSize() int { return t.dev.BatchSize() }

// Name is the interface's name, "ppp0".
func (t *TUN) Name() string { return t.name }

// Index is the interface's index.
func (t *TUN) Index() int { return t.index }

// Close takes the interface away, with its addresses and the routes through
// it, and wakes up the reader.
func (t *TUN) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	return t.dev.Close()
}
