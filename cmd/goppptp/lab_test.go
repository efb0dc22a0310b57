package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goppptp/internal/control"
	"goppptp/routing"
)

// insideLab in the environment has TestInLab be what the lab runs.
const insideLab = "GOPPPTP_TEST_INSIDE_LAB"

// TestInLab runs `goppptp lab` with this test as the command at the client,
// which does there what users do.
func TestInLab(t *testing.T) {
	if os.Getenv(insideLab) != "" {
		inLab(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	p := newPlace(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "yes") // what the lab starts is us
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	o := p.run("lab", "--", "env", "-u", asProgram, insideLab+"=1", exe, "-test.run", "^TestInLab$", "-test.v", "-test.timeout", "3m")
	o.want(t, 0, "All as it should be", "")
	for _, route := range []string{
		"+ 172.16.0.0/16 via 192.168.13.254 dev ppp0", "+ 192.168.13.0/24 via 192.168.13.254 dev ppp0", "+ 192.168.14.0/24 via 192.168.13.254 dev ppp0",
		"+ 192.168.13.254 dev ppp0", "+ 203.235.199.133 via 10.250.166.1 dev eth0",
	} {
		if !strings.Contains(o.stdout, route) {
			t.Errorf("%q is not in the table", route)
		}
	}
	if n := strings.Count(o.stdout, "\n+ "); n != 5 {
		t.Errorf("%d routes are new", n)
	}
	if t.Failed() {
		t.Log(o.stdout, o.stderr)
	}
}

// inLab does what users do, at the client of a lab whose session is up.
func inLab(t *testing.T) {
	p := &place{t: t, profiles: os.Getenv("GOPPPTP_PROFILES"), runDir: os.Getenv("GOPPPTP_RUN_DIR")}
	if len(ours(t)) != 5 {
		t.Fatalf("routes %v", ours(t))
	}
	for _, c := range []struct {
		name string
		f    func(*testing.T, *place)
	}{
		{"up when it is up", upWhenUp}, {"routes", liveRoutes}, {"several at once", severalAtOnce}, {"down and up", downAndUp},
		{"refused", refusedInLab}, {"interrupted", interruptedInLab}, {"foreground", foreground}, {"foreground twice", foregroundTwice},
		{"killed", killed}, {"daemon killed", daemonKilled}, {"nobody reads", nobodyReads},
		{"at the server", atTheServer},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			c.f(t, p)
		})
	}
	p.t = t
	p.child("", nil, "up", "lab").want(t, 0, "lab: up", "") // as it was found
}

// ours lists our routes in the kernel's table.
func ours(t *testing.T) (out []string) {
	t.Helper()
	st, err := routing.ReadState()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range st.Routes {
		if r.Protocol == routing.Protocol {
			out = append(out, r.To.String()+" dev "+r.Dev)
		}
	}
	return out
}

func wantNoRoutes(t *testing.T) {
	t.Helper()
	if left := ours(t); len(left) > 0 {
		t.Errorf("routes are left: %v", left)
	}
}

// daemons lists the daemons of the place.
func (p *place) daemons() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if args := strings.Split(string(b), "\x00"); slices.Contains(args, "daemon") && slices.Contains(args, p.runDir) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func (p *place) status(t *testing.T) (st control.Status) {
	t.Helper()
	o := p.child("", nil, "status", "lab", "--json")
	o.want(t, 0, "", "")
	o.unmarshal(t, &st)
	return st
}

func upWhenUp(t *testing.T, p *place) {
	before := p.status(t)
	if before.State != control.StateUp || before.Interface != "ppp0" || len(before.Routes) != 3 || before.MPPE == nil || before.MPPE.Bits != 128 {
		t.Fatalf("status %+v", before)
	}
	o := p.child("", nil, "up", "lab", "--json")
	o.want(t, 0, "", "")
	var st control.Status
	if o.unmarshal(t, &st); !st.Since.Equal(before.Since) || st.Local != before.Local {
		t.Errorf("it is another session: %+v", st)
	}
	p.child("", nil, "up", "--foreground", "lab").want(t, 2, "", "the daemon has lab up already: `goppptp down lab` first")
	p.child("", nil, "daemon").want(t, 1, "", "a daemon runs already")
	p.child("", nil, "plan", "lab").want(t, 0, "", "")
}

func liveRoutes(t *testing.T, p *place) {
	p.child("", nil, "route", "add", "lab", "172.20.0.0/16", "--metric", "7").want(t, 0, "", "")
	if !slices.Contains(ours(t), "172.20.0.0/16 dev ppp0") {
		t.Errorf("after adding: %v", ours(t))
	}
	p.child("", nil, "route", "del", "lab", "172.20.0.0/16").want(t, 0, "", "")
	p.child("", nil, "route", "del", "lab", "172.20.0.0/16").want(t, 2, "", "172.20.0.0/16")
	if len(ours(t)) != 5 {
		t.Errorf("after deleting: %v", ours(t))
	}
}

func severalAtOnce(t *testing.T, p *place) {
	p.child("", nil, "down", "--all").want(t, 0, "lab is down", "")
	wantNoRoutes(t)
	results := make(chan outcome)
	for range 4 {
		go func() { results <- p.child("", nil, "up", "lab") }()
	}
	for range 4 {
		o := <-results
		o.want(t, 0, "lab: up", "")
	}
	if n := len(p.daemons()); n != 1 {
		t.Errorf("%d daemons", n)
	}
	if len(ours(t)) != 5 {
		t.Errorf("routes %v", ours(t))
	}
}

// downAndUp: the daemon that ends with its last session is no trouble to the
// next that asks.
func downAndUp(t *testing.T, p *place) {
	for range 5 {
		p.child("", nil, "down", "lab").want(t, 0, "lab is down\n", "")
		p.child("", nil, "up", "lab").want(t, 0, "lab: up", "")
	}
	p.child("", nil, "down", "lab").want(t, 0, "lab is down\n", "")
	wantNoRoutes(t)
}

func refusedInLab(t *testing.T, p *place) {
	const good = "gateway: 203.235.199.133\nuser: sio4\npassword: p4ssw0rd\n"
	for name, c := range map[string]struct {
		profile, stderr string
		code            int
	}{
		"wrong-password": {"gateway: 203.235.199.133\nuser: sio4\npassword: wrong\n", "authentication refused: wrong user name or password (E=691)", 4},
		"strength":       {good + "mppe: {bits: [40]}\n", "MPPE not agreed: we require 40-bit stateless", 5},
		"port":           {strings.Replace(good, "203.235.199.133", "198.51.100.10", 1), "cannot connect to 198.51.100.10:1723: connection refused", 3},
		"name":           {strings.Replace(good, "203.235.199.133", "vpn.onion", 1), "does not resolve", 3},
		"conflict":       {good + "routes: [203.235.199.133/32]\n", "", 0}, // the gateway itself: pinned, and no loop
	} {
		t.Run(name, func(t *testing.T) {
			p.write(name+".yaml", c.profile, 0o600)
			for _, args := range [][]string{{"up", name}, {"up", "--foreground", name}} {
				if c.code == 0 && len(args) == 3 {
					continue
				}
				o := p.child("", nil, args...)
				if c.code == 0 {
					if o.code != 0 && o.code != 7 {
						t.Errorf("%v: %+v", args, o)
					}
					p.child("", nil, "down", "--all")
				} else {
					o.want(t, c.code, "", c.stderr)
				}
				wantNoRoutes(t)
			}
		})
	}
	p.child("", nil, "status").want(t, 0, "nothing is up", "")
}

// A job is the program at work in another process.
type job struct {
	*exec.Cmd
	out *bufio.Reader
}

// start starts the program; both its outputs are read together.
func (p *place) start(t *testing.T, args ...string) *job {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asProgram+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &job{cmd, bufio.NewReader(out)}
}

// waitFor reads until a line has the text.
func (j *job) waitFor(t *testing.T, text string) {
	t.Helper()
	var all strings.Builder
	for {
		line, err := j.out.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("%q does not come: %s (%v)", text, all.String(), err)
		}
	}
}

// end sends a signal and returns the exit code and what was said afterwards.
func (j *job) end(sig syscall.Signal) (int, string) {
	j.Process.Signal(sig)
	rest, _ := io.ReadAll(j.out)
	j.Wait()
	return j.ProcessState.ExitCode(), string(rest)
}

// interruptedInLab: Ctrl-C while it connects to what does not answer.
func interruptedInLab(t *testing.T, p *place) {
	p.write("silent.yaml", "gateway: 10.250.166.99\nuser: x\npassword: y\n", 0o600)
	for _, args := range [][]string{{"up", "silent"}, {"up", "--foreground", "silent"}} {
		j := p.start(t, args...)
		j.waitFor(t, "connecting to 10.250.166.99:1723")
		began := time.Now()
		code, said := j.end(syscall.SIGINT)
		if code != 1 || said != "goppptp: interrupted\n" {
			t.Errorf("%v: exit code %d, %q", args, code, said)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%v: it took %v", args, took)
		}
	}
	// The daemon takes back what it had begun, and ends.
	for deadline := time.Now().Add(10 * time.Second); len(p.daemons()) > 0 && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
	}
	if n := len(p.daemons()); n != 0 {
		t.Errorf("%d daemons", n)
	}
	wantNoRoutes(t)
}

func foreground(t *testing.T, p *place) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		j := p.start(t, "up", "--foreground", "lab")
		j.waitFor(t, "lab: up for ")
		if len(ours(t)) != 5 {
			t.Errorf("routes %v", ours(t))
		}
		if code, said := j.end(sig); code != 0 || !strings.HasSuffix(said, "lab is down\n") {
			t.Errorf("%v: exit code %d, %q", sig, code, said)
		}
		wantNoRoutes(t)
	}
}

func foregroundTwice(t *testing.T, p *place) {
	j := p.start(t, "up", "--foreground", "lab")
	j.waitFor(t, "lab: up for ")
	for _, args := range [][]string{{"up", "--foreground", "lab"}, {"up", "lab"}} {
		p.child("", nil, args...).want(t, 2, "", "lab is up already, or coming up, in another process")
	}
	if len(ours(t)) != 5 {
		t.Errorf("routes %v", ours(t))
	}
	if code, _ := j.end(syscall.SIGINT); code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantNoRoutes(t)
}

// killed: what kill -9 leaves is taken back by repair.
func killed(t *testing.T, p *place) {
	j := p.start(t, "up", "--foreground", "lab")
	j.waitFor(t, "lab: up for ")
	j.end(syscall.SIGKILL)
	if len(ours(t)) == 0 {
		t.Error("nothing was left: repair has nothing to do")
	}
	p.child("", nil, "repair").want(t, 0, "203.235.199.133", "")
	wantNoRoutes(t)
	p.child("", nil, "repair").want(t, 0, "nothing to repair\n", "")
}

// daemonKilled: the socket, the locks and the routes of a daemon that was
// killed are in nobody's way.
func daemonKilled(t *testing.T, p *place) {
	p.child("", nil, "up", "lab").want(t, 0, "lab: up", "")
	pids := p.daemons()
	if len(pids) != 1 {
		t.Fatalf("daemons %v", pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := control.Dial(filepath.Join(p.runDir, "control.sock"))
		if errors.Is(err, control.ErrNoDaemon) {
			break
		}
		if err == nil {
			c.Close()
		}
		<-time.After(time.Millisecond)
	}
	if _, err := os.Stat(filepath.Join(p.runDir, "control.sock")); err != nil {
		t.Errorf("it left no socket: %v", err)
	}
	p.child("", nil, "status").want(t, 0, "nothing is up", "")
	p.child("", nil, "down", "lab").want(t, 2, "", "lab is not up")
	p.child("", nil, "up", "lab").want(t, 0, "lab: up", "")
	if len(ours(t)) != 5 {
		t.Errorf("routes %v", ours(t))
	}
	p.child("", nil, "down", "lab").want(t, 0, "lab is down", "")
	wantNoRoutes(t)
}

// nobodyReads: a session whose output goes nowhere any more still takes back
// its routes in the end.
func nobodyReads(t *testing.T, p *place) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "up", "--foreground", "lab", "-v")
	cmd.Env = append(os.Environ(), asProgram+"=yes")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	r.Close()
	for deadline := time.Now().Add(20 * time.Second); len(ours(t)) < 5; {
		if time.Now().After(deadline) {
			t.Fatalf("it is not up: %v", ours(t))
		}
		<-time.After(10 * time.Millisecond)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(fmt.Errorf("it ended with %w", err))
	}
	wantNoRoutes(t)
}

// atTheServer: the server's side of a session, which it ends, and which the
// client dials again.
func atTheServer(t *testing.T, p *place) {
	server := filepath.Join(filepath.Dir(p.runDir), "server")
	p.child("", nil, "sessions", "--run-dir", server).want(t, 0, "ID", "")
	p.child("", nil, "up", "lab").want(t, 0, "lab: up", "")
	before := p.status(t)
	o := p.child("", nil, "sessions", "--run-dir", server, "--json")
	o.want(t, 0, "", "")
	var list []control.ServerSession
	o.unmarshal(t, &list)
	if len(list) != 1 || list[0].User != "sio4" || list[0].Peer != before.Local || list[0].MPPE == nil || list[0].MPPE.Bits != 128 || list[0].Auth != "mschapv2" {
		t.Fatalf("sessions %+v", list)
	}
	p.child("", nil, "sessions", "--run-dir", server).want(t, 0, "sio4", "")
	p.child("", nil, "kick", "--run-dir", server, "no-such").want(t, 2, "", "no such session")
	p.child("", nil, "kick", "--run-dir", server, list[0].ID).want(t, 0, "", "")
	var st control.Status
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		if st = p.status(t); st.State == control.StateUp && st.Since.After(before.Since) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not up again: %+v", st)
		}
	}
	if len(ours(t)) != 5 {
		t.Errorf("routes %v", ours(t))
	}
}
