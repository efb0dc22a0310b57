package client

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"goppptp/internal/control"
	"goppptp/profiles"
	"goppptp/routing"
)

// A Manager holds the sessions of the daemon, one a profile; it is the
// control.Backend of the control socket.
type Manager struct {
	control.Hub
	opts ManagerOptions

	mu       sync.Mutex
	sessions map[string]*managed // mu guards
	closing  bool                // mu guards
	running  sync.WaitGroup
	idle     chan struct{} // a value when the last session has ended
}

// ManagerOptions say where the profiles are and what sessions stand on.
type ManagerOptions struct {
	Profiles []string // directories
	RunDir   string   // of Config
	Platform Platform // nil: Linux{}
	// Routes makes the applier of one session.
	Routes func() routing.Applier
	// DNS makes the resolver of one session. May be nil.
	DNS func() Resolver
	Log *slog.Logger
	// Wanted is told, without a pause for it, when a session that can come up
	// by itself is meant to be up, and when no longer; the manager's own end
	// is not told. May be nil.
	Wanted func(profile string, wanted bool)
}

type managed struct {
	session *Session
	ctx     context.Context // done when the session is told to end
	cancel  context.CancelFunc
	done    chan struct{} // closed when Run has returned
	err     error         // what Run returned; read after done
	over    bool          // mu guards; not wanted any more
}

// NewManager returns a manager without sessions.
func NewManager(opts ManagerOptions) *Manager {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Manager{opts: opts, sessions: map[string]*managed{}, idle: make(chan struct{}, 1)}
}

// Idle returns a channel that has a value after a session was the last to end.
func (m *Manager) Idle() <-chan struct{} { return m.idle }

// Live returns how many sessions there are that are not over.
func (m *Manager) Live() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.liveLocked()
}

func (m *Manager) liveLocked() int {
	n := 0
	for _, s := range m.sessions {
		select {
		case <-s.done:
		default:
			n++
		}
	}
	return n
}

// Lost reports whether a session that had been up has failed: there is
// something to be told about it.
func (m *Manager) Lost() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		select {
		case <-s.done:
			if s.err != nil && s.session.hasBeenUp() {
				return true
			}
		default:
		}
	}
	return false
}

// CloseIfIdle has the manager take no more sessions if it has none that lives,
// and reports whether that is so.
func (m *Manager) CloseIfIdle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closing = m.closing || m.liveLocked() == 0
	return m.closing
}

// Close ends all sessions in an orderly way and waits for them.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closing = true
	for _, s := range m.sessions {
		s.cancel()
	}
	m.mu.Unlock()
	m.running.Wait()
}

// load reads an installed profile; a failure is a usage error.
func (m *Manager) load(name string) (*profiles.Profile, error) {
	p, err := profiles.LoadInstalled(m.opts.Profiles, name)
	if err != nil {
		return nil, &control.Error{Reason: control.ReasonUsage, Text: err.Error()}
	}
	return p, nil
}

// Up connects and returns once the tunnel carries traffic and the routes are
// in. A session that is up already is left alone; one that is connecting, or
// was lost and is dialled again, is waited for.
func (m *Manager) Up(ctx context.Context, req control.UpRequest) (control.Status, error) {
	p, err := m.load(req.Profile)
	if err != nil {
		return control.Status{}, err
	}
	password := profiles.Secret(req.Password)
	if p.HasSecret() && !p.Keyring {
		if password, err = p.ReadSecret(ctx); err != nil {
			return control.Status{}, &control.Error{Reason: control.ReasonUsage, Text: err.Error()}
		}
	} else if password == "" {
		return control.Status{}, &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("profile %s stores no password", p.Name), Hint: "`goppptp up` on a terminal asks for it"}
	}
	s, started, err := m.start(p, password, profiles.Secret(req.NewPassword), false)
	for err == nil && !started && s.ctx.Err() != nil { // it is on its way down: the next one, then
		select {
		case <-s.done:
			s, started, err = m.start(p, password, profiles.Secret(req.NewPassword), false)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return control.Status{}, err
	}
	if !started {
		s.session.Hurry()
	}
	select {
	case <-s.session.Ready():
		if started && p.HasSecret() && !p.Keyring {
			m.wanted(s, p.Name, true)
		}
		return s.session.Status(), nil
	case <-s.done:
		if s.err == nil {
			return s.session.Status(), &control.Error{Reason: control.ReasonFailed, Text: "disconnected before it was up"}
		}
		return s.session.Status(), Explain(s.err)
	case <-ctx.Done():
		if started { // whoever asked has gone away
			s.cancel()
			<-s.done
		}
		return s.session.Status(), context.Cause(ctx)
	}
}

// wanted tells ManagerOptions.Wanted about s, unless the manager is ending. A
// session that is over is not wanted any more, whoever says so late.
func (m *Manager) wanted(s *managed, profile string, wanted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.over {
		return
	}
	s.over = !wanted
	if m.opts.Wanted != nil && !m.closing {
		m.opts.Wanted(profile, wanted)
	}
}

// Resume brings profile up as a session that was up and was lost is brought
// up: it is dialled until it is.
func (m *Manager) Resume(ctx context.Context, profile string) error {
	p, err := m.load(profile)
	if err != nil {
		return err
	}
	password, err := p.ReadSecret(ctx)
	if err != nil {
		return err
	}
	s, started, err := m.start(p, password, "", true)
	if started {
		m.wanted(s, profile, true)
	}
	return err
}

// start returns the profile's session, a new one where none runs.
func (m *Manager) start(p *profiles.Profile, password, newPassword profiles.Secret, resume bool) (s *managed, started bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return nil, false, &control.Error{Reason: control.ReasonEnding, Text: "the daemon is ending"}
	}
	if s := m.sessions[p.Name]; s != nil {
		select {
		case <-s.done:
		default:
			return s, false, nil
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s = &managed{ctx: ctx, cancel: cancel, done: make(chan struct{})}
	var resolver Resolver
	if m.opts.DNS != nil {
		resolver = m.opts.DNS()
	}
	s.session = New(Config{
		Profile: p, Password: password, NewPassword: newPassword, Platform: m.opts.Platform,
		Routes: m.opts.Routes(), DNS: resolver, Log: m.opts.Log, OnEvent: m.Publish,
		RunDir: m.opts.RunDir, Resume: resume,
	})
	m.sessions[p.Name] = s
	m.running.Go(func() {
		defer cancel()
		s.err = s.session.Run(ctx)
		m.wanted(s, p.Name, false)
		close(s.done)
		if m.Live() == 0 {
			select {
			case m.idle <- struct{}{}:
			default:
			}
		}
	})
	return s, true, nil
}

func (m *Manager) get(profile string) *managed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[profile]
}

// Down disconnects and returns when everything is taken back.
func (m *Manager) Down(ctx context.Context, profile string) (control.Status, error) {
	s := m.get(profile)
	if s == nil {
		return m.Session(ctx, profile)
	}
	s.cancel()
	select {
	case <-s.done:
		return s.session.Status(), s.err
	case <-ctx.Done():
		return s.session.Status(), context.Cause(ctx)
	}
}

// Session returns the status of a profile's session.
func (m *Manager) Session(_ context.Context, profile string) (control.Status, error) {
	if s := m.get(profile); s != nil {
		return s.session.Status(), nil
	}
	p, err := m.load(profile)
	if err != nil {
		return control.Status{}, err
	}
	return StatusDown(p), nil
}

// Sessions returns every session there has been, by name of profile.
func (m *Manager) Sessions(context.Context) ([]control.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]control.Status, 0, len(m.sessions))
	for _, s := range m.sessions {
		out = append(out, s.session.Status())
	}
	slices.SortFunc(out, func(a, b control.Status) int {
		if a.Profile < b.Profile {
			return -1
		}
		return 1
	})
	return out, nil
}

// AddRoute sends one more subnet, or the addresses of a host name, through a
// live tunnel.
func (m *Manager) AddRoute(ctx context.Context, profile string, r control.Route) error {
	s, err := m.live(profile)
	if err != nil {
		return err
	}
	if r.Host != "" {
		if !profiles.IsHostName(r.Host) {
			return &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("%q is no host name", r.Host)}
		}
		return explained(s.AddHost(ctx, r.Host, r.Metric))
	}
	return explained(s.AddRoute(ctx, routing.Route{To: r.To, Metric: r.Metric}))
}

// DelRoute takes a subnet or a host name out of a live tunnel.
func (m *Manager) DelRoute(ctx context.Context, profile string, r control.Route) error {
	s, err := m.live(profile)
	if err != nil {
		return err
	}
	if r.Host != "" {
		return explained(s.DelHost(ctx, r.Host))
	}
	return explained(s.DelRoute(ctx, r.To))
}

// explained is Explain for what may be nil.
func explained(err error) error {
	if err == nil {
		return nil
	}
	return Explain(err)
}

func (m *Manager) live(profile string) (*Session, error) {
	if s := m.get(profile); s != nil {
		select {
		case <-s.done:
		default:
			return s.session, nil
		}
	}
	return nil, &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("%s is not up", profile)}
}

// Profiles lists the installed profiles.
func (m *Manager) Profiles(context.Context) ([]control.ProfileInfo, error) {
	var out []control.ProfileInfo
	for _, e := range profiles.List(m.opts.Profiles) {
		out = append(out, ProfileInfo(e))
	}
	return out, nil
}
