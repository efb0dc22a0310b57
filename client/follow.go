package client

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/tunnel"
	"goppptp/routing"
)

// errMoved ends a call that cannot go on because this machine's network is
// another than when it was made.
var errMoved = errors.New("the network has changed")

// A following is a session's eye on the machine's network. The routes are set
// anew after each change, which moves the route to the gateway and puts back
// what somebody else has taken away; what that means for the call is decided
// by judge.
type following struct {
	changed chan struct{} // the view is another one
	resumed chan struct{} // the machine was suspended

	// s.mu guards the rest
	on       bool // changes are told
	view     view
	conflict *routing.ConflictError  // the routes would cut the user off in this network
	abandon  context.CancelCauseFunc // gives up dialling; nil: there is no dialling
	again    bool                    // the next attempt is made because the network has changed
	mended   []string                // what was put back, for the status
	failed   bool                    // the routes could not be set the last time
}

func newFollowing() following {
	return following{changed: make(chan struct{}, 1), resumed: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting
	}
}

// follow watches the network until stop, which returns when nobody looks any
// more.
func (s *Session) follow(ctx context.Context) (stop func()) {
	network, ok := s.cfg.Platform.(networkPlatform)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	if run, err := network.WatchNetwork(); err != nil {
		s.log.Warn("changes of the network are not seen", "error", err)
	} else {
		s.mu.Lock()
		s.net.on = true
		s.mu.Unlock()
		work.Go(func() {
			if err := run(ctx, func() bool { return s.look(ctx, network) }); err != nil {
				s.log.Warn("changes of the network are not seen any more", "error", err)
				s.mu.Lock()
				s.net.on, s.net.view.lost = false, false
				s.mu.Unlock()
				signal(s.net.changed)
			}
		})
	}
	work.Go(func() {
		err := network.WatchSleep(ctx, func(sleeping bool) {
			s.log.Info("suspend", "sleeping", sleeping)
			if !sleeping {
				signal(s.net.resumed)
			}
		})
		if err != nil {
			s.log.Debug("suspending is not seen", "error", err)
		}
	})
	return func() {
		cancel()
		work.Wait()
	}
}

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

// dialling returns a context that ends early when the way to the server
// changes, and what has then to be said.
func (s *Session) dialling(ctx context.Context, server netip.Addr) (_ context.Context, done func(error) error) {
	network, ok := s.cfg.Platform.(networkPlatform)
	if !ok {
		return ctx, func(err error) error {
			s.left()
			return err
		}
	}
	var is view
	var err error
	if is.path, err = network.Path(server); err != nil {
		_, is.lost = errors.AsType[*routing.NoPathError](err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.setting.Lock() // nobody looks meanwhile
	defer s.setting.Unlock()
	s.mu.Lock()
	s.net.view, s.net.conflict, s.net.abandon, s.net.again = is, nil, cancel, false
	s.mu.Unlock()
	s.drainNetwork()
	return ctx, func(err error) error {
		if context.Cause(ctx) == errMoved {
			err = errMoved
		}
		s.left()
		s.mu.Lock()
		s.net.abandon = nil
		s.net.view.local, s.net.view.gone = netip.Addr{}, false
		s.mu.Unlock()
		cancel(nil)
		return err
	}
}

// drainNetwork forgets what was told of before.
func (s *Session) drainNetwork() {
	for _, c := range []chan struct{}{s.net.changed, s.net.resumed} {
		select {
		case <-c:
		default:
		}
	}
}

// connectedFrom ends the dialling: from here on the call is judged.
func (c *call) connectedFrom(local netip.Addr) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.net.abandon = nil
	s.net.view.local = local.Unmap()
	c.seen = s.net.view
}

// moved does what a change of the network means for the call.
func (c *call) moved(sess *tunnel.Session, up bool) {
	s := c.s
	s.mu.Lock()
	was, is, conflict := c.seen, s.net.view, s.net.conflict
	c.seen = is
	s.mu.Unlock()
	if conflict != nil {
		sess.Abort(conflict)
		return
	}
	v, within := judge(was, is, up)
	s.log.Debug("the network has changed", "path", is.path, "lost", is.lost, "address gone", is.gone, "verdict", v)
	switch v {
	case probe:
		sess.Probe(within)
	case redial:
		s.log.Info("the call cannot go on in this network")
		sess.Abort(errMoved)
	}
}

// silent is told that the server does not answer a probe: the call is dead,
// unless that is no wonder.
func (c *call) silent(sess *tunnel.Session) {
	s := c.s
	s.mu.Lock()
	lost := s.net.view.lost
	s.mu.Unlock()
	if !lost {
		s.log.Info("the server is not heard any more the way the network is now")
		sess.Abort(errMoved)
	}
}

// left is told that the tunnel's interface has gone: what was made for it is
// not to be made again.
func (s *Session) left() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes.Link, s.routes.Local, s.routes.Peer, s.routes.IPv6 = "", netip.Addr{}, netip.Addr{}, false
}

// setAnew carries out what is wanted now of the routes.
func (s *Session) setAnew(ctx context.Context) {
	s.setting.Lock()
	defer s.setting.Unlock()
	if err := s.setRoutesLocked(ctx, func(*routing.Config) {}); err != nil {
		s.log.Warn("cannot set the routes anew", "error", err)
	}
	s.mu.Lock()
	s.showRoutesLocked()
	s.mu.Unlock()
}

// carriesIPv6 notes whether the tunnel does, and reports whether the routes are
// to be set anew for it.
func (s *Session) carriesIPv6(yes bool) (anew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	anew = s.routes.IPv6 != yes && s.routes.Link != ""
	s.routes.IPv6 = yes
	return anew
}

// missed takes in what a failed attempt says of the network.
func (s *Session) missed(ctx context.Context, err error) {
	s.mu.Lock()
	n := &s.net
	if _, ok := errors.AsType[*routing.NoPathError](err); ok {
		n.view.lost = true
	}
	if e, ok := errors.AsType[*routing.ConflictError](err); ok {
		n.conflict = e
	}
	n.again = errors.Is(err, errMoved)
	known := s.routes.Gateway.IsValid()
	s.mu.Unlock()
	if network, ok := s.cfg.Platform.(networkPlatform); ok && known {
		s.look(ctx, network)
	}
}

// waitsForNetwork reports whether there is no way to the gateway, and somebody
// who tells when there is.
func (s *Session) waitsForNetwork() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.net.on && s.net.view.lost
}

// knownGateway returns the address that was dialled last, and whether it is to
// be dialled now without asking for it again.
func (s *Session) knownGateway() (known netip.Addr, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.routes.Gateway, s.net.again && s.routes.Gateway.IsValid()
}

// await waits for the next attempt: until the time is over, or the network has
// become another one. Where there is no way to the gateway it waits for one,
// however long. It reports whether to go on.
func (s *Session) await(ctx context.Context, wait time.Duration) bool {
	for {
		var timeout <-chan time.Time
		if !s.waitsForNetwork() {
			timeout = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return false
		case <-timeout:
			return true
		case <-s.hurry:
			return true
		case <-s.net.resumed:
		case <-s.net.changed:
		}
		s.mu.Lock()
		again := !s.net.view.lost
		s.net.again = again
		s.mu.Unlock()
		if again {
			return true
		}
	}
}
