package main

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Commands of SIOCETHTOOL (linux/ethtool.h).
const ethtoolSetGRO = 0x2c // ETHTOOL_SGRO

// split has the cable carry what a real one does: packets of at most the MTU. By
// itself a veth pair hands the kernel's large packets over unsplit, those of
// UDP sockets with segmentation too. The receiving end puts together what it can,
// as the drivers of real cards do.
func split(client, server *host) error {
	for _, h := range []*host{client, server} {
		err := h.do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			if err := netlink.LinkSetGSOMaxSegs(link, 1); err != nil {
				return fmt.Errorf("gso_max_segs: %w", err)
			}
			return setGRO("eth0")
		})
		if err != nil {
			return fmt.Errorf("split the cable's packets: %w", err)
		}
	}
	return nil
}

// setGRO turns generic receive offload on.
func setGRO(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := struct{ cmd, data uint32 }{ethtoolSetGRO, 1}
	req := struct { // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	runtime.KeepAlive(&value)
	if errno != 0 {
		return fmt.Errorf("generic receive offload: %w", errno)
	}
	return nil
}
