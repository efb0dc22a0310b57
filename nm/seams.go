package nm

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
)

// handover fills the session's two seams: it makes interfaces without an
// address, and of the routes and addresses that a session wants it keeps a
// note, for NetworkManager to carry out.
type handover struct {
	client.Platform
	unit string // the interface's name, which may hold a %d

	mu     sync.Mutex
	before []routing.Entry // mu guards; what was there before the tunnel; nil: not known
	wanted routing.Config  // mu guards; the last that was set
	opened osnet.TUNConfig // mu guards; the last that was made
}

// OpenTUN makes the interface. NetworkManager gives it its addresses.
func (h *handover) OpenTUN(cfg osnet.TUNConfig) (tunnel.TUN, error) {
	h.mu.Lock()
	h.opened = cfg
	h.mu.Unlock()
	cfg.Name, cfg.Local, cfg.Peer = h.unit, netip.Addr{}, netip.Addr{}
	return h.Platform.OpenTUN(cfg)
}

// tunnelPlatform is what a client.Platform may do besides: send out of the
// tunnel's interface, whatever the routes say.
type tunnelPlatform interface {
	ListenDHCP(link string) (net.PacketConn, error)
	DialName(ctx context.Context, link, network string, server netip.AddrPort) (net.Conn, error)
}

var errNoTunnelPlatform = errors.New("nm: nothing can be sent out of the tunnel's interface here")

// addressTime is how long NetworkManager may take to give the interface its
// address. That it takes longer does no harm: questions are repeated.
const addressTime = time.Second

// ListenDHCP waits for the address, so that the question has the right sender.
func (h *handover) ListenDHCP(link string) (net.PacketConn, error) {
	p, ok := h.Platform.(tunnelPlatform)
	if !ok {
		return nil, errNoTunnelPlatform
	}
	h.mu.Lock()
	local := h.opened.Local
	h.mu.Unlock()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(addressTime); !hasAddress(link, local) && time.Now().Before(late); {
		<-tick.C
	}
	return p.ListenDHCP(link)
}

func hasAddress(link string, a netip.Addr) bool {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return false
	}
	addrs, _ := i.Addrs()
	for _, have := range addrs {
		if n, ok := have.(*net.IPNet); ok && n.IP.Equal(a.AsSlice()) {
			return true
		}
	}
	return false
}

// DialName connects to a name server in the tunnel.
func (h *handover) DialName(ctx context.Context, link, network string, server netip.AddrPort) (net.Conn, error) {
	p, ok := h.Platform.(tunnelPlatform)
	if !ok {
		return nil, errNoTunnelPlatform
	}
	return p.DialName(ctx, link, network, server)
}

// Set implements routing.Applier.
func (h *handover) Set(_ context.Context, cfg *routing.Config) error {
	var before []routing.Entry
	if cfg.Link == "" {
		if st, err := routing.ReadState(); err == nil {
			before = st.Routes
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if before != nil {
		h.before = before
	}
	h.wanted = *cfg
	h.wanted.Routes = append([]routing.Route(nil), cfg.Routes...)
	return nil
}

// Close implements routing.Applier. NetworkManager takes back what it made.
func (h *handover) Close() error { return nil }

// network returns what NetworkManager is to make of a session that is up.
func (h *handover) network(st *control.Status, c *profiles.NMConnection, p *profiles.Profile, ip6 bool) *network {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := &network{
		Interface: st.Interface, Gateway: h.wanted.Gateway, MTU: st.MTU,
		Local: st.Local, Peer: st.Peer, DefaultRoute: h.wanted.DefaultRoute,
		Domains: p.Domains,
	}
	if !n.Gateway.IsValid() {
		n.Gateway = st.GatewayAddress
	}
	if ip6 {
		n.Local6, n.Peer6 = h.opened.LocalID6, h.opened.PeerID6
	}
	if c.OffersDNS() {
		n.DNS = st.DNS
		if st.DomainOffered != "" && !slices.Contains(n.Domains, st.DomainOffered) {
			n.Domains = append(slices.Clone(n.Domains), st.DomainOffered)
		}
	}
	for _, r := range h.wanted.Routes {
		if r.To.Bits() == 0 {
			n.DefaultRoute = n.DefaultRoute || r.To.Addr().Is4()
			continue
		}
		n.Routes = append(n.Routes, r.To)
	}
	return n
}
