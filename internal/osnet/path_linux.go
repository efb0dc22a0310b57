package osnet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PathMTU gives the MTU of the route that packets to remote take now: the
// link's, or less if the route or a path MTU that the kernel learned says so.
func PathMTU(remote netip.Addr) (int, error) {
	remote = remote.Unmap()
	m := unix.RtMsg{Family: unix.AF_INET, Dst_len: uint8(remote.BitLen())}
	if remote.Is6() {
		m.Family = unix.AF_INET6
	}
	var out, route uint32
	err := ask(unix.RTM_GETROUTE, 0, (*[unix.SizeofRtMsg]byte)(unsafe.Pointer(&m))[:],
		func(r *rtnetlink) { r.attr(unix.RTA_DST, remote.AsSlice()) },
		func(_ uint16, body []byte) {
			attributes(body[min(unix.SizeofRtMsg, len(body)):], func(kind uint16, data []byte) {
				switch {
				case kind == unix.RTA_OIF && len(data) == 4:
					out = binary.NativeEndian.Uint32(data)
				case kind == unix.RTA_METRICS:
					attributes(data, func(kind uint16, data []byte) {
						if kind == unix.RTAX_MTU && len(data) == 4 {
							route = binary.NativeEndian.Uint32(data)
						}
					})
				}
			})
		})
	if err != nil {
		return 0, fmt.Errorf("osnet: route to %s: %w", remote, err)
	}
	name, err := nameOfIndex(out)
	if err != nil {
		return 0, fmt.Errorf("osnet: link of the route to %s: %w", remote, err)
	}
	mtu, err := askInterface(unix.SIOCGIFMTU, name)
	if err != nil {
		return 0, fmt.Errorf("osnet: MTU of %s: %w", name, err)
	}
	if route > 0 && route < mtu {
		mtu = route
	}
	return int(mtu), nil
}

// askInterface is an ioctl that asks for a number about an interface (netdevice(7)).
func askInterface(request uint, name string) (uint32, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := ioctlIfreq(request, ifr); err != nil {
		return 0, err
	}
	return ifr.Uint32(), nil
}

// nameOfIndex is the name of the interface with an index.
func nameOfIndex(index uint32) (string, error) {
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	ifr.SetUint32(index)
	if err := ioctlIfreq(unix.SIOCGIFNAME, ifr); err != nil {
		return "", err
	}
	return ifr.Name(), nil
}

// ioctlIfreq asks in the thread's namespace.
func ioctlIfreq(request uint, ifr *unix.Ifreq) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return os.NewSyscallError("ioctl", unix.IoctlIfreq(fd, request, ifr))
}
