package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"goppptp/internal/control"
	"goppptp/internal/offload"
	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
)

// Surveyed is what a server agreed to, and what would be made of it.
type Surveyed struct {
	Routing routing.Config // Link is a name that need not be the one in the end
	DNS     []netip.Addr
	MTU     int
	Offered []control.OfferedRoute
}

// surveyWait is how long a server is waited for that is asked for routes.
const surveyWait = 3 * time.Second

// Survey connects as a Session does and hangs up again, without a change of
// this machine: there is no interface, no route, no name server and no hook.
// The profile's host names are left out. cfg.Routes, DNS and OnEvent do not count.
func Survey(ctx context.Context, cfg Config) (*Surveyed, error) {
	p := *cfg.Profile
	p.OnUp, p.OnDown, p.OnChange, p.DNS, p.Reconnect, p.Routes = nil, nil, nil, profiles.DNSKeep, false, nil
	for _, r := range cfg.Profile.Routes {
		if r.Host == "" {
			p.Routes = append(p.Routes, r)
		}
	}
	if cfg.Platform == nil {
		cfg.Platform = Linux{}
	}
	cfg.Profile, cfg.Platform, cfg.Routes, cfg.DNS = &p, &surveyor{Platform: cfg.Platform}, unrouted{}, nil
	var ups sync.Mutex
	up, asked := 0, make(chan struct{})
	cfg.OnEvent = func(e control.Event) {
		// The second time it is up it has asked for routes.
		if e.Type == control.EventState && e.Status != nil && e.Status.State == control.StateUp {
			ups.Lock()
			defer ups.Unlock()
			if up++; up == 2 {
				close(asked)
			}
		}
	}
	s := New(cfg)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, done := s.Ready(), make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case err := <-done:
		if err == nil {
			err = context.Cause(ctx)
		}
		return nil, err
	case <-ready:
	}
	select {
	case <-asked:
	case <-time.After(surveyWait):
	case err := <-done:
		return nil, err
	}
	s.mu.Lock()
	out := &Surveyed{Routing: s.routes, DNS: s.servers, MTU: s.status.MTU, Offered: s.status.RoutesOffered}
	s.mu.Unlock()
	cancel()
	return out, <-done
}

// unrouted is an applier that leaves the routes alone.
type unrouted struct{}

func (unrouted) Set(context.Context, *routing.Config) error { return nil }
func (unrouted) Close() error                               { return nil }

// A surveyor is a Platform whose tunnels end in this program.
type surveyor struct {
	Platform
	tun *surveyTUN
}

// OpenTUN makes no interface.
func (p *surveyor) OpenTUN(cfg osnet.TUNConfig) (tunnel.TUN, error) {
	p.tun = &surveyTUN{local: cfg.Local, out: make(chan []byte, 8), in: make(chan []byte, 8), closed: make(chan struct{})}
	return p.tun, nil
}

// ListenDHCP opens port 68 at the end of the tunnel.
func (p *surveyor) ListenDHCP(string) (net.PacketConn, error) {
	return &surveyConn{surveyTUN: p.tun, moved: make(chan struct{})}, nil
}

// DialName is not needed: no names are resolved.
func (p *surveyor) DialName(context.Context, string, string, netip.AddrPort) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

// A surveyTUN is the near end of a tunnel that only DHCP goes through.
type surveyTUN struct {
	local   netip.Addr
	out, in chan []byte // whole packets; what UDP port 68 received
	once    sync.Once
	closed  chan struct{}

	readyMu sync.Mutex
	ready   func() // readyMu guards; called when there is something to read
}

func (t *surveyTUN) ReadFrame(b []byte) (int, error) {
	select {
	case <-t.closed:
		return 0, os.ErrClosed
	default:
	}
	select {
	case p := <-t.out:
		clear(b[:offload.HeaderLen])
		return offload.HeaderLen + copy(b[offload.HeaderLen:], p), nil
	default:
		return 0, nil
	}
}

func (t *surveyTUN) WhenReadable(ready func()) error {
	t.readyMu.Lock()
	t.ready = ready
	t.readyMu.Unlock()
	select {
	case <-t.closed:
		t.tell()
	default:
		if len(t.out) > 0 {
			t.tell()
		}
	}
	return nil
}

// Linger does not wait.
func (t *surveyTUN) Linger(time.Duration) (bool, error) { return false, nil }

// tell calls ready, once.
func (t *surveyTUN) tell() {
	t.readyMu.Lock()
	ready := t.ready
	t.ready = nil
	t.readyMu.Unlock()
	if ready != nil {
		ready()
	}
}

func (t *surveyTUN) WriteFrame(parts [][]byte) error {
	if payload, ok := udpTo(bytes.Join(parts, nil)[offload.HeaderLen:], dhcpv4.ClientPort); ok {
		select {
		case t.in <- append([]byte(nil), payload...):
		default: // as a socket that nobody reads
		}
	}
	return nil
}

func (t *surveyTUN) Offload() (tcp, udp bool) { return false, false }
func (t *surveyTUN) Name() string             { return "ppp0" }
func (t *surveyTUN) Close() error {
	t.once.Do(func() {
		close(t.closed)
		t.tell()
	})
	return nil
}

// udpTo returns what an IPv4 packet carries to a UDP port.
func udpTo(p []byte, port uint16) (payload []byte, ok bool) {
	if len(p) < 28 || p[0]>>4 != 4 || p[9] != 17 || p[6]&0x3f != 0 || p[7] != 0 {
		return nil, false
	}
	head := int(p[0]&15) * 4
	if head < 20 || len(p) < head+8 || binary.BigEndian.Uint16(p[head+2:]) != port {
		return nil, false
	}
	length := int(binary.BigEndian.Uint16(p[head+4:]))
	if length < 8 || head+length > len(p) {
		return nil, false
	}
	return p[head+8 : head+length], true
}

// udpPacket makes an IPv4 packet from the client's DHCP port to the server's.
func udpPacket(from, to netip.Addr, payload []byte) []byte {
	p := make([]byte, 28, 28+len(payload))
	p[0], p[8], p[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(p[2:], uint16(28+len(payload)))
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(p[20:], dhcpv4.ClientPort)
	binary.BigEndian.PutUint16(p[22:], dhcpv4.ServerPort)
	binary.BigEndian.PutUint16(p[24:], uint16(8+len(payload))) // no checksum: RFC 768 allows that
	return append(p, payload...)
}

// A surveyConn is UDP port 68 of a surveyTUN.
type surveyConn struct {
	*surveyTUN
	mu       sync.Mutex
	deadline time.Time     // mu guards
	moved    chan struct{} // mu guards; closed when the deadline becomes another
}

func (c *surveyConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		c.mu.Lock()
		deadline, moved := c.deadline, c.moved
		c.mu.Unlock()
		var over <-chan time.Time
		if !deadline.IsZero() {
			over = time.After(time.Until(deadline))
		}
		select {
		case p := <-c.in:
			return copy(b, p), &net.UDPAddr{Port: dhcpv4.ServerPort}, nil
		case <-over:
			return 0, nil, os.ErrDeadlineExceeded
		case <-c.closed:
			return 0, nil, net.ErrClosed
		case <-moved:
		}
	}
}

func (c *surveyConn) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("write to %v: %w", to, errors.ErrUnsupported)
	}
	select {
	case c.out <- udpPacket(c.local, addr.AddrPort().Addr().Unmap(), b):
		c.tell()
		return len(b), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *surveyConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	close(c.moved)
	c.moved = make(chan struct{})
	return nil
}

// Close leaves the tunnel open: it is its session's.
func (c *surveyConn) Close() error { return nil }

func (c *surveyConn) LocalAddr() net.Addr                { return &net.UDPAddr{Port: dhcpv4.ClientPort} }
func (c *surveyConn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *surveyConn) SetWriteDeadline(t time.Time) error { return nil }
