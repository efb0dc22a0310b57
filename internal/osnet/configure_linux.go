package osnet

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	addrGenModeNone = 1    // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h
	minMTU6         = 1280 // RFC 8200, Section 5
)

// configure gives a new interface all that cfg asks for and sets it up.
func (t *TUN) configure(cfg TUNConfig) error {
	// One socket for all of it, and nothing is asked that is known.
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("osnet: configure %s: %w", t.name, err)
	}
	defer h.Close()
	link, err := h.LinkByName(t.name)
	if err != nil {
		return fmt.Errorf("osnet: find %s: %w", t.name, err)
	}
	t.index = link.Attrs().Index
	link = t.link()

	if cfg.Queue > 0 {
		if err := h.LinkSetTxQLen(link, cfg.Queue); err != nil {
			return fmt.Errorf("osnet: give %s a queue of %d: %w", t.name, cfg.Queue, err)
		}
	}
	if cfg.Lean {
		// Before it is up, or it gets one first. A kernel that does not know how
		// to do without keeps what it has.
		h.QdiscAdd(&netlink.GenericQdisc{QdiscType: "noqueue",
			QdiscAttrs: netlink.QdiscAttrs{LinkIndex: t.index, Parent: netlink.HANDLE_ROOT}})
	}
	up := false
	if cfg.NoIPv6Record && cfg.LocalID6 == 0 {
		if up, err = t.upWithoutIPv6(h, cfg); err != nil {
			return err
		}
	}
	if !up {
		if err := t.up(h, cfg); err != nil {
			return err
		}
	}
	if cfg.Local.IsValid() {
		if err := h.AddrAdd(t.link(), address(cfg.Local, cfg.Peer, cfg.PeerRoute)); err != nil {
			return fmt.Errorf("osnet: give %s the address %s: %w", t.name, cfg.Local, err)
		}
	}
	// Not before it is up: for an address that is there when the link comes up
	// the kernel makes no route to the peer.
	if cfg.LocalID6 != 0 {
		return t.addLinkLocal(h, cfg.LocalID6, cfg.PeerID6)
	}
	return nil
}

// up sets the interface up, with IPv6 as far as cfg has it.
func (t *TUN) up(h *netlink.Handle, cfg TUNConfig) error {
	link := t.link()
	if err := t.setMTU(h, cfg.MTU); err != nil {
		return err
	}
	if cfg.MTU >= minMTU6 {
		// No link-local address of the kernel's own, no router solicitations
		// into the tunnel. Kernels without IPv6 have none of these knobs.
		h.LinkSetIP6AddrGenMode(link, addrGenModeNone)
		if cfg.LocalID6 == 0 {
			t.sysctl6("disable_ipv6", "1")
		} else {
			t.sysctl6("disable_ipv6", "0")
			t.sysctl6("accept_ra", "0")
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("osnet: set %s up: %w", t.name, err)
	}
	return nil
}

// sysctl6 writes a setting of IPv6 on the interface, if there is such a thing.
func (t *TUN) sysctl6(name, value string) {
	os.WriteFile("/proc/sys/net/ipv6/conf/"+t.name+"/"+name, []byte(value), 0)
}

// noIPv6Name is a name for which the kernel keeps no settings, as
// /proc/sys/net/ipv6/conf/default is something else (sysctl_dev_name_is_allowed of
// linux/sysctl.h). Without settings there is no record of IPv6 either.
const noIPv6Name = "default"

var (
	noIPv6Lock sync.Mutex  // one interface at a time has that name
	noIPv6Off  atomic.Bool // this kernel does not do it
)

// upWithoutIPv6 sets the interface up in a way that keeps the kernel from making
// a record of IPv6 for it, 17 kB. The kernel drops the record where the MTU falls
// below IPv6's least, and makes one when the MTU rises or the link comes up; that
// fails while the interface has a certain name. IPv4's is not touched.
//
// It needs a kernel in which an interface that is up can change its name (Linux
// 6.2). up is false if it did not come about; then the interface is as before.
func (t *TUN) upWithoutIPv6(h *netlink.Handle, cfg TUNConfig) (up bool, err error) {
	if noIPv6Off.Load() && cfg.MTU >= minMTU6 {
		return false, nil
	}
	link := t.link()
	if err := t.setMTU(h, min(cfg.MTU, minMTU6-1)); err != nil {
		return false, err
	}
	if cfg.MTU < minMTU6 {
		if err := h.LinkSetUp(link); err != nil {
			return false, fmt.Errorf("osnet: set %s up: %w", t.name, err)
		}
		return true, nil
	}
	noIPv6Lock.Lock()
	defer noIPv6Lock.Unlock()
	if h.LinkSetName(link, noIPv6Name) != nil {
		return false, nil // somebody else has it just now
	}
	err = t.setMTU(h, cfg.MTU)
	if err == nil {
		err = h.LinkSetUp(link)
	}
	// Back to the name it had, or to another of the same pattern if that has
	// been given away meanwhile.
	back := func() error { return h.LinkSetName(link, cfg.Name) }
	e := back()
	if e == unix.EBUSY {
		noIPv6Off.Store(true)
		if e = h.LinkSetDown(link); e == nil {
			e = back()
		}
	}
	if e != nil {
		return false, fmt.Errorf("osnet: make the interface %q: %w", cfg.Name, e)
	}
	if t.name, e = nameOf(t.fd); e != nil {
		return false, e
	}
	if err != nil {
		return false, fmt.Errorf("osnet: set %s up: %w", t.name, err)
	}
	return !noIPv6Off.Load(), nil
}

// nameOf asks the kernel what a TUN is called.
func nameOf(fd int) (string, error) {
	ifr, err := unix.NewIfreq("")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr)
	}
	if err != nil {
		return "", os.NewSyscallError("ioctl TUNGETIFF", err)
	}
	return ifr.Name(), nil
}
