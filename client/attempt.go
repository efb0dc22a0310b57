package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/tunnel"
)

// attempt dials once and stays until the tunnel is gone. It reports whether it
// was up, and why it ended; nil means that the server ended it in an orderly
// way, or that ctx was done.
func (s *Session) attempt(ctx context.Context) (wasUp bool, err error) {
	p := s.cfg.Profile
	s.stage(control.StageResolve, p.Gateway)
	addrs, err := s.addresses(ctx)
	if err != nil {
		return false, err
	}
	// Every address of the name is tried; what is wrong beyond TCP would be
	// wrong at the next one too.
	for _, addr := range addrs {
		wasUp, err = s.dial(ctx, netip.AddrPortFrom(addr.Unmap(), p.Port))
		if e, ok := errors.AsType[*control.Error](err); !ok || e.Reason != control.ReasonUnreachable {
			break
		}
	}
	return wasUp, err
}

// addresses returns what to dial, by preference. Where name servers cannot be
// asked, or there is no time for that, it is what was dialled before.
func (s *Session) addresses(ctx context.Context) ([]netip.Addr, error) {
	known, now := s.knownGateway()
	if now {
		return []netip.Addr{known}, nil
	}
	addrs, err := resolve(ctx, s.cfg.Platform, s.cfg.Profile.Gateway)
	if err != nil && known.IsValid() && ctx.Err() == nil {
		s.log.Warn("dialling the gateway's address of before", "address", known, "error", err)
		return []netip.Addr{known}, nil
	}
	return addrs, err
}

func resolve(ctx context.Context, platform Platform, host string) ([]netip.Addr, error) {
	addrs, err := platform.Resolve(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no IPv4 address")
	}
	if err != nil {
		return nil, explainResolve(host, err)
	}
	return addrs, nil
}

// ResolveGateway returns the address that a session to host dials first.
func ResolveGateway(ctx context.Context, platform Platform, host string) (netip.Addr, error) {
	addrs, err := resolve(ctx, platform, host)
	if err != nil {
		return netip.Addr{}, err
	}
	return addrs[0].Unmap(), nil
}

// up makes the routes and what goes with them, and says that it is up.
func (s *Session) up(ctx context.Context, up tunnel.Up) error {
	n := up.Network
	s.stage(control.StageRoutes, fmt.Sprintf("%v, peer %v, on %s", n.Local, n.Peer, up.Interface))
	s.setting.Lock()
	err := s.enterLocked(ctx, up)
	s.setting.Unlock()
	if err != nil {
		return err
	}
	s.setServers(n.DNS)
	s.setResolver(ctx)
	if err := s.resolveFirst(ctx); err != nil {
		s.log.Warn("the host names of the profile have no routes", "error", err)
	}
	if err := s.runOnUp(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	st := &s.status
	st.State, st.Stage, st.Error, st.Since, st.Attempt = control.StateUp, control.StageUp, nil, time.Now(), 0
	st.Interface, st.Local, st.Peer, st.MTU = up.Interface, n.Local, n.Peer, n.MTU
	s.showRoutesLocked()
	s.wasUp = true
	if !s.isReadyLocked() {
		close(s.ready)
	}
	s.mu.Unlock()
	s.publishState()
	return nil
}

// randomCallID returns a call ID that another call to the same gateway, from
// this host or from behind the same NAT, is unlikely to have.
func randomCallID() uint16 {
	var b [2]byte
	for {
		rand.Read(b[:])
		if id := binary.BigEndian.Uint16(b[:]); id != 0 {
			return id
		}
	}
}
