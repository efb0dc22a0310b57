package tray

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"goppptp/internal/control"
)

// A Shell is where the menu is shown.
type Shell interface {
	// Icon shows a picture; frame is which one of an animation (0 to 7).
	Icon(icon Icon, frame int)
	Show(m Menu)
	// Clicks is what the user clicks.
	Clicks() <-chan Action
}

// Options are what the tray's loop works with. Socket and Shell are needed.
type Options struct {
	Socket   string
	Shell    Shell
	Texts    *Texts                                          // nil: English
	Settings *Settings                                       // nil: nothing is kept
	Login    bool                                            // connect what Settings says is connected at login
	Notify   func(Notice)                                    // nil: nobody is told; must not block
	Password func(context.Context, Question) (Answer, error) // nil: none is known
	OpenLog  func()                                          // nil: no log is opened
	Log      *slog.Logger                                    // nil: none
}

// A Question asks for the password of a profile. Again says that the one known
// was refused.
type Question struct {
	Profile control.ProfileInfo
	Again   bool
	Silent  bool // only what can be had without asking the user
}

// An Answer is a password. Keep, when not nil, keeps it for the next time;
// it is called once the password has proved right.
type Answer struct {
	Password control.Secret
	Keep     func() error
}

// ErrNoAnswer says that the user did not answer, or could not be asked and was
// told so.
var ErrNoAnswer = errors.New("tray: no password was given")

// The clock of the loop.
const (
	frameTime   = 250 * time.Millisecond // of the animation
	refreshTime = 10 * time.Second       // between looks at counters and profiles
	redialTime  = 2 * time.Second        // between tries to reach the daemon
	// restoreWindow is how long a daemon may be away and be taken for one that
	// is restarted.
	restoreWindow = 2 * time.Minute
)

// tray is the loop's state, owned by run.
type tray struct {
	opts  Options
	world *World
	ctx   context.Context
	inbox chan func() // what goroutines hand to the loop
	work  sync.WaitGroup

	client     *control.Client // nil: the daemon is away
	seen       int             // events so far, to tell an old snapshot
	refreshing bool
	frame      int
	restore    []string        // up when the daemon went away
	gone       time.Time       // when it went
	loggedIn   bool            // what is connected at login has been asked for
	stopped    map[string]bool // disconnected by a click since it was connected by one
}

// Run shows how things are and does what is clicked, until Quit is or ctx
// ends. Sessions stay as they are.
func Run(ctx context.Context, opts Options) error {
	if opts.Texts == nil {
		opts.Texts = English
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Notify == nil {
		opts.Notify = func(Notice) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	t := &tray{opts: opts, world: NewWorld(), ctx: ctx, inbox: make(chan func(), 16), stopped: map[string]bool{}}
	defer t.work.Wait()
	defer cancel()
	t.readLogin()
	t.work.Go(t.watch)
	frames, refresh := time.NewTicker(time.Hour), time.NewTicker(refreshTime)
	defer frames.Stop()
	defer refresh.Stop()
	animated := false
	for {
		menu := Build(t.world, time.Now(), opts.Texts)
		opts.Shell.Show(menu)
		if busy := menu.Icon == IconConnecting; busy != animated {
			if animated = busy; busy {
				frames.Reset(frameTime)
			} else {
				frames.Reset(time.Hour)
				t.frame = 0
			}
		}
		opts.Shell.Icon(menu.Icon, t.frame)
		for quiet := true; quiet; {
			select {
			case <-ctx.Done():
				return nil
			case f := <-t.inbox:
				f()
				quiet = false
			case a := <-opts.Shell.Clicks():
				if a.Verb == Quit {
					return nil
				}
				t.click(a)
				quiet = false
			case <-frames.C:
				if animated {
					t.frame = (t.frame + 1) % 8
					opts.Shell.Icon(menu.Icon, t.frame)
				}
			case <-refresh.C:
				t.refresh()
				quiet = t.client == nil
			}
		}
	}
}

// post hands f to the loop.
func (t *tray) post(f func()) {
	select {
	case t.inbox <- f:
	case <-t.ctx.Done():
	}
}

func (t *tray) tell(notices []Notice) {
	for _, n := range notices {
		t.opts.Notify(n)
	}
}

// watch follows the daemon: its events while it is there, and whether it comes
// back while it is not.
func (t *tray) watch() {
	for t.ctx.Err() == nil {
		c, err := control.Dial(t.opts.Socket)
		if err == nil {
			err = t.follow(c)
			c.Close()
		}
		if t.ctx.Err() != nil {
			return
		}
		why := ""
		if !errors.Is(err, control.ErrNoDaemon) {
			why = err.Error()
		}
		t.post(func() {
			if t.client != nil {
				t.restore, t.gone = t.world.Up(), time.Now()
				t.client = nil
			}
			t.tell(t.world.Gone(why))
		})
		select {
		case <-t.ctx.Done():
		case <-time.After(redialTime):
		}
	}
}

// follow hands the daemon's events to the loop until it goes away.
func (t *tray) follow(c *control.Client) error {
	profiles, sessions, err := look(t.ctx, c)
	if err != nil {
		return err
	}
	t.post(func() { t.arrived(c, profiles, sessions) })
	return c.Watch(t.ctx, func(e control.Event) {
		t.post(func() {
			t.seen++
			t.tell(t.world.Event(e))
			if e.Type == control.EventState {
				t.refresh()
			}
		})
	})
}

// look asks the daemon for everything there is.
func look(ctx context.Context, c *control.Client) ([]control.ProfileInfo, []control.Status, error) {
	profiles, err := c.Profiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	sessions, err := c.Sessions(ctx)
	return profiles, sessions, err
}

// arrived takes in a daemon that was not there before. What was up when the
// last one went away, a restart ago, and does not come up by itself for want of
// a password that only the desktop has, is connected again.
func (t *tray) arrived(c *control.Client, profiles []control.ProfileInfo, sessions []control.Status) {
	t.client = c
	t.tell(t.world.Snapshot(profiles, sessions))
	for _, p := range t.world.Profiles {
		switch {
		case live(t.world.Sessions[p.Name].State):
		case t.opts.Login && !t.loggedIn && t.world.Login[p.Name]:
			t.connect(p.Name, false)
		case p.Asks && slices.Contains(t.restore, p.Name) && time.Since(t.gone) < restoreWindow:
			t.connect(p.Name, true)
		}
	}
	t.restore, t.loggedIn = nil, true
}

// refresh looks at everything again, unless it is being looked at. What was
// looked at before an event came is looked at once more.
func (t *tray) refresh() {
	c := t.client
	if c == nil || t.refreshing {
		return
	}
	t.refreshing = true
	seen := t.seen
	t.work.Go(func() {
		profiles, sessions, err := look(t.ctx, c)
		t.post(func() {
			t.refreshing = false
			switch {
			case t.client != c || err != nil: // the watch says what there is to say
			case t.seen != seen:
				t.refresh()
			default:
				t.tell(t.world.Snapshot(profiles, sessions))
			}
		})
	})
}

func (t *tray) click(a Action) {
	switch a.Verb {
	case Connect:
		t.connect(a.Profile, false)
	case Disconnect:
		t.disconnect(a.Profile)
	case ToggleLogin:
		t.toggleLogin(a.Profile)
	case OpenLog:
		if t.opts.OpenLog != nil {
			t.opts.OpenLog()
		}
	}
}

// connect brings profile up, with a password from the desktop where the
// profile needs one. A silent one gives up where the user would be asked.
func (t *tray) connect(profile string, silent bool) {
	c := t.client
	i := slices.IndexFunc(t.world.Profiles, func(p control.ProfileInfo) bool { return p.Name == profile })
	if c == nil || i < 0 || t.world.Asking[profile] {
		return
	}
	info := t.world.Profiles[i]
	question := Question{Profile: info, Again: t.world.AuthRefused(profile), Silent: silent}
	t.world.Trying(profile)
	delete(t.stopped, profile)
	if info.Asks && t.opts.Password != nil {
		t.world.Asking[profile] = true
	}
	t.work.Go(func() {
		var answer Answer
		var err error
		if info.Asks && t.opts.Password != nil {
			answer, err = t.opts.Password(t.ctx, question)
			t.post(func() { delete(t.world.Asking, profile) })
		}
		if err == nil {
			_, err = c.UpWith(t.ctx, control.UpRequest{Profile: profile, Password: answer.Password}, nil)
		}
		t.post(func() { t.connected(profile, silent, answer, err) })
	})
}

func (t *tray) connected(profile string, silent bool, answer Answer, err error) {
	switch {
	case err == nil:
		if answer.Keep != nil {
			t.work.Go(func() {
				if err := answer.Keep(); err != nil {
					t.opts.Log.Warn("the password is not kept", "profile", profile, "error", err)
				}
			})
		}
	case errors.Is(err, ErrNoAnswer), errors.Is(err, control.ErrNoDaemon), silent, t.stopped[profile], t.ctx.Err() != nil:
	default:
		t.failed(profile, err)
	}
	t.refresh()
}

// failed takes in that a request came to nothing. Where the session itself has
// failed, its own event says so.
func (t *tray) failed(profile string, err error) {
	e, ok := errors.AsType[*control.Error](err)
	if !ok {
		e = &control.Error{Reason: control.ReasonFailed, Text: err.Error()}
	}
	t.opts.Log.Info("refused", "profile", profile, "reason", e.Reason, "text", e.Text)
	t.tell(t.world.Refused(profile, e))
}

func (t *tray) disconnect(profile string) {
	c := t.client
	if c == nil {
		return
	}
	t.stopped[profile] = true
	t.work.Go(func() {
		if err := c.Down(t.ctx, profile); err != nil {
			t.post(func() { t.failed(profile, err) })
		}
		t.post(t.refresh)
	})
}

func (t *tray) readLogin() {
	if t.opts.Settings == nil {
		return
	}
	list, err := t.opts.Settings.Login()
	if err != nil {
		t.opts.Log.Warn("what is connected at login cannot be read", "error", err)
	}
	for _, name := range list {
		t.world.Login[name] = true
	}
}

func (t *tray) toggleLogin(profile string) {
	if t.opts.Settings == nil {
		return
	}
	on := !t.world.Login[profile]
	if err := t.opts.Settings.SetLogin(profile, on); err != nil {
		t.failed(profile, err)
		return
	}
	if on {
		t.world.Login[profile] = true
	} else {
		delete(t.world.Login, profile)
	}
}
