package client

import (
	"context"
	"errors"
	"slices"
	"sync"

	"goppptp/internal/tunnel"
)

// attendants are what goes on beside a tunnel that is up: the server is asked
// for routes, and host names are kept current.
type attendants struct {
	s      *Session
	ctx    context.Context
	cancel context.CancelFunc // nil: none at work
	work   sync.WaitGroup
}

func (s *Session) attendants(ctx context.Context) *attendants { return &attendants{s: s, ctx: ctx} }

// start sets them to work, anew where the tunnel came up again with other
// addresses.
func (a *attendants) start(up tunnel.Up) {
	a.stop()
	ctx, cancel := context.WithCancel(a.ctx)
	a.cancel = cancel
	a.work.Go(func() { a.s.askForRoutes(ctx, up) })
	a.work.Go(func() { a.s.keepNames(ctx) })
}

func (a *attendants) stop() {
	if a.cancel != nil {
		a.cancel()
	}
	a.work.Wait()
	a.cancel = nil
}

// leave is the end of enterLocked's work: the tunnel has gone.
func (s *Session) leave(stats tunnel.Stats) {
	s.mu.Lock()
	s.inside = false
	s.mu.Unlock()
	s.revertResolver()
	s.endOnDown(stats)
}

// askForRoutes asks the server for routes and the like, and takes what the
// profile allows. A server that does not answer offers nothing.
func (s *Session) askForRoutes(ctx context.Context, up tunnel.Up) {
	through, ok := s.cfg.Platform.(tunnelPlatform)
	if !ok || !up.Network.Local.Is4() {
		return
	}
	conn, err := through.ListenDHCP(up.Interface)
	if err != nil {
		s.log.Warn("the server cannot be asked for routes", "error", err)
		return
	}
	answer, err := inform(ctx, conn, up.Network.Local)
	conn.Close()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if !errors.Is(err, errNoAnswer) {
			s.log.Warn("the server cannot be asked for routes", "error", err)
		} else {
			s.log.Debug(err.Error())
		}
		answer = &informed{} // what was offered before the tunnel was lost is offered no more
	} else {
		s.log.Info("the server answers DHCPINFORM", "routes", len(answer.offers), "dns", len(answer.dns), "domain", answer.domain)
	}
	s.mu.Lock()
	s.pushTrouble = nil
	for _, t := range answer.trouble {
		s.pushTrouble = append(s.pushTrouble, "the server: "+t)
	}
	s.status.DomainOffered = answer.domain
	servers := s.servers
	s.mu.Unlock()
	s.takeOffers(ctx, answer.offers)
	if len(servers) == 0 && len(answer.dns) > 0 {
		s.setServers(answer.dns)
	}
	s.setResolver(ctx)
	s.publishState()
}

// takeOffers takes of the offers what the profile allows. Where the kernel's
// table or the other routes forbid them, none is taken.
func (s *Session) takeOffers(ctx context.Context, offers []offer) {
	err := s.change(ctx, func(d *destinations) error {
		d.offers = offers
		return nil
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.Warn("the server's routes are not taken", "error", err)
	refused := slices.Clone(offers)
	for i := range refused {
		if refused[i].instead == "" {
			refused[i].instead = "it cannot be made: " + Explain(err).Text
		}
	}
	if err := s.change(ctx, func(d *destinations) error {
		d.offers = refused
		return nil
	}); err != nil && ctx.Err() == nil {
		s.log.Error("the routes cannot be set", "error", err)
	}
}
