package scale

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"goppptp/internal/mschap"
	"goppptp/internal/osnet"
	"goppptp/test/bench/load/generator"
)

// Addresses of a place: the ends of the cable, the clients' (all of this prefix
// are the generator's host's), the server's end of every tunnel, and the first of
// the clients' inside.
var (
	ServerAddr = netip.MustParseAddr("192.0.2.1")
	clientAddr = netip.MustParseAddr("192.0.2.2")
	clientNet  = netip.MustParsePrefix("10.64.0.0/15")
	tunnelAddr = netip.MustParseAddr("10.63.255.254")
	poolFirst  = netip.MustParseAddr("10.128.0.1")
)

// A namespace is a network namespace; it lives as long as its file is open.
type namespace struct{ file *os.File }

// away runs f with its goroutine's thread free to change its namespace.
func away(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err) // the thread would go on in the wrong network
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

func newNamespace() (*namespace, error) {
	n := &namespace{}
	err := away(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if n.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		for _, name := range []string{"all", "default"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/rp_filter", []byte("0"), 0); err != nil {
				return err
			}
		}
		// No neighbour discovery on the cable; the server sees to its interfaces
		// itself. Kernels without IPv6 have no such thing.
		return upLink("lo")
	})
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *namespace) close() {
	if n != nil && n.file != nil {
		n.file.Close()
	}
}

// do runs f in the namespace; sockets that it opens stay there.
func (n *namespace) do(f func() error) error {
	return away(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

func upLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// A Place is two hosts and a cable: a server's, and that of all its clients.
type Place struct {
	Dir     string // for files
	Program string // goppptp
	server  *namespace
	client  *namespace
}

// NewPlace makes one. It needs root.
func NewPlace(dir, program string) (_ *Place, err error) {
	p := &Place{Dir: dir, Program: program}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if p.server, err = newNamespace(); err != nil {
		return nil, err
	}
	if p.client, err = newNamespace(); err != nil {
		return nil, err
	}
	return p, p.cable()
}

func (p *Place) cable() error {
	end := func(addr netip.Addr) error {
		os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0)
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(addr, 30))}); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	}
	err := p.client.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = "eth0", 1500
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerMTU: 1500,
			PeerNamespace: netlink.NsFd(int(p.server.file.Fd()))})
	})
	if err != nil {
		return fmt.Errorf("make a cable: %w", err)
	}
	if err := p.client.do(func() error { return end(clientAddr) }); err != nil {
		return err
	}
	if err := p.server.do(func() error { return end(ServerAddr) }); err != nil {
		return err
	}
	// All of the clients' addresses are this host's own, without being given to
	// it one by one.
	err = p.client.do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: ipNet(clientNet), Table: unix.RT_TABLE_LOCAL,
			Type: unix.RTN_LOCAL, Scope: unix.RT_SCOPE_HOST})
	})
	if err != nil {
		return fmt.Errorf("route the clients' addresses: %w", err)
	}
	return p.server.do(func() error {
		return netlink.RouteAdd(&netlink.Route{Dst: ipNet(clientNet), Gw: clientAddr.AsSlice()})
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Close takes it away.
func (p *Place) Close() {
	if p == nil {
		return
	}
	p.server.close()
	p.client.close()
}

// password is everybody's.
const password = "scale"

func userName(i int) string { return fmt.Sprintf("user%05d", i) }

// Generator makes a generator in the clients' host, each session of which has an
// address of its own.
func (p *Place) Generator() (*generator.Generator, error) {
	var g *osnet.GRE
	err := p.client.do(func() (err error) {
		g, err = osnet.ListenGRE()
		return err
	})
	if err != nil {
		return nil, err
	}
	hash := mschap.NTPasswordHash(password)
	first := clientNet.Addr().As4()
	return generator.New(generator.Config{
		Server: ServerAddr,
		Dial:   p.dial,
		GRE:    g,
		Source: func(i int) netip.Addr {
			n := uint32(first[0])<<24 + uint32(first[1])<<16 + uint32(i) + 1
			return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		},
		User: func(i int) (string, mschap.NTHash) { return userName(i), hash },
	}), nil
}

func (p *Place) dial(ctx context.Context, source netip.Addr) (conn net.Conn, err error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source.AsSlice()}, KeepAlive: -1,
		// No port is chosen before connect, where that of another source will do.
		Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			cerr := c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			})
			return errors.Join(err, cerr)
		}}
	err = p.client.do(func() error {
		conn, err = d.DialContext(ctx, "tcp4", netip.AddrPortFrom(ServerAddr, 1723).String())
		return err
	})
	return conn, err
}

// Outside opens a UDP socket on the server's host, at the addresses of all its
// ends of tunnels.
func (p *Place) Outside(ctx context.Context) (*generator.Outside, error) {
	var conn *net.UDPConn
	err := p.server.do(func() (err error) {
		// Room for what comes while this process does not run: past the limits of
		// the system, which root may.
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			cerr := c.Control(func(fd uintptr) {
				err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20))
			})
			return errors.Join(err, cerr)
		}}
		c, err := lc.ListenPacket(ctx, "udp4", fmt.Sprintf(":%d", generator.Port))
		if err == nil {
			conn = c.(*net.UDPConn)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return generator.NewOutside(conn), nil
}

// outside is where clients reach it: at the server's end of their tunnel.
var outside = netip.AddrPortFrom(netip.Addr{}, generator.Port)

// RaiseFiles lets this process, and those it starts, have as many open files as
// the machine allows; a server has two for each session.
func RaiseFiles() error {
	most := uint64(1 << 20)
	if text, err := os.ReadFile("/proc/sys/fs/nr_open"); err == nil {
		fmt.Sscan(string(text), &most)
	}
	err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: most})
	if err != nil { // without root: up to what is allowed
		var have syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &have); err != nil {
			return err
		}
		have.Cur = have.Max
		return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &have)
	}
	return nil
}
