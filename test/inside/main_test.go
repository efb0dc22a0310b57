//go:build linux

package inside

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/netlab"
)

// program is the path of the built program; "" until it is needed.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(fakeVariable) != "" {
		serveFakeResolved()
		return
	}
	dir, err := os.MkdirTemp("", "goppptp-inside-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "goppptp")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// needRoot skips a test that makes network namespaces, where they cannot be.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
}

// A place is the closed network with its server and a client.
type place struct {
	t   *testing.T
	net *netlab.Lab
	dir string
	env []string // of the client's daemon
}

const serverConfig = `local: 192.168.13.254
remote: [192.168.13.240-249]
users: [{name: sio4, password: p4ssw0rd}]
`

// open makes a place, with more for server.yaml and a profile "lab" with these
// keys.
func open(t *testing.T, server, profile string) *place {
	t.Helper()
	needRoot(t)
	if _, err := os.Stat(program); err != nil {
		build := exec.Command("go", "build", "-o", program, "goppptp/cmd/goppptp")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	lab, err := netlab.New(t.Context(), netlab.Options{Prefix: "inside"})
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, net: lab, dir: t.TempDir()}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, name := range []string{"client/daemon.log", "server.log"} {
				text, _ := os.ReadFile(filepath.Join(p.dir, name))
				t.Logf("%s:\n%s", name, text)
			}
		}
	})
	p.write("server.yaml", serverConfig+server)
	p.write("profiles/lab.yaml", "gateway: "+netlab.PublicAddr.String()+"\nuser: sio4\npassword: p4ssw0rd\n"+profile)
	p.serve()
	return p
}

// write writes a file that only its owner can read or change.
func (p *place) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// serve starts the server, and waits until it can be called.
func (p *place) serve() {
	p.t.Helper()
	log, err := os.Create(filepath.Join(p.dir, "server.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "serve", "--config", filepath.Join(p.dir, "server.yaml"), "--run-dir", filepath.Join(p.dir, "server"), "-v")
	cmd.Stderr = log
	p.start(p.net.Server, cmd)
}

// start runs a program in a namespace, and waits for the first line that it
// prints. It is ended with the test.
func (p *place) start(at *netlab.Namespace, cmd *exec.Cmd) {
	p.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := at.Start(cmd); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(out).ReadString('\n')
		line <- s
	}()
	select {
	case s := <-line:
		if s == "" {
			p.t.Fatalf("%s ended at once", cmd.Args)
		}
	case <-time.After(20 * time.Second):
		p.t.Fatalf("%s does not get ready", cmd.Args)
	}
}

// run runs one of our commands at the client.
func (p *place) run(args ...string) (stdout, stderr string, err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, "--profiles", filepath.Join(p.dir, "profiles"), "--run-dir", filepath.Join(p.dir, "client"))...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), p.env...)
	if err := p.net.Client.Start(cmd); err != nil {
		p.t.Fatal(err)
	}
	err = cmd.Wait()
	return out.String(), errs.String(), err
}

// must is run for what must work.
func (p *place) must(args ...string) string {
	p.t.Helper()
	out, errs, err := p.run(args...)
	if err != nil {
		p.t.Fatalf("goppptp %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// status is what `goppptp status --json` says.
func (p *place) status() (st control.Status) {
	p.t.Helper()
	out := p.must("status", "lab", "--json")
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	return st
}

// eventually waits until the status is as it should be.
func (p *place) eventually(what string, good func(control.Status) bool) control.Status {
	p.t.Helper()
	late := time.After(20 * time.Second)
	for {
		st := p.status()
		if good(st) {
			return st
		}
		select {
		case <-late:
			p.t.Fatalf("still not: %s: %+v", what, st)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *place) routes() []string {
	p.t.Helper()
	list, err := p.net.Client.Routes()
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

// inTunnel is what goes through the tunnel, by the client's table.
func (p *place) inTunnel() string {
	var list []string
	for _, r := range p.routes() {
		if to, rest, _ := strings.Cut(r, " "); strings.Contains(rest, "dev ppp") {
			list = append(list, to)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// kick has the server end the client's session.
func (p *place) kick() {
	p.t.Helper()
	cmd := exec.Command(program, "sessions", "--json", "--run-dir", filepath.Join(p.dir, "server"))
	out, err := cmd.Output()
	var list []control.ServerSession
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	if err != nil || len(list) != 1 {
		p.t.Fatalf("sessions: %v, %s", err, out)
	}
	if out, err := exec.Command(program, "kick", list[0].ID, "--run-dir", filepath.Join(p.dir, "server")).CombinedOutput(); err != nil {
		p.t.Fatalf("kick: %v, %s", err, out)
	}
}
