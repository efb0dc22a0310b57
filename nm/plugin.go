package nm

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/profiles"
)

// A Session is what the plugin runs: a client.Session, or a test's.
type Session interface {
	// Run connects and stays until ctx is done; see client.Session.
	Run(ctx context.Context) error
}

// Options are what a Plugin stands on.
type Options struct {
	Log *slog.Logger
	// Emit sends a signal of the plugin's interface.
	Emit func(signal string, args ...any)
	// NewSession makes the session of one attempt; nil: client.New.
	NewSession func(client.Config) Session
	Platform   client.Platform // nil: client.Linux{}
	// Notes is the directory of notes about connections that were lost; "": none
	// are left. RetryPause is between the attempts of one that comes back.
	Notes      string
	RetryPause time.Duration
}

// Plugin is the service's one object: at most one connection, as NetworkManager
// starts a service for each.
type Plugin struct {
	opts Options
	quit chan struct{} // closed when there is nothing more to do
	once sync.Once
	used chan string // callers of methods, for those who watch them

	mu      sync.Mutex
	state   State                       // mu guards
	run     *running                    // mu guards; nil: no session
	secrets chan *profiles.NMConnection // mu guards; not nil while an answer to SecretsRequired is awaited
}

// running is a connection from Connect to its end.
type running struct {
	connection  *profiles.NMConnection
	interactive bool // SecretsRequired may be sent
	ip6         bool
	persistent  bool      // NetworkManager starts it anew when it is lost
	tryUntil    time.Time // it was lost just now, and may take that long to come back; zero: it was not
	cancel      context.CancelFunc
	done        chan struct{} // closed when all is over

	wasUp    bool     // Plugin.mu guards
	handed   *network // Plugin.mu guards; what NetworkManager was told last
	handover *handover
	profile  *profiles.Profile
}

// NewPlugin returns a plugin in the state init.
func NewPlugin(opts Options) *Plugin {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.NewSession == nil {
		opts.NewSession = func(cfg client.Config) Session { return client.New(cfg) }
	}
	if opts.Platform == nil {
		opts.Platform = client.Linux{}
	}
	return &Plugin{opts: opts, quit: make(chan struct{}), used: make(chan string, 8), state: StateInit}
}

// Done returns a channel that is closed when the service is to leave.
func (p *Plugin) Done() <-chan struct{} { return p.quit }

func (p *Plugin) leave() { p.once.Do(func() { close(p.quit) }) }

// State returns what NetworkManager was last told.
func (p *Plugin) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// setLocked tells NetworkManager the state.
func (p *Plugin) setLocked(s State) {
	if p.state == s {
		return
	}
	p.state = s
	p.opts.Log.Info("state", "state", s)
	p.opts.Emit("StateChanged", uint32(s))
}

// note tells the watchers who called; it never blocks.
func (p *Plugin) note(sender dbus.Sender) {
	select {
	case p.used <- string(sender):
	default:
	}
}

// Connect is the method: connect, and ask for nothing.
func (p *Plugin) Connect(sender dbus.Sender, s settings) *dbus.Error {
	p.note(sender)
	return p.start(s, false)
}

// ConnectInteractive is the method: connect, and ask for what turns out to
// lack or to be wrong. The details say nothing that is needed.
func (p *Plugin) ConnectInteractive(sender dbus.Sender, s settings, _ values) *dbus.Error {
	p.note(sender)
	return p.start(s, true)
}

// NeedSecrets is the method: the name of the setting that lacks a secret, or
// none. What is wrong with the connection is for Connect to say.
func (p *Plugin) NeedSecrets(sender dbus.Sender, s settings) (string, *dbus.Error) {
	p.note(sender)
	if lacksPassword(connectionOf(s)) {
		return "vpn", nil
	}
	return "", nil
}

// NewSecrets is the method: the answer to SecretsRequired.
func (p *Plugin) NewSecrets(sender dbus.Sender, s settings) *dbus.Error {
	p.note(sender)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.secrets == nil {
		return busError(errWrongState, "no secrets were asked for")
	}
	p.secrets <- connectionOf(s) // has room for it
	p.secrets = nil
	return nil
}

// Disconnect is the method: end the session, and with it the service. It
// answers when the tunnel is gone.
func (p *Plugin) Disconnect(sender dbus.Sender) *dbus.Error {
	p.note(sender)
	p.mu.Lock()
	run := p.run
	switch {
	case p.state == StateStopping:
		p.mu.Unlock()
		return busError(errStopping, "the connection is ending already")
	case run == nil:
		p.mu.Unlock()
		p.leaveSoon()
		return busError(errStopped, "there is no connection")
	}
	p.setLocked(StateStopping)
	p.mu.Unlock()
	run.cancel()
	select {
	case <-run.done:
	case <-time.After(answerTimeout):
	}
	p.leaveSoon()
	return nil
}

const (
	// answerTimeout is less than the 10 s that NetworkManager waits for answers.
	answerTimeout = 8 * time.Second
	// replyTime lets the answer to a method out before the service leaves.
	replyTime = 50 * time.Millisecond
	// farewellTime is how long a service whose connection has ended waits for
	// the Disconnect that NetworkManager sends then.
	farewellTime = 5 * time.Second
)

func (p *Plugin) leaveSoon() { time.AfterFunc(replyTime, p.leaveWhenOver) }

// leaveWhenOver leaves once no session is left.
func (p *Plugin) leaveWhenOver() {
	p.mu.Lock()
	run := p.run
	p.mu.Unlock()
	if run != nil {
		<-run.done
	}
	p.leave()
}

// Abandon ends everything because nobody is there to end it: the service was
// told to leave, or NetworkManager is gone, and will not take back what it made.
func (p *Plugin) Abandon(why string, managerGone bool) {
	p.mu.Lock()
	run := p.run
	p.mu.Unlock()
	if run != nil {
		p.opts.Log.Warn("ending the connection", "connection", run.connection.ID, "reason", why)
		run.cancel()
		<-run.done
		if managerGone && run.handover != nil {
			run.handover.takeBack(p.opts.Log)
		}
	}
	p.leave()
}

// start checks the connection and sets it going.
func (p *Plugin) start(s settings, interactive bool) *dbus.Error {
	c := connectionOf(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state == StateStopping:
		return busError(errStopping, "the connection is ending")
	case p.state == StateStarting:
		return busError(errStarting, "the connection is starting already")
	case p.run != nil:
		return busError(errStarted, "there is a connection already")
	}
	profile, err := c.Profile()
	if err == nil && !interactive && lacksPassword(c) {
		err = fmt.Errorf("connection %q: the password is missing", c.ID)
	}
	if err != nil {
		p.opts.Log.Error("cannot connect", "connection", c.ID, "reason", err.Error())
		return busError(errConnection, err.Error())
	}
	if c.NoGatewayRoute {
		p.opts.Log.Warn("ipv4.auto-route-ext-gw is off: NetworkManager makes no route to the gateway, and a route of the connection that covers it would send the tunnel into itself",
			"connection", c.ID, "gateway", profile.Gateway)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{connection: c, interactive: interactive, ip6: wantsIPv6(s), cancel: cancel, done: make(chan struct{}), profile: profile,
		persistent: get[bool](s, "vpn", "persistent")}
	if now := time.Now(); notes(p.opts.Notes).take(c.UUID, now) && run.persistent {
		run.tryUntil = now.Add(patience(s))
	}
	p.run = run
	p.setLocked(StateStarting)
	go p.loop(ctx, run)
	return nil
}

// onEvent hears the session.
func (p *Plugin) onEvent(run *running, ev control.Event) {
	if ev.Type != control.EventState || ev.Status == nil || ev.Status.State != control.StateUp {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != StateStarting && p.state != StateStarted {
		return
	}
	n := run.handover.network(ev.Status, run.connection, run.profile, run.ip6)
	if run.handed != nil && run.handed.equal(n) {
		return
	}
	run.wasUp, run.handed = true, n
	p.opts.Emit("Config", n.config())
	p.opts.Emit("Ip4Config", n.ip4Config())
	if n.Local6 != 0 {
		p.opts.Emit("Ip6Config", n.ip6Config())
	}
	p.setLocked(StateStarted)
}
