package client

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"goppptp/internal/control"
	"goppptp/profiles"
	"goppptp/routing"
)

// Host names as routes: each address that a name stands for goes through the
// tunnel, and is asked for again when its time is over. A name that does not
// resolve any more keeps the addresses that it had.
const (
	holdMin      = 30 * time.Second // whatever a name server says
	holdMax      = time.Hour
	holdUnknown  = 5 * time.Minute // for names of which nobody says how long they hold
	firstResolve = 4 * time.Second // for the names of a profile before it is up
	maxLookups   = 8               // at a time
)

// A resolution is what a name stands for.
type resolution struct {
	addrs []netip.Addr // sorted
	until time.Time    // then it is asked for again
	err   error        // of the last try; addrs are from before
}

// A ttlResolver is a Platform that knows how long a name's addresses hold.
type ttlResolver interface {
	ResolveTTL(ctx context.Context, host string) ([]netip.Addr, time.Duration, error)
}

// ResolveTTL asks the system's resolver, which knows of /etc/hosts and the
// like, and the name servers for how long the answer holds; 0: not known.
func (l Linux) ResolveTTL(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	addrs, err := l.Resolve(ctx, host)
	if err != nil {
		return nil, 0, err
	}
	var d net.Dialer
	dial := func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
		return d.DialContext(ctx, network, server.String())
	}
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	_, ttl, err := askServers(ctx, dial, systemServers(resolvConf), host)
	if err != nil {
		ttl = 0
	}
	return addrs, ttl, nil
}

// lookup asks who is responsible for host: the tunnel's name servers, through
// the tunnel, where dns says so, or else the system.
func (s *Session) lookup(ctx context.Context, host string) (addrs []netip.Addr, ttl time.Duration, err error) {
	p := s.cfg.Profile
	s.mu.Lock()
	link, servers := s.routes.Link, s.servers
	s.mu.Unlock()
	through, can := s.cfg.Platform.(tunnelPlatform)
	ours := p.DNS == profiles.DNSUse || p.DNS == profiles.DNSSplit && within(host, p.Domains)
	if can && ours && link != "" && len(servers) > 0 {
		dial := func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
			return through.DialName(ctx, link, network, server)
		}
		var list []netip.AddrPort
		for _, a := range servers {
			list = append(list, netip.AddrPortFrom(a, 53))
		}
		return askServers(ctx, dial, list, host)
	}
	if r, ok := s.cfg.Platform.(ttlResolver); ok {
		return r.ResolveTTL(ctx, host)
	}
	addrs, err = s.cfg.Platform.Resolve(ctx, host)
	return addrs, 0, err
}

// resolve asks for hosts, several at a time. Of those that do not resolve the
// answers say why, and have the addresses of before.
func (s *Session) resolve(ctx context.Context, hosts []string) map[string]resolution {
	s.mu.Lock()
	before := s.dests.found
	s.mu.Unlock()
	var (
		mu  sync.Mutex
		out = map[string]resolution{}
		all sync.WaitGroup
		few = make(chan struct{}, maxLookups)
	)
	for _, host := range hosts {
		all.Go(func() {
			few <- struct{}{}
			defer func() { <-few }()
			addrs, ttl, err := s.lookup(ctx, host)
			r := settle(before[host], addrs, ttl, err, time.Now())
			if err != nil {
				s.log.Debug("a host name does not resolve", "host", host, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[host] = r
		})
	}
	all.Wait()
	return out
}

// settle makes a resolution of an answer.
func settle(before resolution, addrs []netip.Addr, ttl time.Duration, err error, now time.Time) resolution {
	var list []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() && len(list) < maxAddresses {
			list = append(list, a)
		}
	}
	if err == nil && len(list) == 0 {
		err = errNoAddress
	}
	if err != nil {
		return resolution{addrs: before.addrs, until: now.Add(holdMin), err: err}
	}
	if ttl == 0 {
		ttl = holdUnknown
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return resolution{addrs: slices.Compact(list), until: now.Add(min(max(ttl, holdMin), holdMax))}
}

// resolveFirst resolves the names that never were, for a limited time; the
// rest is done in the background.
func (s *Session) resolveFirst(ctx context.Context) error {
	s.mu.Lock()
	var hosts []string
	for _, n := range s.dests.names {
		if _, known := s.dests.found[n.host]; !known {
			hosts = append(hosts, n.host)
		}
	}
	s.mu.Unlock()
	if len(hosts) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, firstResolve)
	defer cancel()
	results := s.resolve(limited, hosts)
	return s.change(ctx, func(w *destinations) error {
		*w = w.resolved(results)
		return nil
	})
}

// keepNames asks for names again as their time comes, until ctx is done.
func (s *Session) keepNames(ctx context.Context) {
	for {
		now := time.Now()
		var due []string
		next := now.Add(holdMax)
		s.mu.Lock()
		for _, n := range s.dests.names {
			switch r := s.dests.found[n.host]; {
			case !r.until.After(now):
				due = append(due, n.host)
			case r.until.Before(next):
				next = r.until
			}
		}
		s.mu.Unlock()
		if len(due) > 0 {
			results := s.resolve(ctx, due)
			if ctx.Err() != nil {
				return
			}
			err := s.change(ctx, func(w *destinations) error {
				*w = w.resolved(results)
				return nil
			})
			if err != nil {
				s.log.Warn("the routes to hosts are as before", "error", err)
				s.delay(results)
			}
			continue
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.newNames:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// delay puts off names whose new addresses could not be used.
func (s *Session) delay(results map[string]resolution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := map[string]resolution{}
	for host := range results {
		r := s.dests.found[host]
		r.until = time.Now().Add(holdMin)
		late[host] = r
	}
	s.dests = s.dests.resolved(late)
}

// AddHost sends the addresses that a name stands for through the tunnel, now
// and after the next dialling, and keeps them current.
func (s *Session) AddHost(ctx context.Context, host string, metric int) error {
	s.mu.Lock()
	up := s.routes.Link != ""
	s.mu.Unlock()
	var results map[string]resolution
	if up {
		limited, cancel := context.WithTimeout(ctx, firstResolve)
		defer cancel()
		results = s.resolve(limited, []string{host})
		if r := results[host]; len(r.addrs) == 0 {
			return &control.Error{Reason: control.ReasonFailed, Text: fmt.Sprintf("%s does not resolve: %v; nothing was changed", host, explainName(r.err))}
		}
	}
	err := s.change(ctx, func(w *destinations) error {
		w.names = slices.DeleteFunc(slices.Clone(w.names), func(n namedHost) bool { return strings.EqualFold(n.host, host) })
		w.names = append(w.names, namedHost{host, metric})
		*w = w.resolved(results)
		return nil
	})
	select {
	case s.newNames <- struct{}{}:
	default:
	}
	return err
}

// DelHost takes a name's addresses out of the tunnel.
func (s *Session) DelHost(ctx context.Context, host string) error {
	return s.change(ctx, func(w *destinations) error {
		n := len(w.names)
		w.names = slices.DeleteFunc(slices.Clone(w.names), func(n namedHost) bool { return strings.EqualFold(n.host, host) })
		if len(w.names) == n {
			return s.notThere(host)
		}
		return nil
	})
}

// hostWarningsLocked says which names have no route, or may have the wrong one.
func (s *Session) hostWarningsLocked() (out []string) {
	for _, n := range s.dests.names {
		r, known := s.dests.found[n.host]
		switch {
		case !known && s.routes.Link == "":
		case r.err != nil && len(r.addrs) > 0:
			out = append(out, fmt.Sprintf("%s does not resolve any more: %v; it keeps the addresses it had", n.host, explainName(r.err)))
		case r.err != nil:
			out = append(out, fmt.Sprintf("%s does not resolve: %v; it has no route until it does", n.host, explainName(r.err)))
		}
		for _, a := range r.addrs {
			if a == s.routes.Gateway {
				out = append(out, fmt.Sprintf("%s is %v, the gateway's own address, which stays outside", n.host, a))
			} else if !routable(a, &s.routes) && a != s.routes.Peer {
				out = append(out, fmt.Sprintf("%s is %v, to which no route can lead through the tunnel", n.host, a))
			}
		}
	}
	return out
}

// explainName makes one plain clause of why a name does not resolve.
func explainName(err error) string {
	if e, ok := err.(*net.DNSError); ok {
		switch {
		case e.IsNotFound:
			return "no such host"
		case e.IsTimeout:
			return "no name server answered"
		}
		return e.Err
	}
	if err == context.DeadlineExceeded {
		return "no name server answered"
	}
	return err.Error()
}

// ResolveHosts resolves the host names of a profile as a session would, short
// of the tunnel's own name servers, for a plan.
func ResolveHosts(ctx context.Context, platform Platform, p *profiles.Profile) (routes []routing.Route, found []routing.Finding) {
	ctx, cancel := context.WithTimeout(ctx, firstResolve)
	defer cancel()
	for _, r := range p.HostRoutes() {
		if p.DNS == profiles.DNSUse || p.DNS == profiles.DNSSplit && within(r.Host, p.Domains) {
			found = append(found, routing.Finding{Severity: routing.Info, Code: routing.HostLater,
				Text: fmt.Sprintf("%s is resolved by the tunnel's name servers, once it is up", r.Host)})
			continue
		}
		addrs, err := platform.Resolve(ctx, r.Host)
		res := settle(resolution{}, addrs, 0, err, time.Now())
		if res.err != nil {
			found = append(found, routing.Finding{Severity: routing.Warning, Code: routing.HostUnresolved,
				Text: fmt.Sprintf("%s does not resolve: %v; it has no route until it does", r.Host, explainName(res.err)),
				Fix:  "check the name, or have the tunnel's name servers asked: dns: split"})
		}
		for _, a := range res.addrs {
			routes = append(routes, routing.Route{To: netip.PrefixFrom(a, a.BitLen()), Metric: r.Metric})
		}
	}
	return routes, found
}
