package osnet

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

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

	// Queue is how many frames from the host wait to be read; more are lost.
	// Each takes 8 octets of the kernel's memory even while it is empty. 0: the
	// kernel's own choice, 500.
	Queue int

	// Lean leaves out the queueing discipline, which cannot delay a packet to a
	// TUN anyway: the driver takes, or drops, whatever comes. It would take 24
	// octets for each place in Queue, and fq_codel, the default of many systems,
	// some 70 kB.
	Lean bool

	// NoIPv6Record keeps the kernel from having 17 kB of IPv6's settings and
	// counters for the interface, unless LocalID6 is set: see upWithoutIPv6 for
	// the price, which is two lines in the kernel's log for each.
	NoIPv6Record bool

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
	release  func()       // of the poller
	space    *numberSpace // in which number is; nil: the name is not of our numbering
	number   int32
	refused  atomic.Uint64

	mu  sync.RWMutex // held for reading while fd is used
	fd  int          // mu guards; -1: closed
	hot *hot         // mu guards; nil unless Linger is in use
}

// opening bounds how many interfaces are made at a time. The kernel makes one
// after the other anyway, and each that waits for it would keep a thread.
var opening = make(chan struct{}, 4)

// OpenTUN makes the interface, gives it its addresses and MTU and sets it up.
// Errors: *PrivilegeError, ErrNoTUN, or what the kernel said of the name or of
// an address.
func OpenTUN(cfg TUNConfig) (*TUN, error) {
	opening <- struct{}{}
	defer func() { <-opening }()
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

func createTUN(pattern string, offload bool) (*TUN, error) {
	fd, err := openTUNDevice()
	if err != nil {
		return nil, err
	}
	t := &TUN{fd: fd, release: func() {}}
	if err := t.create(pattern); err != nil {
		t.Close()
		if err == unix.EPERM {
			return nil, &PrivilegeError{Missing: []string{"CAP_NET_ADMIN"}}
		}
		return nil, fmt.Errorf("osnet: make the interface %q: %w", pattern, err)
	}
	if err := t.setOffload(offload); err != nil {
		t.Close()
		return nil, fmt.Errorf("osnet: set up %s: %w", t.name, err)
	}
	return t, nil
}

// create makes the interface and gives it a name.
func (t *TUN) create(pattern string) error {
	const flags = unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR
	// Numbers that others have are passed over, but not many.
	least := 0
	for range 4 {
		space, n, ok := takeNumber(pattern, least)
		if !ok {
			break
		}
		err := t.attach(strings.Replace(pattern, "%d", strconv.Itoa(n), 1), flags|unix.IFF_TUN_EXCL)
		if err == nil {
			t.space, t.number = space, int32(n)
			return nil
		}
		space.release(n)
		if err != unix.EBUSY && err != unix.EEXIST {
			return err
		}
		least = n + 1
	}
	// The kernel replaces %d by the first free number.
	return t.attach(pattern, flags)
}

// attach is TUNSETIFF.
func (t *TUN) attach(name string, flags uint16) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(flags)
	if err := unix.IoctlIfreq(t.fd, unix.TUNSETIFF, ifr); err != nil {
		return err
	}
	t.name = ifr.Name() // as the kernel wrote it back
	return nil
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

// Name is the interface's name, "ppp0".
func (t *TUN) Name() string { return t.name }

// Index is the interface's index.
func (t *TUN) Index() int { return t.index }
