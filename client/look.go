package client

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"goppptp/internal/control"
	"goppptp/routing"
)

// look sets the routes anew and takes in the view. It reports whether it had to
// put right what somebody else had undone.
func (s *Session) look(ctx context.Context, network networkPlatform) (mended bool) {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.rejudgeLocked()
	s.mu.Lock()
	routes, is, failed := s.routes, s.net.view, s.net.failed
	s.mu.Unlock()
	if !routes.Gateway.IsValid() {
		return false // not dialled yet
	}
	before := s.planned()
	err := s.cfg.Routes.Set(ctx, &routes)
	if ctx.Err() != nil {
		return false
	}
	var put []string
	if err == nil && before != nil && !failed {
		put = putBack(before.Own, s.planned(), routes.Gateway, is.lost)
	}
	noPath, conflict := (*routing.NoPathError)(nil), (*routing.ConflictError)(nil)
	switch {
	case errors.As(err, &noPath):
	case errors.As(err, &conflict):
		s.log.Warn("the routes cannot stay in this network", "error", err)
	case err != nil: // what comes next may be better
		s.log.Warn("cannot set the routes anew", "error", err)
	}
	failed = err != nil && noPath == nil
	is.lost = noPath != nil
	if !is.lost {
		if p, err := network.Path(routes.Gateway); err == nil {
			is.path = p
		} else {
			is.lost = errors.As(err, &noPath)
		}
	}
	if is.local.IsValid() {
		if has, err := network.HasAddress(is.local); err == nil {
			is.gone = !has
		}
	}
	found, other := news(before, s.planned())
	s.see(sight{is, conflict, put, found, failed, other})
	return len(put) > 0
}

// news lists what after has found and before has not; other reports whether
// there is anything else in which they differ.
func news(before, after *routing.Plan) (found []routing.Finding, other bool) {
	if before == nil || after == nil {
		return nil, before != after
	}
	for _, f := range after.Findings {
		if f.Severity != routing.Info && !slices.Contains(before.Findings, f) {
			found = append(found, f)
		}
	}
	return found, len(after.Ops) > 0 || !slices.Equal(before.Findings, after.Findings)
}

// planned returns the applier's latest plan, nil where it keeps none.
func (s *Session) planned() *routing.Plan {
	if p, ok := s.cfg.Routes.(interface{ Last() *routing.Plan }); ok {
		return p.Last()
	}
	return nil
}

// A sight is what look has seen.
type sight struct {
	view     view
	conflict *routing.ConflictError // nil: none
	put      []string               // the routes that were put back
	found    []routing.Finding      // that are new
	failed   bool                   // the routes could not be set
	other    bool                   // the plan is another one
}

// see takes in what look has seen.
func (s *Session) see(is sight) {
	s.mu.Lock()
	n := &s.net
	was := n.view
	if is.view.local != was.local { // a call has begun or ended meanwhile
		is.view.local, is.view.gone = was.local, false
	}
	moved := is.view != was || (is.conflict != nil) != (n.conflict != nil)
	n.view, n.conflict, n.failed = is.view, is.conflict, is.failed
	if moved {
		signal(n.changed)
		if n.abandon != nil {
			n.abandon(errMoved)
		}
	}
	for _, p := range is.put {
		n.mended = append(n.mended, fmt.Sprintf("%s: somebody else took this route away; put back at %s", p, time.Now().Format(time.TimeOnly)))
	}
	n.mended = n.mended[max(0, len(n.mended)-maxMended):]
	tells := s.status.State == control.StateUp && (moved || is.other)
	if tells {
		s.showRoutesLocked()
	}
	s.mu.Unlock()
	for _, p := range is.put {
		s.log.Warn("somebody else took a route away, put back", "route", p)
		s.note("somebody else took this route away, it is put back: " + p)
	}
	if text := tell(was, is.view); text != "" {
		s.log.Info("network", "now", text)
		s.note(text)
	}
	for _, f := range is.found {
		if tells && f.Code != routing.GatewayNoPath && f.Severity == routing.Warning {
			s.note(findingText(f))
		}
	}
	if tells {
		s.publishState()
	}
}

const maxMended = 8 // repairs that the status tells of

// putBack lists what plan has added although it was in before: another has
// deleted it. The gateway's route goes by itself with its link, and moves.
func putBack(before []routing.Entry, plan *routing.Plan, gateway netip.Addr, wasLost bool) (out []string) {
	had := map[string]bool{}
	for _, e := range before {
		had[e.String()] = true
	}
	for _, op := range plan.Ops {
		if op.Verb == routing.Delete || !had[op.Route.String()] {
			continue
		}
		if wasLost && op.Route.To.Addr() == gateway {
			continue
		}
		out = append(out, op.Route.String())
	}
	return out
}

// networkWarningsLocked is what the status tells of the network.
func (s *Session) networkWarningsLocked() (warnings []string) {
	if s.net.view.lost {
		warnings = append(warnings, "no route leads to the gateway: waiting for the network")
	}
	return append(warnings, s.net.mended...)
}
