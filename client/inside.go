package client

import (
	"context"
	"net"
	"net/netip"
	"syscall"
)

// A tunnelPlatform is a Platform that sends out of the tunnel's interface,
// whatever the routes say. On one that does not the server is not asked for
// routes, and names are asked of the system alone.
type tunnelPlatform interface {
	// ListenDHCP opens UDP port 68 on one interface, for broadcasts too.
	ListenDHCP(link string) (net.PacketConn, error)
	// DialName connects to a name server; network is "udp4" or "tcp4".
	DialName(ctx context.Context, link, network string, server netip.AddrPort) (net.Conn, error)
}

// ListenDHCP opens UDP port 68 on one interface. DHCP clients of other
// interfaces do not get in the way where they allow the port to be shared, as
// the usual ones do.
func (Linux) ListenDHCP(link string) (net.PacketConn, error) {
	lc := net.ListenConfig{Control: onLink(link, syscall.SO_REUSEADDR, syscall.SO_BROADCAST)}
	return lc.ListenPacket(context.Background(), "udp4", ":68")
}

// DialName connects out of one interface.
func (Linux) DialName(ctx context.Context, link, network string, server netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Control: onLink(link)}
	return d.DialContext(ctx, network, server.String())
}

// onLink binds a socket to an interface and sets options of it.
func onLink(link string, options ...int) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var inner error
		err := c.Control(func(fd uintptr) {
			inner = syscall.BindToDevice(int(fd), link)
			for _, o := range options {
				if inner == nil {
					inner = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, o, 1)
				}
			}
		})
		if err != nil {
			return err
		}
		return inner
	}
}
