package client

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
)

// logged is a log's text, for the test to read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// hookSession returns a session whose profile has these hooks.
func hookSession(t *testing.T, keys string) (*world, *Session, *logged) {
	t.Helper()
	w, s := newWorld(t, "routes: [172.16.0.0/16]\n"+keys)
	w.dhcp = nil
	log := &logged{}
	s.log = slog.New(slog.NewTextHandler(log, nil))
	return w, s, log
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// TestHooks: they run in the order of what they are about, each after the one
// before, with pppd's names in their environment and nothing of ours.
func TestHooks(t *testing.T) {
	t.Setenv("SECRET_OF_OURS", "x")
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	script := filepath.Join(dir, "hook")
	text := "#!/bin/sh\necho \"$1 $2 event=$GOPPPTP_EVENT\" >>" + out + "\nenv | sort >" + dir + "/env.$1\necho said $1\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	_, s, log := hookSession(t, fmt.Sprintf("on_up: [[%[1]s, up, $HOME], [%[1]s, up2]]\non_change: [%[1]s, change]\non_down: [%[1]s, down]\n", script))
	up := tunnelUp
	up.Network.DNS = addrs("192.168.13.1", "192.168.13.2", "192.168.13.3")
	if err := s.up(t.Context(), up); err != nil {
		t.Fatal(err)
	}
	if err := s.AddRoute(t.Context(), routing.Route{To: prefix("10.9.0.0/16")}); err != nil {
		t.Fatal(err)
	}
	s.leave(tunnel.Stats{TxBytes: 77, RxBytes: 1 << 33})
	s.startOnDown()
	s.startOnDown() // is due once
	s.waitHooks()
	if got, want := read(t, out), "up $HOME event=up\nup2  event=up\nchange  event=change\ndown  event=down\n"; got != want {
		t.Errorf("they ran as\n%swant\n%s", got, want)
	}
	env := strings.Split(strings.TrimSpace(read(t, dir+"/env.down")), "\n")
	for _, want := range []string{
		"IFNAME=ppp0", "IPLOCAL=192.168.13.240", "IPREMOTE=192.168.13.254", "DNS1=192.168.13.1", "DNS2=192.168.13.2", "LINKNAME=lab",
		"PEERNAME=203.235.199.133", "BYTES_SENT=77", "BYTES_RCVD=8589934592", "CONNECT_TIME=0", "GOPPPTP_PROFILE=lab", "PWD=/",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is not in the environment: %q", want, env)
		}
	}
	if joined := strings.Join(env, " "); strings.Contains(joined, "SECRET") || strings.Contains(joined, "DNS3") || strings.Contains(joined, "USEPEERDNS") {
		t.Errorf("the environment is %s", joined)
	}
	if change := read(t, dir+"/env.change"); !strings.Contains(change, "GOPPPTP_ROUTES=172.16.0.0/16 10.9.0.0/16\n") || strings.Contains(change, "BYTES_") {
		t.Errorf("the environment of on_change is %s", change)
	}
	if !strings.Contains(log.String(), `event=on_change program=`+script+` printed="said change"`) {
		t.Errorf("the log is %s", log)
	}
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

// TestHookFails: a hook that fails is told of, and takes nothing down.
func TestHookFails(t *testing.T) {
	w, s, _ := hookSession(t, `on_up: [[/bin/sh, -c, "echo first; printf 'the \\033[1m last\\n'; exit 3"], [/nonexistent/hook], [/bin/true]]`+"\n")
	if err := s.up(t.Context(), tunnelUp); err != nil {
		t.Fatal(err)
	}
	s.waitHooks()
	for _, want := range []string{"on_up: /bin/sh: exit status 3: the ?[1m last", "/nonexistent/hook"} {
		if !warns(s, want) || !slices.ContainsFunc(w.notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("%s: warnings %q, notes %q", want, s.Status().Warnings, w.notes)
		}
	}
	if s.Status().State != control.StateUp {
		t.Errorf("state %s", s.Status().State)
	}
}

// TestHookRequired: one that is required takes the session down, and those
// after it are not run.
func TestHookRequired(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	_, s, _ := hookSession(t, `on_up: [{run: [/bin/sh, -c, "echo no mount; exit 1"], required: true}, [/bin/touch, `+out+"]]\non_down: [/bin/touch, "+out+".down]\n")
	err := s.up(t.Context(), tunnelUp)
	e := Explain(err)
	if err == nil || e.Reason != control.ReasonFailed || e.Text != "on_up: /bin/sh: exit status 1: no mount" {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("the next one was run")
	}
	s.leave(tunnel.Stats{})
	s.startOnDown()
	s.waitHooks()
	if _, err := os.Stat(out + ".down"); err != nil {
		t.Errorf("on_down, which undoes what on_up has begun, was not run: %v", err)
	}
}

// TestHookTimeout: one that does not end is ended, with all that it started.
func TestHookTimeout(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "pid")
	_, s, _ := hookSession(t, "")
	h := profiles.Hook{Run: []string{"/bin/sh", "-c", "trap '' TERM; sleep 1000 & echo $! >" + fifo + "; wait; wait"}, Timeout: 200 * time.Millisecond}
	err := s.runHook(t.Context(), onUp, h, []string{"PATH=" + hookPath})
	if err == nil || !strings.HasPrefix(err.Error(), "on_up: /bin/sh was ended after 200ms") {
		t.Errorf("error %v", err)
	}
	var pid int
	if _, err := fmt.Sscan(read(t, fifo), &pid); err != nil {
		t.Fatal(err)
	}
	if gone := waitGone(pid); !gone {
		t.Errorf("its child %d still runs", pid)
	}
	// And one that is asked to end because the session ends says so.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.runHook(ctx, onUp, profiles.Hook{Run: []string{"/bin/sleep", "1000"}}, nil); err == nil || strings.Contains(err.Error(), "was ended after") {
		t.Errorf("error %v", err)
	}
}

// waitGone waits until a process has ended; a zombie that nobody reaps has.
func waitGone(pid int) bool {
	late := time.After(10 * time.Second)
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return true
		}
		select {
		case <-late:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestTailBuffer(t *testing.T) {
	b := &tailBuffer{max: 10}
	for _, s := range []string{"0123456789abcdef", "g\n", "\n"} {
		if n, err := b.Write([]byte(s)); n != len(s) || err != nil {
			t.Error(n, err)
		}
	}
	if got := b.buf.String(); got != "9abcdefg\n\n" {
		t.Errorf("kept %q", got)
	}
	if got := b.lastLine(); got != "9abcdefg" {
		t.Errorf("last line %q", got)
	}
}
