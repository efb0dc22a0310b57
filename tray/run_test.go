package tray

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"goppptp/internal/control"
)

// A screen is a Shell that keeps what it was told to show.
type screen struct {
	clicks chan Action
	shown  chan struct{} // a value after each Show

	mu   sync.Mutex
	menu Menu // mu guards
	icon Icon // mu guards
}

func newScreen() *screen { return &screen{clicks: make(chan Action), shown: make(chan struct{}, 1)} }

func (s *screen) Icon(icon Icon, _ int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.icon = icon
}

func (s *screen) Show(m Menu) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.menu = m
	select {
	case s.shown <- struct{}{}:
	default:
	}
}

func (s *screen) Clicks() <-chan Action { return s.clicks }

// await waits until the menu is as wanted.
func (s *screen) await(t *testing.T, what string, ok func(Menu) bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		m := s.menu
		s.mu.Unlock()
		if ok(m) {
			return
		}
		select {
		case <-s.shown:
		case <-late:
			t.Fatalf("%s: the menu is\n%s", what, text(m))
		}
	}
}

func first(state string) func(Menu) bool {
	return func(m Menu) bool {
		return len(m.Sections) > 0 && len(m.Sections[0].State.Text) >= len(state) && m.Sections[0].State.Text[:len(state)] == state
	}
}

// An engine is a control.Backend that comes up at a word, or not.
type engine struct {
	control.Hub
	mu     sync.Mutex
	state  control.Status        // mu guards
	asked  []control.UpRequest   // mu guards
	refuse *control.Error        // mu guards
	list   []control.ProfileInfo // mu guards
}

func newEngine(profiles ...control.ProfileInfo) *engine {
	return &engine{list: profiles, state: in(control.StateDown, nil)}
}

func (e *engine) set(st control.Status) {
	e.mu.Lock()
	e.state = st
	e.mu.Unlock()
	e.Publish(control.Event{Type: control.EventState, Profile: st.Profile, Status: &st})
}

func (e *engine) Up(_ context.Context, req control.UpRequest) (control.Status, error) {
	e.mu.Lock()
	e.asked = append(e.asked, req)
	refuse := e.refuse
	e.mu.Unlock()
	if refuse != nil {
		e.set(in(control.StateFailed, refuse))
		return control.Status{}, refuse
	}
	e.set(up())
	return up(), nil
}

func (e *engine) Down(context.Context, string) (control.Status, error) {
	e.set(in(control.StateDown, nil))
	return in(control.StateDown, nil), nil
}

func (e *engine) Sessions(context.Context) ([]control.Status, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return []control.Status{e.state}, nil
}

func (e *engine) Session(context.Context, string) (control.Status, error) { return e.state, nil }
func (e *engine) AddRoute(context.Context, string, control.Route) error   { return nil }
func (e *engine) DelRoute(context.Context, string, control.Route) error   { return nil }
func (e *engine) Profiles(context.Context) ([]control.ProfileInfo, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list), nil
}

// serve answers at a socket until stop is called.
func (e *engine) serve(t *testing.T, path string) (stop func()) {
	t.Helper()
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		control.NewServer(control.Options{Backend: e, MayChange: func(control.Peer) bool { return true }}).Serve(ctx, l)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

// run runs the loop until the test ends.
func run(t *testing.T, opts Options) (quit func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, opts) }()
	quit = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { quit() })
	return quit
}

func TestRunPassword(t *testing.T) {
	asks := info("lab")
	asks.Asks = true
	e := newEngine(asks)
	path := filepath.Join(t.TempDir(), "control.sock")
	e.serve(t, path)
	s := newScreen()
	var mu sync.Mutex
	var questions []Question
	kept := make(chan string, 1)
	answer := "right"
	run(t, Options{Socket: path, Shell: s, Password: func(_ context.Context, q Question) (Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		questions = append(questions, q)
		if answer == "" {
			return Answer{}, ErrNoAnswer
		}
		a := answer
		return Answer{control.Secret(a), func() error { kept <- a; return nil }}, nil
	}})
	s.await(t, "down", first("○ lab: not connected"))

	// A wrong one is not kept, and asked for again the next time.
	e.mu.Lock()
	e.refuse = &control.Error{Reason: control.ReasonAuth, Text: "no"}
	e.mu.Unlock()
	s.clicks <- Action{Connect, "lab"}
	s.await(t, "refused", first("▲ lab: could not connect"))
	e.mu.Lock()
	e.refuse = nil
	e.mu.Unlock()
	s.clicks <- Action{Connect, "lab"}
	s.await(t, "up", first("● lab: connected"))
	if got := <-kept; got != "right" {
		t.Errorf("kept %q", got)
	}
	mu.Lock()
	if len(questions) != 2 || questions[0].Again || !questions[1].Again {
		t.Errorf("questions %+v", questions)
	}
	answer = ""
	mu.Unlock()
	s.clicks <- Action{Disconnect, "lab"}
	s.await(t, "down", first("○ lab: not connected"))

	// Whoever thinks better of it has not failed.
	s.clicks <- Action{Connect, "lab"}
	s.await(t, "down still", func(m Menu) bool {
		mu.Lock()
		defer mu.Unlock()
		return len(questions) == 3 && first("○ lab: not connected")(m)
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.asked) != 2 || string(e.asked[1].Password) != "right" {
		t.Errorf("%d requests", len(e.asked))
	}
	if len(kept) != 0 {
		t.Error("a wrong password was kept")
	}
}

// TestRunRestoresAfterRestart has a session with a password that only the
// desktop knows: after a restart of the daemon the tray hands it over again,
// and asks nobody.
func TestRunRestoresAfterRestart(t *testing.T) {
	asks := info("lab")
	asks.Asks, asks.Keyring = true, true
	path := filepath.Join(t.TempDir(), "control.sock")
	e := newEngine(asks)
	stop := e.serve(t, path)
	s := newScreen()
	silent := make(chan bool, 4)
	run(t, Options{Socket: path, Shell: s, Password: func(_ context.Context, q Question) (Answer, error) {
		silent <- q.Silent
		return Answer{Password: "from the keyring"}, nil
	}})
	s.await(t, "down", first("○ lab"))
	s.clicks <- Action{Connect, "lab"}
	s.await(t, "up", first("● lab"))
	stop()
	s.await(t, "no daemon", func(m Menu) bool { return m.Icon == IconFailed && len(m.Sections) == 0 })
	e = newEngine(asks)
	e.serve(t, path)
	s.await(t, "up again", first("● lab"))
	if <-silent || !<-silent {
		t.Error("the user would have been asked")
	}
}

func TestRunSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	e := newEngine(info("lab"), info("office"))
	e.serve(t, path)
	settings := &Settings{ConfigDir: t.TempDir(), Program: "/usr/bin/goppptp-tray"}
	s := newScreen()
	quit := run(t, Options{Socket: path, Shell: s, Settings: settings})
	s.await(t, "down", first("○ lab"))
	s.clicks <- Action{ToggleLogin, "lab"}
	s.await(t, "the mark", func(m Menu) bool { return m.Sections[0].Login.Check })
	quit()

	s = newScreen()
	quit = run(t, Options{Socket: path, Shell: s, Settings: settings, Login: true})
	s.await(t, "up at login", first("● lab"))
	s.clicks <- Action{ToggleLogin, "lab"}
	s.await(t, "no mark", func(m Menu) bool { return !m.Sections[0].Login.Check })
	if list, err := settings.Login(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if err := quit(); err != nil {
		t.Error(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.asked) != 1 || e.asked[0].Profile != "lab" {
		t.Errorf("asked for %v", e.asked)
	}
	if e.state.State != control.StateUp {
		t.Error("the session did not outlive the tray")
	}
}

func TestRunQuit(t *testing.T) {
	s := newScreen()
	logs := make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), Options{Socket: filepath.Join(t.TempDir(), "none.sock"), Shell: s, OpenLog: func() { logs <- struct{}{} }})
	}()
	s.await(t, "no daemon", func(m Menu) bool { return m.Notices[0].Text == English.Say("daemon.gone") })
	s.clicks <- Action{Connect, "lab"} // there is nobody to ask
	s.clicks <- Action{Verb: OpenLog}
	<-logs
	s.clicks <- Action{Verb: Quit}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAsker(t *testing.T) {
	told := ""
	a := &Asker{Texts: English, Tell: func(summary, _ string) { told = summary }, LookPath: func(string) (string, error) { return "", errors.New("none") }}
	if _, err := a.Password(t.Context(), Question{Profile: info("lab")}); !errors.Is(err, ErrNoAnswer) || told != "lab needs a password" {
		t.Errorf("without a dialog: %v, %q", err, told)
	}
	told = ""
	if _, err := a.Password(t.Context(), Question{Profile: info("lab"), Silent: true}); !errors.Is(err, ErrNoAnswer) || told != "" {
		t.Errorf("silent: %v, %q", err, told)
	}
	programs := map[string]string{"zenity": "/bin/false", "kdialog": "/bin/echo"}
	a.LookPath = func(name string) (string, error) { return programs[name], nil }
	if _, err := a.Password(t.Context(), Question{Profile: info("lab")}); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("cancelled: %v", err)
	}
	programs["zenity"] = "/nonexistent/zenity"
	if got, err := a.Password(t.Context(), Question{Profile: info("lab")}); err != nil || string(got.Password) != "--title Password for lab --password Password of sio4 at station:" || got.Keep != nil {
		t.Errorf("the other dialog: %q, %v", string(got.Password), err)
	}
}
