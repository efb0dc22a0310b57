package server

import (
	"context"
	"net"
	"syscall"
)

// ListenDHCP opens UDP port 67 on one interface. A DHCP server that
// serves other interfaces does not get in the way: of several sockets the kernel
// prefers the one that is bound to the interface.
func (linux) ListenDHCP(ifname string) (net.PacketConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var inner error
		err := c.Control(func(fd uintptr) {
			inner = syscall.BindToDevice(int(fd), ifname)
			if inner == nil {
				inner = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			}
			if inner == nil {
				inner = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
			}
		})
		if err != nil {
			return err
		}
		return inner
	}}
	return lc.ListenPacket(context.Background(), "udp4", ":67")
}
