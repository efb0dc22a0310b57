package osnet

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const minMTU6 = 1280 // RFC 8200, Section 5

// configure gives a new interface all that cfg asks for and sets it up.
func (t *TUN) configure(cfg TUNConfig) (err error) {
	r, err := openRTNetlink()
	if err != nil {
		return fmt.Errorf("osnet: configure %s: %w", t.name, err)
	}
	defer r.close()
	index, err := askInterface(unix.SIOCGIFINDEX, t.name)
	if err != nil {
		return fmt.Errorf("osnet: find %s: %w", t.name, err)
	}
	t.index = int(index)
	if cfg.Queue > 0 {
		r.link(t.index, 0, 0)
		r.attr32(unix.IFLA_TXQLEN, uint32(cfg.Queue))
		if err := r.do(nil); err != nil {
			return fmt.Errorf("osnet: give %s a queue of %d: %w", t.name, cfg.Queue, err)
		}
	}
	if cfg.Lean {
		// Before it is up, or it gets one first. A kernel that does not know how
		// to do without keeps what it has.
		r.noQueue(t.index)
	}
	up := false
	if cfg.NoIPv6Record && cfg.LocalID6 == 0 {
		if up, err = t.upWithoutIPv6(r, cfg); err != nil {
			return err
		}
	}
	if !up {
		if err := t.up(r, cfg); err != nil {
			return err
		}
	}
	if cfg.Local.IsValid() {
		var flags uint32
		if !cfg.PeerRoute {
			flags = unix.IFA_F_NOPREFIXROUTE
		}
		if err := r.address(t.index, cfg.Local.Unmap(), cfg.Peer.Unmap(), 32, unix.RT_SCOPE_UNIVERSE, flags); err != nil {
			return fmt.Errorf("osnet: give %s the address %s: %w", t.name, cfg.Local, err)
		}
	}
	// Not before it is up: for an address that is there when the link comes up
	// the kernel makes no route to the peer.
	if cfg.LocalID6 != 0 {
		return t.addLinkLocal(r, cfg.LocalID6, cfg.PeerID6)
	}
	return nil
}

// up sets the interface up, with IPv6 as far as cfg has it.
func (t *TUN) up(r *rtnetlink, cfg TUNConfig) error {
	if err := t.setLink(r, cfg.MTU, "", 0); err != nil {
		return fmt.Errorf("osnet: set the MTU of %s to %d: %w", t.name, cfg.MTU, err)
	}
	if cfg.MTU >= minMTU6 {
		// No link-local address of the kernel's own, no router solicitations
		// into the tunnel. Kernels without IPv6 have none of these knobs.
		r.addrGenModeNone(t.index)
		if cfg.LocalID6 == 0 {
			t.sysctl6("disable_ipv6", "1")
		} else {
			t.sysctl6("disable_ipv6", "0")
			t.sysctl6("accept_ra", "0")
		}
	}
	if err := t.setLink(r, 0, "", unix.IFF_UP); err != nil {
		return fmt.Errorf("osnet: set %s up: %w", t.name, err)
	}
	return nil
}

// setLink changes the interface's MTU unless it is 0, then its name unless that is
// empty, then sets it up if flags is IFF_UP.
func (t *TUN) setLink(r *rtnetlink, mtu int, name string, flags uint32) error {
	r.link(t.index, flags, flags)
	if mtu != 0 {
		r.attr32(unix.IFLA_MTU, uint32(mtu))
	}
	if name != "" {
		r.attr(unix.IFLA_IFNAME, append([]byte(name), 0))
	}
	return r.do(nil)
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
// 6.2), and each change is a line in the kernel's log. up is false if it did not
// come about; then the interface is as before, but for its MTU.
func (t *TUN) upWithoutIPv6(r *rtnetlink, cfg TUNConfig) (up bool, err error) {
	if cfg.MTU < minMTU6 {
		if err := t.setLink(r, cfg.MTU, "", unix.IFF_UP); err != nil {
			return false, fmt.Errorf("osnet: set %s up: %w", t.name, err)
		}
		return true, nil
	}
	if noIPv6Off.Load() {
		return false, nil
	}
	noIPv6Lock.Lock()
	defer noIPv6Lock.Unlock()
	if t.setLink(r, minMTU6-1, noIPv6Name, 0) != nil {
		return false, nil // somebody else has the name just now
	}
	err = t.setLink(r, cfg.MTU, "", unix.IFF_UP)
	e := t.setLink(r, 0, t.name, 0)
	if e == unix.EBUSY {
		noIPv6Off.Store(true)
		r.link(t.index, unix.IFF_UP, 0)
		if e = r.do(nil); e == nil {
			e = t.setLink(r, 0, t.name, 0)
		}
		if e == nil {
			// When the MTU rises again the record is made, and can be told what to do.
			e = t.setLink(r, minMTU6-1, "", 0)
		}
	}
	if e == unix.EEXIST && cfg.Name != t.name {
		// The name has been given away meanwhile: another of the same pattern.
		if e = t.setLink(r, 0, cfg.Name, 0); e == nil {
			t.name, e = nameOf(t.fd)
		}
	}
	switch {
	case e != nil:
		return false, fmt.Errorf("osnet: make the interface %q: %w", cfg.Name, e)
	case err != nil:
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
