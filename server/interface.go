package server

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
)

// openTUN makes the client's interface and what belongs to it.
func (s *session) openTUN(n tunnel.Network) (tunnel.TUN, error) {
	p := s.srv.policy.Load()
	s.mu.Lock()
	want, account := s.address, s.account
	s.mu.Unlock()
	if n.Peer != want {
		return nil, fmt.Errorf("the client insists on the address %v; %v is its own", n.Peer, want)
	}
	if p.cfg.MTU > 0 {
		n.MTU = min(n.MTU, p.cfg.MTU)
	}
	t, err := s.srv.plat.OpenTUN(osnet.TUNConfig{Name: "ppp%d", Local: n.Local, Peer: n.Peer, MTU: n.MTU,
		PeerRoute: true, LocalID6: n.Local6, PeerID6: n.Peer6, Lean: true, NoIPv6Record: s.srv.isLarge()})
	if err != nil {
		return nil, err
	}
	iface := &clientInterface{TUN: t}
	iface.setUp(s.ctl.log.With("interface", t.Name(), "user", account), s.srv, p, n.Local, n.Peer, account)
	return iface, nil
}

// clientInterface is a client's interface with what goes when it goes.
type clientInterface struct {
	TUN
	undo []func()
	once sync.Once
	err  error
}

// setUp does what the policy wants of the interface. What fails is logged; the
// session goes on without it.
func (i *clientInterface) setUp(log *slog.Logger, srv *Server, p *policy, local, peer netip.Addr, account string) {
	if p.cfg.Forward {
		if _, err := srv.plat.SetForwarding(i.Name()); err != nil {
			log.Warn("no forwarding", "on", i.Name(), "reason", err)
		}
	}
	if p.cfg.ProxyARP != ProxyARPOff {
		remove, on, err := srv.plat.AddProxyARP(peer)
		switch {
		case err != nil:
			log.Warn("no proxy ARP", "address", peer.String(), "reason", err)
		case on == "" && p.cfg.ProxyARP == ProxyARPOn:
			log.Warn("no proxy ARP", "address", peer.String(), "reason", "no local subnet holds the address")
		case on != "":
			i.undo = append(i.undo, remove)
			log.Info("proxy ARP", "address", peer.String(), "on", on)
			if p.cfg.Forward {
				srv.forward(on) // the kernel answers only where it forwards
			}
		}
	}
	for _, r := range p.users.routes(account) {
		if err := i.AddRoute(r); err != nil {
			log.Error("no route to a subnet behind the client", "subnet", r.String(), "reason", err)
			continue
		}
		log.Info("route to a subnet behind the client", "subnet", r.String())
	}
	if len(p.cfg.PushRoutes) > 0 || p.cfg.Domain != "" {
		i.answerDHCP(log, srv.plat, p.cfg, local, peer)
	}
}

// Close takes everything back, and then the interface.
func (i *clientInterface) Close() error {
	i.once.Do(func() {
		for n := len(i.undo) - 1; n >= 0; n-- {
			i.undo[n]()
		}
		i.err = i.TUN.Close()
	})
	return i.err
}
