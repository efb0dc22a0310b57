package client

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
)

// A Session is the tunnel of one profile: dialled, kept up, dialled again
// when it was lost, and taken down without a trace.
type Session struct {
	cfg Config
	log *slog.Logger

	setting sync.Mutex // held while the applier is at work
	closed  bool       // setting guards; nothing is to be set any more

	mu     sync.Mutex
	ready  chan struct{}   // mu guards; closed while it is up
	status control.Status  // mu guards
	live   *tunnel.Session // mu guards; nil: none
	routes routing.Config  // mu guards; what is wanted now
	wasUp  bool            // mu guards

	newNames  chan struct{}                  // a value when there is a host name to be resolved
	readState func() (*routing.State, error) // of the machine

	net   following
	hurry chan struct{} // a value when the next attempt is not to be waited for

	inside      bool         // mu guards, as all that follows; the routes lead into the tunnel
	dests       destinations // where s.routes.Routes come from
	servers     []netip.Addr // name servers in the tunnel
	pushTrouble []string     // about what the server offers
	dnsTrouble  []string     // about its name servers
	hooks       hooks
	upSince     time.Time
	upEnv       []string // of on_down, once on_up has begun; nil: on_down is not due
}

// New prepares a session; Run runs it.
func New(cfg Config) *Session {
	if cfg.Platform == nil {
		cfg.Platform = Linux{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(control.Event) {}
	}
	p := cfg.Profile
	s := &Session{
		cfg: cfg, log: cfg.Log.With("profile", p.Name), ready: make(chan struct{}), routes: p.RoutingConfig(),
		newNames: make(chan struct{}, 1), hurry: make(chan struct{}, 1), readState: routing.ReadState, net: newFollowing(),
	}
	s.dests = newDestinations(p, s.routes.Routes)
	s.status = control.Status{
		Profile: p.Name, State: control.StateConnecting, User: p.User,
		Gateway: gatewayText(p), Routes: []control.Route{},
	}
	return s
}

func gatewayText(p *profiles.Profile) string {
	if p.Port == profiles.DefaultPort {
		return p.Gateway
	}
	return net.JoinHostPort(p.Gateway, strconv.Itoa(int(p.Port)))
}

// Ready returns a channel that is closed once the tunnel carries traffic and
// the routes are in; of a tunnel that was lost, once it is there again.
func (s *Session) Ready() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

// Hurry has a session that waits for its next attempt make it now.
func (s *Session) Hurry() {
	if s.Status().State == control.StateReconnecting {
		signal(s.hurry)
	}
}

func (s *Session) hasBeenUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wasUp
}

// isReadyLocked reports whether the channel of Ready is closed.
func (s *Session) isReadyLocked() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// Waits between attempts after a session was lost: doubling, and spread so
// that many clients of a server that comes back do not come at once.
const (
	backoffMin = time.Second
	backoffMax = 30 * time.Second
	quickTries = 3 // after the network has changed, before it doubles
)

// Run connects and stays until ctx is done, and takes everything back. It
// returns nil when the session ended because ctx was done, and otherwise why
// it could not connect; a session that was up and was lost is dialled again,
// if the profile says so, for as long as it takes, except where the server
// refuses the user.
func (s *Session) Run(ctx context.Context) error {
	unlock, err := s.lock(ctx)
	if err == nil {
		defer unlock()
		stop := s.follow(ctx)
		err = s.run(ctx)
		stop()
	} else if ctx.Err() != nil {
		err = nil
	}
	s.setting.Lock()
	s.closed = true
	if cerr := s.cfg.Routes.Close(); cerr != nil {
		s.log.Error("cannot take back the routes", "error", cerr)
		if err == nil {
			err = cerr
		}
	}
	s.mu.Lock()
	s.status.State, s.status.Error = control.StateDown, nil
	if err != nil {
		s.status.State, s.status.Error = control.StateFailed, Explain(err)
	}
	s.clearLocked()
	s.mu.Unlock()
	s.setting.Unlock()
	s.publishState()
	s.startOnDown()
	s.waitHooks()
	return err
}

func (s *Session) run(ctx context.Context) error {
	backoff, quick := backoffMin, 0
	for attempt := 1; ; attempt++ {
		s.update(func(st *control.Status) {
			st.Attempt = attempt - 1
			st.NextAttempt = time.Time{}
		})
		began := time.Now()
		wasUp, err := s.attempt(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if wasUp {
			attempt = 1
		}
		if wasUp && time.Since(began) > backoffMax { // and not taken and dropped at once
			backoff = backoffMin
		}
		if err == nil {
			err = errors.New("the server ended the session")
		}
		moved := errors.Is(err, errMoved)
		e := Explain(err)
		s.mu.Lock()
		again := (s.wasUp || s.cfg.Resume || moved) && s.cfg.Profile.Reconnect && e.Reason != control.ReasonAuth && e.Reason != control.ReasonPermission
		s.mu.Unlock()
		if !again {
			return err
		}
		s.startOnDown()
		wait := backoff/2 + rand.N(backoff)
		switch {
		case moved:
			wait, quick = 0, quickTries
		case quick > 0: // the server may hold the old session for alive still
			quick--
			wait = backoffMin/2 + rand.N(backoffMin/2)
		default:
			backoff = min(2*backoff, backoffMax)
		}
		s.missed(ctx, err)
		next := time.Now().Add(wait)
		if s.waitsForNetwork() {
			next = time.Time{}
		}
		s.log.Warn("session lost, dialling again", "reason", e.Text, "in", wait.Round(time.Millisecond), "when there is a network", next.IsZero())
		s.mu.Lock()
		s.clearLocked()
		s.status.State, s.status.Error, s.status.NextAttempt = control.StateReconnecting, e, next
		s.mu.Unlock()
		s.publishState()
		if !s.await(ctx, wait) {
			return nil
		}
	}
}

// Status returns what is known of the session now.
func (s *Session) Status() control.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Routes = append([]control.Route{}, s.status.Routes...)
	if s.live != nil {
		st.Counters = counters(s.live.Stats())
	}
	return st
}

func counters(t tunnel.Stats) control.Counters {
	return control.Counters{
		RxBytes: t.RxBytes, TxBytes: t.TxBytes, RxPackets: t.RxPackets, TxPackets: t.TxPackets,
		RxLate: t.Late, RxLost: t.Lost,
		RxDropped: t.Duplicates + t.Old + t.Discarded + t.Undecryptable + t.Nonsense + t.RefusedClear + t.Invalid,
		TxDropped: t.Closed + t.SendErrors,
	}
}

func (s *Session) update(f func(*control.Status)) {
	s.mu.Lock()
	f(&s.status)
	s.mu.Unlock()
}

// clearLocked forgets what holds only while the tunnel is up.
func (s *Session) clearLocked() {
	st := &s.status
	st.Stage, st.Interface, st.MTU, st.MPPE, st.Auth, st.DNS = "", "", 0, nil, "", nil
	st.Local, st.Peer, st.Domains, st.DomainOffered = netip.Addr{}, netip.Addr{}, nil, ""
	st.Routes, st.RoutesOffered, st.Since = []control.Route{}, nil, time.Time{}
	s.live = nil
	if s.isReadyLocked() {
		s.ready = make(chan struct{})
	}
}

// stage tells how far connecting has come.
func (s *Session) stage(stage control.Stage, text string) {
	s.update(func(st *control.Status) { st.Stage = stage })
	s.log.Info(string(stage), "detail", text)
	s.cfg.OnEvent(control.Event{Time: time.Now(), Type: control.EventStage, Profile: s.cfg.Profile.Name, Stage: stage, Text: text})
}

// note tells the user something that changes nothing.
func (s *Session) note(text string) {
	s.cfg.OnEvent(control.Event{Time: time.Now(), Type: control.EventNote, Profile: s.cfg.Profile.Name, Text: text})
}

func (s *Session) publishState() {
	st := s.Status()
	s.log.Info("state", "state", st.State)
	s.cfg.OnEvent(control.Event{Time: time.Now(), Type: control.EventState, Profile: st.Profile, Status: &st, Error: st.Error})
}
