//go:build linux

package realpeers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// eventually waits until cond holds, or fails the test after d.
func eventually(t *testing.T, d time.Duration, what string, cond func() bool) {
	t.Helper()
	if !within(d, cond) {
		t.Fatalf("after %v still not: %s", d, what)
	}
}

// within tells whether cond came to hold within d.
func within(d time.Duration, cond func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(d)
	for {
		if cond() {
			return true
		}
		select {
		case <-tick.C:
		case <-late:
			return cond()
		}
	}
}

// A process is a program that runs in a place.
type process struct {
	name   string
	cmd    *exec.Cmd
	out    transcript    // all that it said
	stdout transcript    // of that, what went to standard output
	done   chan struct{} // closed when it has ended
	took   time.Duration // from start to end, set before done is closed
}

// A transcript is what a process said so far.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer // mu guards
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs a program in a place. When the test ends it is killed with all of
// its process group, and what it said is in the log of a test that failed.
func (p *place) start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return p.startAs(t, nil, name, args...)
}

func (p *place) startAs(t *testing.T, who *syscall.Credential, name string, args ...string) *process {
	t.Helper()
	r := &process{name: filepath.Base(name), cmd: exec.Command(name, args...), done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = io.MultiWriter(&r.out, &r.stdout), &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
	r.cmd.WaitDelay = time.Second // grandchildren may hold its output open
	begin := time.Now()
	p.must(t, r.cmd.Start)
	go func() {
		r.cmd.Wait()
		r.took = time.Since(begin)
		close(r.done)
	}()
	t.Cleanup(func() {
		syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		<-r.done
		if t.Failed() {
			t.Logf("%s in %s said:\n%s", r.name, p.name, indent(r.out.String()))
		}
	})
	return r
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ")
}

// ended tells whether the process has.
func (r *process) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// status waits for the end and returns the exit status, 128+N for signal N.
func (r *process) status(t *testing.T, d time.Duration) int {
	t.Helper()
	if !within(d, r.ended) {
		t.Fatalf("%s has not ended after %v", r.name, d)
	}
	ws := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// stop sends SIGTERM and returns the exit status.
func (r *process) stop(t *testing.T) int {
	t.Helper()
	r.cmd.Process.Signal(syscall.SIGTERM)
	return r.status(t, 15*time.Second)
}

// kill ends the process and its group as a crash would.
func (r *process) kill(t *testing.T) {
	t.Helper()
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	r.status(t, 5*time.Second)
}

// running lists the processes of that name (as in /proc/PID/comm).
func running(name string) []int {
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		comm, err := os.ReadFile(d + "/comm")
		if err != nil || strings.TrimSpace(string(comm)) != name {
			continue
		}
		if state, err := os.ReadFile(d + "/stat"); err == nil && bytes.Contains(state, []byte(") Z ")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(d))
		pids = append(pids, pid)
	}
	return pids
}

// killAll ends every process of those names; in a guest they are all ours.
func killAll(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		for _, pid := range running(name) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Errorf("kill %s: %v", name, err)
			}
		}
	}
	eventually(t, 5*time.Second, fmt.Sprintf("%v gone", names), func() bool {
		for _, name := range names {
			if len(running(name)) > 0 {
				return false
			}
		}
		return true
	})
}
