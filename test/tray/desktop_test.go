package tray

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// binary is the goppptp-tray under test; empty: it cannot be built here, and
// why says for want of what.
var binary, why string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "goppptp-tray-test-")
	if err != nil {
		panic(err)
	}
	build(dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) {
	for _, module := range []string{"gtk+-3.0", "ayatana-appindicator3-0.1"} {
		if exec.Command("pkg-config", "--exists", module).Run() != nil {
			why = "no headers of " + module
			return
		}
	}
	// Go turns cgo off by itself where there is no C compiler.
	if on, err := exec.Command("go", "env", "CGO_ENABLED").Output(); err != nil || strings.TrimSpace(string(on)) != "1" {
		why = "cgo is off, or there is no C compiler"
		return
	}
	path := filepath.Join(dir, "goppptp-tray")
	if out, err := exec.Command("go", "build", "-tags", "tray", "-o", path, "goppptp/cmd/goppptp-tray").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s", out)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	binary = path
}

// wait is how long something may take that takes a fraction of a second where
// nothing else runs.
const wait = 20 * time.Second

// await waits until done says so.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(wait)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not after %v", what, wait)
		}
	}
}

// A desktop is a screen, a session bus, and a home.
type desktop struct {
	t    *testing.T
	dir  string
	env  []string
	conn *dbus.Conn // the test's own
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	if binary == "" {
		t.Skip("goppptp-tray cannot be built: " + why)
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed")
		}
	}
}

// newDesktop starts one; it ends with the test.
func newDesktop(t *testing.T, size string) *desktop {
	t.Helper()
	needs(t, "Xvfb", "dbus-daemon")
	d := &desktop{t: t, dir: t.TempDir()}
	for _, sub := range []string{"home/.config", "home/.cache", "home/.local/share", "run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(d.dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// What the bus starts, it starts with its own environment.
	home := filepath.Join(d.dir, "home")
	d.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + filepath.Join(d.dir, "tmp"), "XDG_RUNTIME_DIR=" + filepath.Join(d.dir, "run"),
		"XDG_CONFIG_HOME=" + home + "/.config", "XDG_CACHE_HOME=" + home + "/.cache", "XDG_DATA_HOME=" + home + "/.local/share",
		"NO_AT_BRIDGE=1", "XDG_CURRENT_DESKTOP=XFCE", "LANG=C",
	}
	display := d.firstLine("Xvfb", "-displayfd", "3", "-screen", "0", size+"x24", "-nolisten", "tcp", "-noreset")
	d.env = append(d.env, "DISPLAY=:"+display)
	address := d.firstLine("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=3", "--address=unix:path="+filepath.Join(d.dir, "run", "bus"))
	d.env = append(d.env, "DBUS_SESSION_BUS_ADDRESS="+address)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d.conn = conn
	return d
}

// firstLine starts a program that runs as long as the test, and returns what
// it writes to descriptor 3 first.
func (d *desktop) firstLine(name string, args ...string) string {
	d.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.ExtraFiles = d.env, []*os.File{w}
	var log bytes.Buffer
	cmd.Stderr = &log
	err = cmd.Start()
	w.Close()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && line == "" {
		d.t.Fatalf("%s: %v: %s", name, err, log.String())
	}
	return strings.TrimSpace(line)
}

// A process is a program on the desktop.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	log bytes.Buffer // mu guards
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// start starts a program on the desktop, with more of an environment.
func (d *desktop) start(env []string, name string, args ...string) *process {
	d.t.Helper()
	return d.startWith(func(cmd *exec.Cmd) error { return cmd.Start() }, env, name, args...)
}

func (d *desktop) startWith(start func(*exec.Cmd) error, env []string, name string, args ...string) *process {
	d.t.Helper()
	p := &process{t: d.t, cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Env = append(append([]string{}, d.env...), env...)
	p.cmd.Stdout, p.cmd.Stderr = io.Writer(p), io.Writer(p)
	if err := start(p.cmd); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	d.t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			p.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-p.done:
			case <-time.After(wait):
				p.cmd.Process.Kill()
				<-p.done
			}
		}
		if d.t.Failed() {
			d.t.Logf("%s said:\n%s", filepath.Base(name), p.output())
		}
	})
	return p
}

// status waits until p has ended and returns its exit status.
func (p *process) status() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(wait):
		p.t.Fatalf("%v does not end", p.cmd.Args)
	}
	return p.cmd.ProcessState.ExitCode()
}

// memory returns the resident memory of p in kB.
func (p *process) memory() (kB int) {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kB); !ok || err != nil {
		p.t.Fatalf("no VmRSS: %v", err)
	}
	return kB
}

// run runs a program on the desktop to its end.
func (d *desktop) run(name string, args ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = d.env
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		d.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}
