package client

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/control"
	"goppptp/routing"
)

// A host is a manager on a lab, with profiles.
type host struct {
	*Manager
	w   *lab
	dir string
}

func newHost(t *testing.T, w *lab) *host {
	t.Helper()
	h := &host{w: w, dir: t.TempDir()}
	h.install(t, "lab", profileText)
	h.Manager = NewManager(ManagerOptions{Profiles: []string{h.dir}, Platform: w, Log: w.log,
		Routes: func() routing.Applier { return &table{w: w} }})
	return h
}

func (h *host) install(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name+".yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A result is what Up returned.
type result struct {
	status control.Status
	err    error
}

func (h *host) up(ctx context.Context, name string) <-chan result {
	c := make(chan result, 1)
	go func() {
		st, err := h.Up(ctx, control.UpRequest{Profile: name})
		c <- result{st, err}
	}()
	return c
}

// end closes the manager and looks that nothing is left.
func (h *host) end(t *testing.T) {
	t.Helper()
	h.Close()
	if left := h.w.left(); len(left) > 0 {
		t.Errorf("left open: %v", left)
	}
}

func managers(t *testing.T, f func(t *testing.T, h *host)) {
	t.Helper()
	bubble(t, func(t *testing.T, w *lab) { f(t, newHost(t, w)) })
}

func TestUpTwice(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		defer h.w.serve(serverText)()
		ctx := context.Background()
		first, second := h.up(ctx, "lab"), h.up(ctx, "lab")
		a, b := <-first, <-second
		if a.err != nil || b.err != nil || a.status.State != control.StateUp || b.status.Local != a.status.Local {
			t.Errorf("two at once: %+v and %+v", a, b)
		}
		began := time.Now()
		if c := <-h.up(ctx, "lab"); c.err != nil || c.status.Local != a.status.Local || time.Since(began) > 0 {
			t.Errorf("a third: %+v after %v", c, time.Since(began))
		}
		if n := len(h.w.takeDialled()); n != 1 {
			t.Errorf("dialled %d times", n)
		}
		st, err := h.Down(ctx, "lab")
		if err != nil || st.State != control.StateDown {
			t.Errorf("Down: %+v, %v", st, err)
		}
		if st, err = h.Down(ctx, "lab"); err != nil || st.State != control.StateDown {
			t.Errorf("Down again: %+v, %v", st, err)
		}
		h.end(t)
	})
}

func TestDownWhileConnecting(t *testing.T) {
	for after := time.Duration(0); after < 500*time.Millisecond; after += 50 * time.Millisecond {
		managers(t, func(t *testing.T, h *host) {
			defer h.w.serve(serverText)()
			up := h.up(context.Background(), "lab")
			pass(after)
			synctest.Wait()
			if st, err := h.Down(context.Background(), "lab"); err != nil || st.State != control.StateDown {
				t.Errorf("after %v Down gave %+v, %v", after, st, err)
			}
			if r := <-up; r.err == nil && r.status.State != control.StateUp || r.err != nil && !strings.Contains(r.err.Error(), "disconnected") {
				t.Errorf("after %v Up gave %+v", after, r)
			}
			h.end(t)
		})
	}
}

// TestUpWhileGoingDown: whoever asks for a session that is on its way down
// gets the next one.
func TestUpWhileGoingDown(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		defer h.w.serve(serverText)()
		ctx := context.Background()
		<-h.up(ctx, "lab")
		go h.Down(ctx, "lab")
		pass(time.Millisecond)
		r := <-h.up(ctx, "lab")
		if r.err != nil || r.status.State != control.StateUp {
			t.Errorf("Up gave %+v", r)
		}
		pass(time.Minute)
		if st, _ := h.Session(ctx, "lab"); st.State != control.StateUp {
			t.Errorf("a minute later: %+v", st)
		}
		h.end(t)
	})
}

func TestUpOfNothing(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		h.install(t, "bad", "gatway: x\n")
		h.install(t, "silent", "gateway: station\nuser: sio4\n")
		h.install(t, "broken", "gateway: station\nuser: sio4\npassword_file: /nowhere/at/all\n")
		for name, text := range map[string]string{
			"unknown": `no profile "unknown"`, "bad": `unknown key "gatway"`, "silent": "stores no password", "broken": "password_file",
			"../lab": "", "/etc/passwd": "", "": "",
		} {
			r := <-h.up(context.Background(), name)
			if e := Explain(r.err); e == nil || e.Reason != control.ReasonUsage || !strings.Contains(e.Text, text) {
				t.Errorf("Up of %q gave %+v", name, r)
			}
		}
		if n := h.Live(); n != 0 {
			t.Errorf("%d sessions live", n)
		}
		if _, err := h.Session(context.Background(), "unknown"); control.ReasonOf(err) != control.ReasonUsage {
			t.Errorf("the status of an unknown profile: %v", err)
		}
		if err := h.AddRoute(context.Background(), "lab", control.Route{To: netip.MustParsePrefix("172.20.0.0/16")}); control.ReasonOf(err) != control.ReasonUsage {
			t.Errorf("a route for what is not up: %v", err)
		}
		h.end(t)
	})
}

// TestAskerGoesAway: an attempt that nobody waits for any more is given up; a
// session that is up is not.
func TestAskerGoesAway(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		defer h.w.serve(serverText)()
		ctx, cancel := context.WithCancel(context.Background())
		up := h.up(ctx, "lab")
		pass(100 * time.Millisecond)
		cancel()
		if r := <-up; !errors.Is(r.err, context.Canceled) {
			t.Errorf("Up gave %+v", r)
		}
		if h.Live() != 0 || len(h.w.left()) != 0 {
			t.Errorf("%d live, %v", h.Live(), h.w.left())
		}
		ctx, cancel = context.WithCancel(context.Background())
		<-h.up(ctx, "lab")
		cancel()
		pass(time.Minute)
		if h.Live() != 1 {
			t.Error("it went down with who had asked for it")
		}
		h.end(t)
	})
}

// TestUpWhileLost: whoever asks for a session that waits for its next attempt
// has it made at once, and is answered when it is up.
func TestUpWhileLost(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		stop := h.w.serve(serverText)
		ctx := context.Background()
		<-h.up(ctx, "lab")
		pass(time.Minute)
		h.w.vanish()
		stop()
		pass(5 * time.Minute)
		stop = h.w.serve(serverText)
		began := time.Now()
		r := <-h.up(ctx, "lab")
		if r.err != nil || r.status.State != control.StateUp || time.Since(began) > time.Second {
			t.Errorf("Up gave %+v after %v", r, time.Since(began))
		}
		h.end(t)
		stop()
	})
}

// TestFailed: why a session failed is told until the next attempt.
func TestFailed(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		ctx := context.Background()
		r := <-h.up(ctx, "lab")
		if control.ReasonOf(r.err) != control.ReasonUnreachable {
			t.Fatalf("Up gave %+v", r)
		}
		st, err := h.Session(ctx, "lab")
		if err != nil || st.State != control.StateFailed || st.Error == nil || st.Error.Reason != control.ReasonUnreachable {
			t.Errorf("the status is %+v, %v", st, err)
		}
		if h.Lost() {
			t.Error("what was never up counts as lost")
		}
		defer h.w.serve(serverText)()
		if r := <-h.up(ctx, "lab"); r.err != nil || r.status.State != control.StateUp {
			t.Errorf("Up gave %+v", r)
		}
		h.end(t)
	})
}

func TestIdle(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		h.install(t, "other", strings.Replace(profileText, "station", "elsewhere", 1)+"reconnect: false\n")
		h.w.names["elsewhere"] = []netip.Addr{second}
		stop := h.w.serve(serverText)
		ctx := context.Background()
		<-h.up(ctx, "lab")
		<-h.up(ctx, "other")
		list, err := h.Sessions(ctx)
		if err != nil || len(list) != 2 || list[0].Profile != "lab" || list[1].Profile != "other" {
			t.Errorf("sessions %+v, %v", list, err)
		}
		h.Down(ctx, "lab")
		synctest.Wait()
		select {
		case <-h.Idle():
			t.Error("idle while one lives")
		default:
		}
		if h.CloseIfIdle() {
			t.Error("closed while one lives")
		}
		h.w.vanish()
		<-h.Idle()
		if !h.Lost() {
			t.Error("what was up and failed does not count as lost")
		}
		if !h.CloseIfIdle() {
			t.Error("not closed")
		}
		if r := <-h.up(ctx, "lab"); control.ReasonOf(r.err) != control.ReasonEnding {
			t.Errorf("Up gave %+v", r)
		}
		h.end(t)
		stop()
	})
}

// TestEvents: who listens hears of a session from its first stage to its end.
func TestEvents(t *testing.T) {
	managers(t, func(t *testing.T, h *host) {
		defer h.w.serve(serverText)()
		ctx, cancel := context.WithCancel(context.Background())
		events := h.Events(ctx)
		<-h.up(context.Background(), "lab")
		h.Down(context.Background(), "lab")
		synctest.Wait()
		cancel()
		var got []string
		for e := range events {
			if e.Profile != "lab" {
				t.Errorf("an event of %q", e.Profile)
			}
			if e.Type == control.EventState {
				got = append(got, string(e.Status.State))
			} else if e.Type == control.EventStage {
				got = append(got, string(e.Stage))
			}
		}
		if !slices.Equal(got, strings.Fields("resolve tcp control call lcp auth mppe address routes up disconnecting down")) {
			t.Errorf("events %v", got)
		}
		h.end(t)
	})
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	unlock, err := Lock(t.Context(), dir, "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(t.Context(), dir, "x", 0); !errors.Is(err, ErrLocked) {
		t.Errorf("a second gave %v", err)
	}
	if other, err := Lock(t.Context(), dir, "y", 0); err != nil {
		t.Errorf("another lock gave %v", err)
	} else {
		other()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ctx, dir, "x", time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting without end gave %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "session-dead-1.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	alive, err := Lock(t.Context(), dir, "session-alive-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	removeLocks(dir)
	if files, _ := filepath.Glob(filepath.Join(dir, "session-*")); len(files) != 1 || filepath.Base(files[0]) != "session-alive-1.lock" {
		t.Errorf("after repair there are %v", files)
	}
	alive()
	unlock()
	if again, err := Lock(t.Context(), dir, "x", 0); err != nil {
		t.Errorf("afterwards: %v", err)
	} else {
		again()
	}
}

// TestDaemonEnds: a daemon that was started for one session ends with it, and
// has its run directory to itself meanwhile.
func TestDaemonEnds(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network of its own")
	}
	// A daemon takes away routes of ours that nobody claims: not from this
	// machine's table.
	const inside = "GOPPPTP_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run", "^TestDaemonEnds$")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir, profiles := t.TempDir(), t.TempDir()
	// Of .onion the resolver says at once, and asking nobody, that there is no
	// such host (RFC 7686).
	err := os.WriteFile(filepath.Join(profiles, "gone.yaml"), []byte("gateway: gone.onion\nuser: x\npassword: x\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- Daemon(t.Context(), DaemonOptions{RunDir: dir, Profiles: []string{profiles}, UntilIdle: true})
	}()
	var c *control.Client
	for err = control.ErrNoDaemon; errors.Is(err, control.ErrNoDaemon); {
		c, err = control.Dial(filepath.Join(dir, "control.sock"))
		select {
		case err := <-done:
			t.Fatalf("the daemon ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := Lock(t.Context(), dir, "daemon", 0); !errors.Is(err, ErrLocked) {
		t.Errorf("the daemon's lock: %v", err)
	}
	var stages sync.Map
	_, err = c.Up(t.Context(), "gone", func(e control.Event) { stages.Store(e.Stage, true) })
	if control.ReasonOf(err) != control.ReasonUnreachable {
		t.Errorf("Up gave %v", err)
	}
	if _, ok := stages.Load(control.StageResolve); !ok {
		t.Error("no stage was told")
	}
	if err := <-done; err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	if _, err := control.Dial(filepath.Join(dir, "control.sock")); !errors.Is(err, control.ErrNoDaemon) {
		t.Errorf("dialling it gives %v", err)
	}
}
