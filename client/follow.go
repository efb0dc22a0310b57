package client

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

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
