package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/osnet/osnettest"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
	"goppptp/server"
)

var (
	ownAddr = netip.MustParseAddr("10.250.166.10")
	gateway = netip.MustParseAddr("203.0.113.1")
	second  = netip.MustParseAddr("203.0.113.2")
)

// A lab is a network in memory with a server on it: TCP is pipes, GRE is
// osnettest's. Its methods that make a part of the client's Platform count
// what is open. Everything happens in a synctest bubble.
type lab struct {
	t       *testing.T
	latency time.Duration // of GRE and of each step that waits
	gre     *osnettest.Network
	log     *slog.Logger

	mu       sync.Mutex
	names    map[string][]netip.Addr       // mu guards, as all that follows
	dialErrs map[netip.Addr]error          // instead of a connection
	answers  map[netip.Addr]func(net.Conn) // instead of the server
	listener *pipeListener                 // the server's; nil: nobody listens
	serving  *osnettest.GRE                // the server's
	fail     map[string]error              // of the Platform, by method
	filter   osnettest.Filter              // of what the client sends
	conns    []net.Conn                    // the server's ends
	open     map[string]int                // what the client has open
	tuns     []*osnettest.TUN
	dialled  []netip.Addr
}

func newLab(t *testing.T) *lab {
	return &lab{t: t, gre: osnettest.NewNetwork(), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
		names:    map[string][]netip.Addr{"station": {gateway}},
		dialErrs: map[netip.Addr]error{}, answers: map[netip.Addr]func(net.Conn){}, fail: map[string]error{}, open: map[string]int{}}
}

// counted is what is open until it is closed.
type counted struct {
	w    *lab
	what string
	once sync.Once
}

func (w *lab) count(what string) *counted {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[what]++
	return &counted{w: w, what: what}
}

func (c *counted) done() {
	c.once.Do(func() {
		c.w.mu.Lock()
		defer c.w.mu.Unlock()
		c.w.open[c.what]--
	})
}

// left lists what the client has open.
func (w *lab) left() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for what, n := range w.open {
		if n != 0 {
			out = append(out, fmt.Sprintf("%d %s", n, what))
		}
	}
	return out
}

func (w *lab) failure(method string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fail[method]
}

func (w *lab) setFailure(method string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[method] = err
}

// pause is a step that takes its time.
func (w *lab) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(w.latency):
		return nil
	}
}

// Resolve is of Platform.
func (w *lab) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if err := w.pause(ctx); err != nil {
		return nil, err
	}
	if err := w.failure("Resolve"); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if addrs, ok := w.names[host]; ok {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// DialControl is of Platform.
func (w *lab) DialControl(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if err := w.pause(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.dialled = append(w.dialled, to.Addr())
	err, l, answer := w.dialErrs[to.Addr()], w.listener, w.answers[to.Addr()]
	w.mu.Unlock()
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp4", Err: err}
	}
	if l == nil && answer == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp4", Err: syscall.ECONNREFUSED}
	}
	a, b := net.Pipe()
	theirs := &pipe{Conn: b, local: to, remote: netip.AddrPortFrom(ownAddr, 40000)}
	w.mu.Lock()
	w.conns = append(w.conns, theirs)
	w.mu.Unlock()
	if answer != nil {
		go answer(theirs)
	} else {
		select {
		case l.conns <- theirs:
		case <-l.done:
			return nil, &net.OpError{Op: "dial", Net: "tcp4", Err: syscall.ECONNREFUSED}
		}
	}
	c := w.count("control connection")
	return &pipe{Conn: a, local: netip.AddrPortFrom(ownAddr, 40000), remote: to, closed: c.done}, nil
}

// OpenGRE is of Platform.
func (w *lab) OpenGRE(remote netip.Addr) (GRE, error) {
	if err := w.failure("OpenGRE"); err != nil {
		return nil, err
	}
	g := w.gre.Dial(ownAddr, remote)
	g.SetLatency(w.latency)
	w.mu.Lock()
	g.Filter(w.filter)
	w.mu.Unlock()
	return &countedGRE{g, w.count("GRE socket")}, nil
}

type countedGRE struct {
	*osnettest.GRE
	c *counted
}

func (g *countedGRE) Close() error {
	g.c.done()
	return g.GRE.Close()
}

// OpenTUN is of Platform.
func (w *lab) OpenTUN(cfg osnet.TUNConfig) (tunnel.TUN, error) {
	if err := w.failure("OpenTUN"); err != nil {
		return nil, err
	}
	t := osnettest.NewTUN(cfg)
	w.mu.Lock()
	w.tuns = append(w.tuns, t)
	w.mu.Unlock()
	return &countedTUN{t, w.count("TUN")}, nil
}

type countedTUN struct {
	*osnettest.TUN
	c *counted
}

func (t *countedTUN) Close() error {
	t.c.done()
	return t.TUN.Close()
}

// PathMTU is of Platform.
func (w *lab) PathMTU(netip.Addr) (int, error) { return 1500, w.failure("PathMTU") }

// tun is the client's latest interface.
func (w *lab) tun() *osnettest.TUN {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tuns) == 0 {
		return nil
	}
	return w.tuns[len(w.tuns)-1]
}

// takeDialled returns the addresses dialled since it was asked last.
func (w *lab) takeDialled() []netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.dialled
	w.dialled = nil
	return out
}

// vanish ends the server as a power cut does: nothing is said, GRE goes
// nowhere, connections are gone and new ones refused.
func (w *lab) vanish() {
	w.mu.Lock()
	w.serving.Filter(osnettest.Blackhole())
	conns := w.conns
	w.conns, w.listener = nil, nil
	w.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// A pipe is one end of a TCP connection in memory.
type pipe struct {
	net.Conn
	local, remote netip.AddrPort
	closed        func()
}

func (p *pipe) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(p.local) }
func (p *pipe) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(p.remote) }

func (p *pipe) Close() error {
	if p.closed != nil {
		p.closed()
	}
	return p.Conn.Close()
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(gateway, 1723))
}

// serverSide is the server's Platform in a lab.
type serverSide struct{ w *lab }

func (s serverSide) Check() error { return nil }

func (s serverSide) ListenControl(string) (net.Listener, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.listener = &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	return s.w.listener, nil
}

func (s serverSide) ListenGRE() (server.GRE, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.serving = s.w.gre.Listen(gateway, second)
	s.w.serving.SetLatency(s.w.latency)
	return s.w.serving, nil
}

func (s serverSide) OpenTUN(cfg osnet.TUNConfig) (server.TUN, error) {
	return osnettest.NewTUN(cfg), nil
}

func (s serverSide) SetForwarding(string) (func(), error) { return func() {}, nil }

func (s serverSide) AddProxyARP(netip.Addr) (func(), string, error) { return func() {}, "", nil }

func (s serverSide) PathMTU(netip.Addr) (int, error) { return 1500, nil }

func (s serverSide) ListenDHCP(string) (net.PacketConn, error) { return nil, errors.New("not here") }

const serverText = `
local: 192.168.13.254
remote: [192.168.13.240-249]
users:
  - {name: sio4, password: p4ssw0rd}
dns: [192.168.13.1]
`

// serve starts a server, which stop ends.
func (w *lab) serve(text string) (stop func()) {
	w.t.Helper()
	cfg, err := server.ParseConfig("server.yaml", []byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	ready := make(chan struct{})
	srv, err := server.New(cfg, server.Options{Platform: serverSide{w}, Log: w.log.With("end", "server"), Ready: func() { close(ready) }})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	<-ready
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the server: %v", err)
		}
	})
}

// A table is an Applier that notes what it is told.
type table struct {
	w      *lab
	mu     sync.Mutex
	sets   []routing.Config            // mu guards, as all that follows
	refuse func(*routing.Config) error // nil: none
	in     *counted                    // since the first Set, until Close
	inUse  atomic.Int32
}

// Set does not wait: who waits for a mutex stops the bubble's clock.
func (t *table) Set(_ context.Context, cfg *routing.Config) error {
	if t.inUse.Add(1) > 1 {
		t.w.t.Error("two at the route table at the same time")
	}
	defer t.inUse.Add(-1)
	runtime.Gosched()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refuse != nil {
		if err := t.refuse(cfg); err != nil {
			return err
		}
	}
	if t.in == nil {
		t.in = t.w.count("routes")
	}
	c := *cfg
	c.Routes = slices.Clone(cfg.Routes)
	t.sets = append(t.sets, c)
	return nil
}

func (t *table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.in != nil {
		t.in.done()
		t.in = nil
	}
	return nil
}

func (t *table) last() routing.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sets) == 0 {
		return routing.Config{}
	}
	return t.sets[len(t.sets)-1]
}

const profileText = `
gateway: station
user: sio4
password: p4ssw0rd
routes: [172.16.0.0/16, {to: 192.168.14.0/24, metric: 5}]
`

func parseProfile(t *testing.T, text string) *profiles.Profile {
	t.Helper()
	p, err := profiles.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A run is a session at work.
type run struct {
	*Session
	table  *table
	cancel context.CancelFunc
	done   chan error
	mu     sync.Mutex
	events []control.Event // mu guards
}

// dial runs a session of the profile.
func (w *lab) dial(text string) *run { return w.dialWith(text, nil, nil) }

// dialWith calls at for every event, too, and has the route table refuse.
func (w *lab) dialWith(text string, at func(*run, control.Event), refuse func(*routing.Config) error) *run {
	r := &run{table: &table{w: w, refuse: refuse}, done: make(chan error, 1)}
	p := parseProfile(w.t, text)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	r.Session = New(Config{Profile: p, Password: p.Password, Platform: w, Routes: r.table, Log: w.log.With("end", "client"),
		OnEvent: func(e control.Event) {
			r.mu.Lock()
			r.events = append(r.events, e)
			r.mu.Unlock()
			if at != nil {
				at(r, e)
			}
		}})
	go func() { r.done <- r.Run(ctx) }()
	return r
}

// waitUp waits until the session is up.
func (r *run) waitUp(t *testing.T) {
	t.Helper()
	select {
	case <-r.Ready():
	case err := <-r.done:
		t.Fatalf("the session ended: %v", err)
	case <-time.After(10 * time.Minute):
		t.Fatalf("the session is %s after ten minutes", r.Status().State)
	}
}

// end cancels the session and looks that all is taken back.
func (r *run) end(t *testing.T, w *lab) {
	t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	r.wantNothing(t, w, control.StateDown)
}

// wantNothing looks that nothing is left of a session that is over.
func (r *run) wantNothing(t *testing.T, w *lab, state control.State) {
	t.Helper()
	if left := w.left(); len(left) > 0 {
		t.Errorf("left open: %v", left)
	}
	st := r.Status()
	if st.State != state || st.Interface != "" || len(st.Routes) != 0 || st.Local.IsValid() || st.MPPE != nil || st.Stage != "" || !st.Since.IsZero() {
		t.Errorf("the status is %+v, want %s and nothing of a tunnel", st, state)
	}
}

// states lists the states that were reported.
func (r *run) states() (out []control.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == control.EventState {
			out = append(out, e.Status.State)
		}
	}
	return out
}

func (r *run) stages() (out []control.Stage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == control.EventStage {
			out = append(out, e.Stage)
		}
	}
	return out
}

// bubble runs f with a lab of its own.
func bubble(t *testing.T, f func(t *testing.T, w *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newLab(t)
		w.latency = 20 * time.Millisecond
		f(t, w)
	})
}
