package server

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// LimitError says that there is no room for another session: of one user, or,
// where User is empty, of the server.
type LimitError struct {
	User string
	Max  int
}

func (e *LimitError) Error() string {
	if e.User == "" {
		return fmt.Sprintf("the server has its %d sessions (max_sessions)", e.Max)
	}
	return fmt.Sprintf("user %q has its %d sessions", e.User, e.Max)
}

// roomForSession refuses a call when there is no room for its session anyway.
// Sessions that are not authenticated do not count: strangers lock nobody out.
func (srv *Server) roomForSession() error {
	limit := srv.policy.Load().cfg.MaxSessions
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.stopping {
		return errStopped
	}
	if limit > 0 && srv.active >= limit {
		return &LimitError{Max: limit}
	}
	return nil
}

// assign gives an authenticated user's session its addresses. What it says when
// it cannot is for the log and for the client.
func (srv *Server) assign(s *session, name string) (local, remote netip.Addr, err error) {
	local, remote, err = srv.tryAssign(s, name)
	if err != nil {
		srv.probeStale(s, err)
		srv.log.Warn("session refused", "client", s.ctl.peer.Addr().String(), "user", name, "reason", err)
	}
	return local, remote, err
}

func (srv *Server) tryAssign(s *session, name string) (local, remote netip.Addr, err error) {
	p := srv.policy.Load()
	entry, ok := p.users.find(name)
	if !ok {
		return local, remote, fmt.Errorf("user %q was removed", name)
	}
	account := entry.Name
	if account == wildcardUser {
		account = name
	}

	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.stopping {
		return local, remote, errStopped
	}
	if p.cfg.MaxSessions > 0 && srv.active >= p.cfg.MaxSessions {
		return local, remote, &LimitError{Max: p.cfg.MaxSessions}
	}
	if entry.Sessions > 0 && srv.perUser[account] >= entry.Sessions {
		return local, remote, &LimitError{User: account, Max: entry.Sessions}
	}
	remote, err = srv.takeRemote(entry, account, s)
	if err != nil {
		return netip.Addr{}, netip.Addr{}, err
	}
	local = p.cfg.Local[0]
	taken := netip.Addr{}
	if len(p.cfg.Local) > 1 { // one for each client, as with pptpd
		if local, err = srv.locals.Take("", s.holder(), netip.Addr{}, nil); err != nil {
			srv.pool.Release(remote)
			return netip.Addr{}, netip.Addr{}, errors.New("no free local address: give as many as remote, or one for all")
		}
		taken = local
	}
	srv.active++
	srv.perUser[account]++
	s.mu.Lock()
	s.account, s.address, s.local = account, remote, taken
	s.mu.Unlock()
	return local, remote, nil
}

// takeRemote takes the address that entry's user may have.
func (srv *Server) takeRemote(entry *User, account string, s *session) (netip.Addr, error) {
	if entry.Address.IsValid() {
		return srv.pool.Take(account, s.holder(), entry.Address, nil)
	}
	if entry.allowed == nil {
		return srv.pool.Take(account, s.holder(), netip.Addr{}, nil)
	}
	a, err := srv.pool.Take(account, s.holder(), netip.Addr{}, entry.allowed.permits)
	if err == nil {
		return a, nil
	}
	// Like pppd: an address that the user's line names need not be in the pool.
	hosts := entry.allowed.hosts()
	for _, h := range hosts {
		if a, err := srv.pool.Take(account, s.holder(), h, nil); err == nil {
			return a, nil
		}
	}
	if len(entry.allowed.rules) == 0 {
		return a, fmt.Errorf("%s gives user %q no address (a fourth word * would give any)", entry.from, account)
	}
	if !slices.ContainsFunc(srv.policy.Load().cfg.Remote, entry.allowed.permits) && len(hosts) == 0 {
		return a, fmt.Errorf("%s gives user %q none of the pool's addresses", entry.from, account)
	}
	return a, err
}

// holder is how messages call who has an address.
func (s *session) holder() string {
	return fmt.Sprintf("session %s from %s", s.id(), s.ctl.peer.Addr())
}

// release takes back what assign gave.
func (srv *Server) release(s *session) {
	s.mu.Lock()
	account, address, local := s.account, s.address, s.local
	s.account, s.address, s.local = "", netip.Addr{}, netip.Addr{}
	s.mu.Unlock()
	if account == "" {
		return
	}
	srv.pool.Release(address)
	if local.IsValid() {
		srv.locals.Release(local)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.active--
	if srv.perUser[account]--; srv.perUser[account] == 0 {
		delete(srv.perUser, account)
	}
}
