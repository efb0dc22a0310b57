package client

import (
	"context"
	"fmt"
	"net/netip"

	"goppptp/internal/control"
	"goppptp/profiles"
	"goppptp/routing"
)

// A Resolver tells the system of the tunnel's name servers; routing.DNS is one.
type Resolver interface {
	// Set makes the system ask cfg's name servers. The same again changes
	// nothing. Findings are for the user.
	Set(ctx context.Context, cfg *routing.DNSConfig) ([]routing.Finding, error)
	// Close takes back what was set. Set may follow.
	Close() error
}

// setResolver tells the system of the tunnel's name servers, if the profile
// wants that. What does not work becomes a warning: names are not worth the tunnel.
func (s *Session) setResolver(ctx context.Context) {
	p := s.cfg.Profile
	if p.DNS == profiles.DNSKeep {
		return
	}
	s.mu.Lock()
	cfg := &routing.DNSConfig{Name: p.Name, Link: s.routes.Link, Servers: s.servers, Domains: p.Domains, All: p.DNS == profiles.DNSUse}
	if cfg.All && len(cfg.Domains) == 0 && s.status.DomainOffered != "" {
		cfg.Domains = []string{s.status.DomainOffered}
	}
	for _, r := range s.routes.Routes {
		cfg.Through = append(cfg.Through, r.To)
	}
	if s.routes.DefaultRoute {
		cfg.Through = append(cfg.Through, netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	}
	if s.routes.Peer.IsValid() {
		cfg.Through = append(cfg.Through, netip.PrefixFrom(s.routes.Peer, s.routes.Peer.BitLen()))
	}
	s.mu.Unlock()
	var trouble []string
	set := false
	if s.cfg.DNS == nil {
		trouble = []string{fmt.Sprintf("dns: %s is not carried out here: the resolver is as before", p.DNS)}
	} else {
		found, err := s.cfg.DNS.Set(ctx, cfg)
		set = err == nil
		if err != nil {
			s.log.Warn("the tunnel's name servers are not used", "error", err)
			trouble = []string{fmt.Sprintf("dns: %s: %v", p.DNS, err)}
		}
		for _, f := range found {
			trouble = append(trouble, "dns: "+findingText(f))
			set = set && f.Code != routing.DNSNone && f.Code != routing.DNSNoManager && f.Code != routing.DNSNoSplit
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dnsTrouble, s.status.Domains = trouble, nil
	if set {
		s.status.Domains = cfg.Domains
	}
	s.showRoutesLocked()
}

// revertResolver takes back what setResolver did.
func (s *Session) revertResolver() {
	if s.cfg.DNS == nil {
		return
	}
	if err := s.cfg.DNS.Close(); err != nil {
		s.log.Error("cannot take back the name servers", "error", err)
		s.note("the tunnel's name servers cannot be taken back: " + err.Error() + "; `goppptp repair` tries again")
	}
}

// findingText is a finding as status shows it.
func findingText(f routing.Finding) string {
	if f.Fix == "" {
		return f.Text
	}
	return f.Text + "; " + f.Fix
}

// setServers notes the name servers that the server names, where IPCP names
// none those of DHCP.
func (s *Session) setServers(servers []netip.Addr) {
	s.update(func(st *control.Status) { st.DNS = servers })
	s.mu.Lock()
	s.servers = servers
	s.mu.Unlock()
}
