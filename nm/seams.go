package nm

import (
	"context"
	"net/netip"
	"sync"

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

// Set implements routing.Applier.
func (h *handover) Set(_ context.Context, cfg *routing.Config) error {
	h.mu.Lock()
	defer h.mu.Unlock()
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
