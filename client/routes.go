package client

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"goppptp/internal/control"
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
	return s.changeRoutes(ctx, func(routes []routing.Route) ([]routing.Route, error) {
		routes = slices.DeleteFunc(routes, func(have routing.Route) bool { return have.To == r.To })
		return append(routes, r), nil
	})
}

// DelRoute takes a subnet out of the tunnel.
func (s *Session) DelRoute(ctx context.Context, to netip.Prefix) error {
	return s.changeRoutes(ctx, func(routes []routing.Route) ([]routing.Route, error) {
		n := len(routes)
		routes = slices.DeleteFunc(routes, func(have routing.Route) bool { return have.To == to })
		if len(routes) == n {
			return nil, &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("%v does not go through the tunnel of %s", to, s.cfg.Profile.Name)}
		}
		return routes, nil
	})
}

func (s *Session) changeRoutes(ctx context.Context, change func([]routing.Route) ([]routing.Route, error)) error {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.mu.Lock()
	cfg, up := s.routes, s.status.State == control.StateUp
	s.mu.Unlock()
	routes, err := change(slices.Clone(cfg.Routes))
	if err != nil {
		return err
	}
	cfg.Routes = routes
	if up {
		if err := s.cfg.Routes.Set(ctx, &cfg); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.routes.Routes = routes
	if up {
		s.showRoutesLocked()
	}
	s.mu.Unlock()
	s.publishState()
	return nil
}

// showRoutesLocked puts the routes that are in into the status, and what is to
// be known about them. An applier that keeps its plan says what it really did;
// of another the routes asked for are shown.
func (s *Session) showRoutesLocked() {
	st := &s.status
	st.Routes, st.Warnings = []control.Route{}, unsupported(s.cfg.Profile)
	planner, ok := s.cfg.Routes.(interface{ Last() *routing.Plan })
	if !ok || planner.Last() == nil {
		for _, r := range s.routes.Routes {
			metric := r.Metric
			if metric == 0 {
				metric = s.routes.Metric
			}
			st.Routes = append(st.Routes, control.Route{To: r.To, Metric: metric, Via: s.routes.Peer, Dev: s.routes.Link})
		}
		return
	}
	plan := planner.Last()
	peer := netip.PrefixFrom(s.routes.Peer, s.routes.Peer.BitLen())
	for _, r := range plan.Own {
		if r.Dev == s.routes.Link && r.To != peer {
			st.Routes = append(st.Routes, control.Route{To: r.To, Metric: r.Metric, Via: r.Via, Dev: r.Dev})
		}
	}
	for _, f := range plan.Findings {
		if f.Severity != routing.Info {
			text := f.Text
			if f.Fix != "" {
				text += "; " + f.Fix
			}
			st.Warnings = append(st.Warnings, text)
		}
	}
}
