package client

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"goppptp/internal/control"
	"goppptp/internal/tunnel"
	"goppptp/routing"
)

// setRoutesLocked changes what is wanted of the route table, and carries it
// out. s.setting is held.
func (s *Session) setRoutesLocked(ctx context.Context, change func(*routing.Config)) error {
	s.mu.Lock()
	change(&s.routes)
	routes := s.routes
	s.mu.Unlock()
	return s.cfg.Routes.Set(ctx, &routes)
}

// AddRoute sends one more subnet through the tunnel, now and after the next
// dialling. One that is there already has its metric changed.
func (s *Session) AddRoute(ctx context.Context, r routing.Route) error {
	if r.To.Bits() == 0 {
		return &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("%v is everything: that is `default_route: true` in the profile", r.To),
			Hint: "set it there and connect anew, or add smaller subnets"}
	}
	return s.change(ctx, func(d *destinations) error {
		d.base = append(slices.DeleteFunc(slices.Clone(d.base), func(have routing.Route) bool { return have.To == r.To }), r)
		d.dropped = slices.DeleteFunc(slices.Clone(d.dropped), func(p netip.Prefix) bool { return p == r.To })
		return nil
	})
}

// DelRoute takes a subnet out of the tunnel: one of the profile, one that was
// added, or one that the server has pushed.
func (s *Session) DelRoute(ctx context.Context, to netip.Prefix) error {
	s.mu.Lock()
	pushed := slices.ContainsFunc(s.status.RoutesOffered, func(o control.OfferedRoute) bool { return o.Taken && o.To == to })
	s.mu.Unlock()
	return s.change(ctx, func(d *destinations) error {
		n := len(d.base)
		d.base = slices.DeleteFunc(slices.Clone(d.base), func(have routing.Route) bool { return have.To == to })
		if len(d.base) == n && !pushed {
			return s.notThere(to.String())
		}
		// What the server offers too does not come back by that way.
		d.dropped = append(slices.Clone(d.dropped), to)
		return nil
	})
}

func (s *Session) notThere(what string) error {
	return &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("%s is none of the routes of %s", what, s.cfg.Profile.Name)}
}

// enterLocked makes the routes of a tunnel that is there. s.setting is held.
func (s *Session) enterLocked(ctx context.Context, up tunnel.Up) error {
	n := up.Network
	st, err := s.readState()
	if err != nil {
		s.log.Warn("this machine's own networks are not known: the server's routes are not checked against them", "error", err)
	}
	s.mu.Lock()
	dests := s.dests
	if err == nil {
		dests.own = connected(st, up.Interface)
	}
	cfg := s.routes
	cfg.Link, cfg.Local, cfg.Peer = up.Interface, n.Local, n.Peer
	s.mu.Unlock()
	routes, offered := dests.routes(s.cfg.Profile, &cfg)
	if err := s.setRoutesLocked(ctx, func(r *routing.Config) {
		r.Link, r.Local, r.Peer, r.Routes = cfg.Link, cfg.Local, cfg.Peer, routes
	}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dests, s.inside = dests, true
	s.status.RoutesOffered = offered
	s.showRoutesLocked()
	return nil
}

// rejudgeLocked looks at the server's offers again where this machine is
// connected to other networks than before. s.setting is held; the caller sets
// the routes.
func (s *Session) rejudgeLocked() {
	s.mu.Lock()
	dests, cfg, inside := s.dests, s.routes, s.inside
	s.mu.Unlock()
	if !inside || len(dests.offers) == 0 {
		return
	}
	st, err := s.readState()
	if err != nil {
		return
	}
	own := connected(st, cfg.Link)
	if slices.Equal(own, dests.own) {
		return
	}
	dests.own = own
	routes, offered := dests.routes(s.cfg.Profile, &cfg)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dests, s.routes.Routes, s.status.RoutesOffered = dests, routes, offered
}

// change edits what is to go through the tunnel, and carries it out where the
// tunnel is up. When it fails, everything is as before.
func (s *Session) change(ctx context.Context, edit func(*destinations) error) error {
	s.setting.Lock()
	defer s.setting.Unlock()
	if s.closed {
		return &control.Error{Reason: control.ReasonUsage, Text: s.cfg.Profile.Name + " is not up"}
	}
	s.mu.Lock()
	dests, cfg, inside := s.dests, s.routes, s.inside
	s.mu.Unlock()
	if err := edit(&dests); err != nil {
		return err
	}
	routes, offered := dests.routes(s.cfg.Profile, &cfg)
	same := slices.Equal(routes, cfg.Routes)
	cfg.Routes = routes
	if (inside || cfg.Block && cfg.Gateway.IsValid()) && !same {
		if err := s.cfg.Routes.Set(ctx, &cfg); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.dests, s.routes.Routes = dests, routes
	if inside {
		s.status.RoutesOffered = offered
		s.showRoutesLocked()
	}
	tell := inside && !same && s.status.State == control.StateUp
	s.mu.Unlock()
	if tell {
		s.publishState()
		s.startHooks(context.WithoutCancel(ctx), onChange, s.cfg.Profile.OnChange, s.hookEnv())
	}
	return nil
}

// showRoutesLocked puts the routes that are in into the status, and what is to
// be known about them. An applier that keeps its plan says what it really did;
// of another the routes asked for are shown.
func (s *Session) showRoutesLocked() {
	st := &s.status
	st.Routes, st.Warnings = []control.Route{}, nil
	hosts := s.dests.hosts()
	planner, ok := s.cfg.Routes.(interface{ Last() *routing.Plan })
	var plan *routing.Plan
	if ok {
		plan = planner.Last()
	}
	if plan == nil {
		for _, r := range s.routes.Routes {
			metric := r.Metric
			if metric == 0 {
				metric = s.routes.Metric
			}
			st.Routes = append(st.Routes, control.Route{To: r.To, Metric: metric, Via: s.routes.Peer, Dev: s.routes.Link, Host: hosts[r.To]})
		}
	} else {
		peer := netip.PrefixFrom(s.routes.Peer, s.routes.Peer.BitLen())
		for _, r := range plan.Own {
			if r.Dev == s.routes.Link && r.To != peer {
				st.Routes = append(st.Routes, control.Route{To: r.To, Metric: r.Metric, Via: r.Via, Dev: r.Dev, Host: hosts[r.To]})
			}
		}
		for _, f := range plan.Findings {
			if f.Severity != routing.Info {
				st.Warnings = append(st.Warnings, findingText(f))
			}
		}
	}
	st.Warnings = append(st.Warnings, s.networkWarningsLocked()...)
	st.Warnings = append(st.Warnings, s.hostWarningsLocked()...)
	st.Warnings = append(st.Warnings, s.pushTrouble...)
	st.Warnings = append(st.Warnings, s.dnsTrouble...)
	for _, event := range []string{onUp, onChange, onDown} {
		if text := s.hooks.failed[event]; text != "" {
			st.Warnings = append(st.Warnings, text)
		}
	}
}
