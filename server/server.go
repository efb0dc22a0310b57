package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"goppptp/internal/ppp"
	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
)

// Options are what a server has besides its configuration. All may be left
// out.
type Options struct {
	Log      *slog.Logger // nil: none
	Platform Platform     // nil: Linux
	Limits   Limits       // zero: defaults
	Vendor   string       // in Start-Control-Connection-Reply; "goppptp"
	// Ready is called when clients can connect.
	Ready func()
}

// policy is a configuration in use.
type policy struct {
	cfg   *Config
	users *users
	ppp   *ppp.Settings // of sessions made under it
}

// Server is a PPTP server. Its methods may be called from any goroutine.
type Server struct {
	opts   Options
	log    *slog.Logger
	plat   Platform
	policy atomic.Pointer[policy]
	pool   *Pool // of clients' addresses
	locals *Pool // of our own, when there are several
	gate   *gate
	demux  demux
	floods logLimit
	lastID atomic.Uint64

	workers tunnel.Workers // of all sessions
	trimmer trimmer
	serving sync.WaitGroup // controls

	// set by Run before anything else begins
	gre     GRE
	hard    context.Context // ends when there is no more waiting
	hardEnd context.CancelFunc

	mu         sync.Mutex
	running    bool                  // mu guards, as all that follows
	stopping   bool                  // no new connections and sessions
	sessions   map[*session]struct{} // all
	controls   map[*control]struct{} // all
	idle       chan struct{}         // closed when there is no session any more; nil: nobody waits
	active     int                   // authenticated sessions
	perUser    map[string]int        // the same, by user
	forwarding map[string]func()     // what puts forwarding back, by interface
	forwardedI []string              // its keys, in order
}

// New makes a server; Run runs it.
func New(cfg *Config, opts Options) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Platform == nil {
		opts.Platform = linux{}
	}
	if opts.Vendor == "" {
		opts.Vendor = "goppptp"
	}
	if err := usable(cfg); err != nil {
		return nil, err
	}
	srv := &Server{opts: opts, log: opts.Log, plat: opts.Platform,
		gate:     newGate(opts.Limits.withDefaults()),
		pool:     NewPool(nil, nil),
		locals:   NewPool(nil, nil),
		sessions: map[*session]struct{}{}, controls: map[*control]struct{}{},
		perUser: map[string]int{}, forwarding: map[string]func(){},
	}
	srv.use(cfg)
	return srv, nil
}

// usable reports what a configuration that was not made by LoadConfig lacks.
func usable(cfg *Config) error {
	switch {
	case len(cfg.Local) == 0:
		return errors.New("server: no local address")
	case len(cfg.Remote) == 0 && !slices.ContainsFunc(cfg.Users, hasOwnAddress):
		return errors.New("server: no address for clients")
	case len(cfg.Auth) == 0:
		return errors.New("server: no authentication method")
	}
	return nil
}

func (srv *Server) use(cfg *Config) {
	srv.pool.Update(cfg.Remote, fixedAddresses(cfg.Users))
	srv.locals.Update(cfg.Local, nil)
	srv.policy.Store(&policy{cfg: cfg, users: newUsers(cfg.Users, cfg.StripDomain), ppp: pppSettings(cfg)})
}

// Reload has cfg decide about everything from now on. Sessions that there are
// stay as they are. The addresses listened at do not change.
func (srv *Server) Reload(cfg *Config) error {
	if err := usable(cfg); err != nil {
		return err
	}
	old := srv.policy.Load().cfg
	if !slices.Equal(old.Listen, cfg.Listen) {
		srv.log.Warn("listen has changed: that takes a restart", "still", old.Listen)
		kept := *cfg
		kept.Listen = old.Listen
		cfg = &kept
	}
	srv.use(cfg)
	srv.mu.Lock()
	running := srv.running
	srv.mu.Unlock()
	if running && cfg.Forward {
		srv.forward("")
	}
	srv.log.Info("configuration reloaded", "users", len(cfg.Users), "addresses", len(cfg.Remote))
	return nil
}

// Run serves until ctx ends; then it ends all sessions in an orderly way, takes
// back what it changed, and returns nil. A server runs once.
func (srv *Server) Run(ctx context.Context) error {
	srv.mu.Lock()
	again := srv.running || srv.stopping
	srv.running = true
	srv.mu.Unlock()
	if again {
		return errors.New("server: it has run already")
	}
	if err := srv.plat.Check(); err != nil {
		return err
	}
	cfg := srv.policy.Load().cfg
	var listeners []net.Listener
	closeListeners := func() {
		for _, l := range listeners {
			l.Close()
		}
	}
	addrs := cfg.Listen
	if len(addrs) == 0 {
		addrs = []string{defaultListen}
	}
	for _, addr := range addrs {
		l, err := srv.plat.ListenControl(addr)
		if err != nil {
			closeListeners()
			return fmt.Errorf("server: %w", err)
		}
		listeners = append(listeners, l)
	}
	var err error
	if srv.gre, err = srv.plat.ListenGRE(); err != nil {
		closeListeners()
		return err
	}
	// Not ctx: sessions outlive it by the time an orderly end takes.
	srv.hard, srv.hardEnd = context.WithCancel(context.Background())
	defer srv.hardEnd()
	defer srv.trimmer.stop()
	defer srv.restoreForwarding()
	if cfg.Forward {
		srv.forward("")
	}

	var accepting, reading sync.WaitGroup
	failed := make(chan error, len(listeners)+1)
	reading.Go(func() {
		if err := srv.demux.read(srv.gre); err != nil {
			failed <- err
		}
	})
	for _, l := range listeners {
		srv.log.Info("listening", "address", l.Addr().String())
		accepting.Go(func() {
			if err := srv.accept(l); err != nil {
				failed <- err
			}
		})
	}
	if srv.opts.Ready != nil {
		srv.opts.Ready()
	}

	select {
	case <-ctx.Done():
	case err = <-failed:
		srv.log.Error("the server cannot go on", "reason", err)
	}
	srv.mu.Lock()
	srv.stopping = true
	srv.mu.Unlock()
	closeListeners()
	accepting.Wait()
	srv.stop()
	srv.gre.Close()
	reading.Wait()
	srv.log.Info("server stopped", "stray_gre_packets", srv.demux.stray.Load())
	return err
}

// accept takes connections off l until it is closed. Nothing of a connection
// is waited for here.
func (srv *Server) accept(l net.Listener) error {
	delay := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			var temporary interface{ Temporary() bool }
			if !errors.As(err, &temporary) || !temporary.Temporary() {
				return fmt.Errorf("server: %w", err)
			}
			// Out of descriptors, most likely: some will be free again.
			srv.floods.warn(srv.log, "cannot accept", "reason", err)
			t := time.NewTimer(delay)
			select {
			case <-t.C:
			case <-srv.hard.Done():
				t.Stop()
			}
			delay = min(2*delay, time.Second)
			continue
		}
		delay = 5 * time.Millisecond
		peer := remoteAddr(conn)
		if err := srv.gate.enter(peer.Addr()); err != nil {
			srv.floods.warn(srv.log, "control connection refused", "client", peer.Addr().String(), "reason", err)
			conn.Close()
			continue
		}
		srv.serveControl(conn, peer)
	}
}

func remoteAddr(conn net.Conn) netip.AddrPort {
	if t, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		a := t.AddrPort()
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return netip.AddrPort{}
}

// stop ends sessions, then control connections, and waits for both; what does
// not end in time is cut off.
func (srv *Server) stop() {
	for _, s := range srv.allSessions() {
		if s.isStarted() {
			s.close("the server is shutting down")
		} else {
			s.abort(errStopped)
		}
	}
	srv.waitSessions(srv.gate.limits.Stop)
	for _, s := range srv.allSessions() {
		s.abort(errStopped)
	}
	srv.mu.Lock()
	for c := range srv.controls {
		c.tc.Stop(pptp.StopLocalShutdown)
	}
	srv.mu.Unlock()

	done := make(chan struct{})
	go func() {
		srv.serving.Wait()
		close(done)
	}()
	t := time.NewTimer(srv.gate.limits.Stop)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		srv.hardEnd()
		srv.mu.Lock()
		for c := range srv.controls {
			c.tc.Abort(errStopped)
		}
		srv.mu.Unlock()
		<-done
	}
}

// waitSessions waits until all sessions have ended, but not for longer than limit.
func (srv *Server) waitSessions(limit time.Duration) {
	srv.mu.Lock()
	idle := make(chan struct{})
	if len(srv.sessions) == 0 {
		close(idle)
	} else {
		srv.idle = idle
	}
	srv.mu.Unlock()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}
