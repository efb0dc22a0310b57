package naive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Config is one end of the tunnel.
type Config struct {
	Server             bool // which of the two ends
	Local, Remote      netip.Addr
	Inner, InnerRemote netip.Addr // inside of the tunnel
	Name               string     // of the TUN device
}

// Run carries packets until ctx ends or something fails. ready is called when
// it does.
func Run(ctx context.Context, cfg Config, ready func()) error {
	conn, err := net.DialIP("ip4:47", &net.IPAddr{IP: cfg.Local.AsSlice()}, &net.IPAddr{IP: cfg.Remote.AsSlice()})
	if err != nil {
		return fmt.Errorf("naive: %w", err)
	}
	defer conn.Close()
	conn.SetReadBuffer(4 << 20)
	tun, err := openTUN(cfg)
	if err != nil {
		return err
	}
	defer tun.Close()
	send, receive := clientKey, serverKey
	if cfg.Server {
		send, receive = serverKey, clientKey
	}
	errs := make(chan error, 2)
	go func() { errs <- transmit(conn, tun, &sealer{chain: newChain(send)}) }()
	go func() { errs <- deliver(conn, tun, &opener{chain: newChain(receive)}) }()
	ready()
	running := 2
	select {
	case err = <-errs:
		running--
	case <-ctx.Done():
	}
	conn.Close()
	tun.Close()
	for range running {
		<-errs
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("naive: %w", err)
}

func transmit(conn *net.IPConn, tun *os.File, s *sealer) error {
	buf := make([]byte, 65536)
	for {
		n, err := tun.Read(buf)
		if err != nil {
			return err
		}
		out, err := s.seal(buf[:n])
		if err != nil {
			return err
		}
		// A full buffer or an unreachable peer costs this packet alone.
		if _, err := conn.Write(out); errors.Is(err, net.ErrClosed) {
			return err
		}
	}
}

func deliver(conn *net.IPConn, tun *os.File, o *opener) error {
	buf := make([]byte, 65536)
	for {
		n, _, err := conn.ReadFromIP(buf)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			continue // an ICMP message about a packet of ours
		}
		packet, err := o.open(buf[:n])
		if err != nil {
			continue
		}
		if _, err := tun.Write(packet); errors.Is(err, os.ErrClosed) {
			return err
		}
	}
}

// openTUN makes the device, without the header that offload needs.
func openTUN(cfg Config) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("naive: /dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(cfg.Name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err == nil {
		err = configure(cfg)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("naive: make %s: %w", cfg.Name, err)
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}

func configure(cfg Config) error {
	link, err := netlink.LinkByName(cfg.Name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(link, MTU); err != nil {
		return err
	}
	host := func(a netip.Addr) *net.IPNet {
		return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(32, 32)}
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: host(cfg.Inner), Peer: host(cfg.InnerRemote)}); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
