package client

import (
	"context"
	"net"
	"net/netip"
	"time"

	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
)

// A GRE is a raw socket for the GRE packets of one gateway; osnet.GRE is one.
type GRE interface {
	ReadBatch(packets []osnet.Packet) (int, error)
	WriteBatch(packets [][]byte, path osnet.Path) error
	Close() error
}

// A Platform is the operating system as a session needs it: Linux in
// production, memory in tests.
type Platform interface {
	// Resolve returns the IPv4 addresses of host, which may be an address.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
	// DialControl connects to the server's TCP port.
	DialControl(ctx context.Context, server netip.AddrPort) (net.Conn, error)
	// OpenGRE opens a socket that sends to remote and receives from it alone.
	OpenGRE(remote netip.Addr) (GRE, error)
	// OpenTUN makes the tunnel's interface.
	OpenTUN(cfg osnet.TUNConfig) (tunnel.TUN, error)
	// PathMTU returns the largest IP packet, in octets, for the way to remote.
	PathMTU(remote netip.Addr) (int, error)
}

// Linux is the Platform of the machine.
type Linux struct{}

const (
	resolveTimeout = 5 * time.Second
	dialTimeout    = 6 * time.Second
)

// Resolve asks the system's resolver.
func (Linux) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	return net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
}

// DialControl connects over TCP.
func (Linux) DialControl(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, "tcp4", server.String())
}

// OpenGRE opens a raw socket.
func (Linux) OpenGRE(remote netip.Addr) (GRE, error) {
	g, err := osnet.DialGRE(remote)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// OpenTUN makes a TUN device.
func (Linux) OpenTUN(cfg osnet.TUNConfig) (tunnel.TUN, error) {
	t, err := osnet.OpenTUN(cfg)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// PathMTU asks the route table.
func (Linux) PathMTU(remote netip.Addr) (int, error) { return osnet.PathMTU(remote) }
