package server

import (
	"net"
	"net/netip"

	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
)

// GRE is the raw socket of all sessions; *osnet.GRE is one. One goroutine
// reads, any number write.
type GRE interface {
	ReadBatch(pkts []osnet.Packet) (int, error)
	WriteBatch(pkts [][]byte, p osnet.Path) error
	Close() error
}

// TUN is a client's network interface; *osnet.TUN is one.
type TUN interface {
	tunnel.TUN
	AddRoute(to netip.Prefix) error
}

// Platform is what the server needs of the operating system; tests have one in
// memory.
type Platform interface {
	// Check says what is missing to run a server, before anything is begun.
	Check() error
	ListenControl(addr string) (net.Listener, error)
	ListenGRE() (GRE, error)
	OpenTUN(cfg osnet.TUNConfig) (TUN, error)
	// SetForwarding and AddProxyARP are those of package osnet.
	SetForwarding(ifname string) (restore func(), err error)
	AddProxyARP(addr netip.Addr) (remove func(), ifname string, err error)
	// PathMTU is the MTU in octets of the way to remote.
	PathMTU(remote netip.Addr) (int, error)
	// ListenDHCP opens UDP port 67 on one interface, broadcasts included.
	ListenDHCP(ifname string) (net.PacketConn, error)
}

// linux is the Platform of production.
type linux struct{}

func (linux) Check() error { return osnet.CheckPrivileges() }

func (linux) ListenControl(addr string) (net.Listener, error) {
	// GRE is IPv4, and the calls of a connection go where it comes from.
	return osnet.ListenTCP(addr)
}

func (linux) ListenGRE() (GRE, error) {
	g, err := osnet.ListenGRE()
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (linux) OpenTUN(cfg osnet.TUNConfig) (TUN, error) {
	t, err := osnet.OpenTUN(cfg)
	if err != nil {
		return nil, err // not t: a nil *osnet.TUN is no nil TUN
	}
	return t, nil
}

func (linux) SetForwarding(ifname string) (func(), error) { return osnet.SetForwarding(ifname) }

func (linux) AddProxyARP(addr netip.Addr) (func(), string, error) { return osnet.AddProxyARP(addr) }

func (linux) PathMTU(remote netip.Addr) (int, error) { return osnet.PathMTU(remote) }
