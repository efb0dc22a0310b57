//go:build linux

package roaming

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goppptp/internal/control"
)

// program is the path of the built program; "" until it is needed.
var program string

const patience = time.Minute // after which a test gives up

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := roles[role](); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		return
	}
	dir, err := os.MkdirTemp("", "goppptp-roaming-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "goppptp")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", program, "goppptp/cmd/goppptp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// The hosts of a place: a client with two uplinks to a router, which leads to
// the server, which has a network behind it.
const (
	client = "c"
	router = "r"
	server = "s"

	gateway = "203.0.113.1"
	inner   = "192.168.13.1" // behind the server
)

// A place is the hosts with the server running.
type place struct {
	t      *testing.T
	prefix string
	dir    string
	env    []string // of the client's programs
	serve  *exec.Cmd
	log    string // the server's
	before string // the client's table
	events chan control.Event
}

// open makes a place. profile is appended to the profile "lab".
func open(t *testing.T, profile string) *place {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8)")
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, prefix: fmt.Sprintf("roam%d-", os.Getpid()), dir: t.TempDir(), events: make(chan control.Event, 4096)}
	p.env = append(os.Environ(), "GOPPPTP_PROFILES="+p.dir+"/profiles", "GOPPPTP_RUN_DIR="+p.dir+"/client",
		"DBUS_SYSTEM_BUS_ADDRESS=unix:path="+p.dir+"/bus") // nobody's, unless a test puts one there
	for _, host := range []string{client, router, server} {
		p.ip("", "netns add "+p.prefix+host)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", p.prefix+host).Run() })
		p.ip(host, "link set lo up")
		for _, key := range []string{"net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.default.disable_ipv6=1"} {
			p.command(host, "sysctl", "-qw", key).Run() // without IPv6 there is nothing to turn off
		}
	}
	p.must(p.command(router, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
	for _, l := range []struct{ host, link, otherHost, other, addr, otherAddr string }{
		{client, "eth0", router, "up0", "10.1.0.2/24", "10.1.0.1/24"},
		{client, "eth1", router, "up1", "10.2.0.2/24", "10.2.0.1/24"},
		{server, "eth0", router, "srv", gateway + "/24", "203.0.113.254/24"},
		{server, "in0", server, "in1", inner + "/24", ""},
	} {
		p.ip(l.host, fmt.Sprintf("link add %s type veth peer name %s netns %s", l.link, l.other, p.prefix+l.otherHost))
		p.ip(l.host, "addr add "+l.addr+" dev "+l.link)
		if l.otherAddr != "" {
			p.ip(l.otherHost, "addr add "+l.otherAddr+" dev "+l.other)
		}
		p.ip(l.host, "link set "+l.link+" up")
		p.ip(l.otherHost, "link set "+l.other+" up")
		p.carries(l.host, l.link)
		p.carries(l.otherHost, l.other)
	}
	p.ip(server, "route add default via 203.0.113.254")
	p.ip(server, "route add blackhole 172.16.0.0/16") // where the network behind the tunnel would be
	p.ip(client, "route add default via 10.1.0.1")

	p.write("server.yaml", "local: 192.168.13.254\nremote: [192.168.13.240-249]\n"+
		"users: [{name: sio4, password: p4ssw0rd, address: 192.168.13.240}]\n")
	p.write("profiles/lab.yaml", "gateway: "+gateway+"\nuser: sio4\npassword: p4ssw0rd\nroutes: [172.16.0.0/16, 192.168.13.0/24]\n"+profile)
	p.startServer()
	return p
}

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

// command is a program at a host.
func (p *place) command(host, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", p.prefix + host, name}, args...)...)
	cmd.Env = p.env
	return cmd
}

func (p *place) must(cmd *exec.Cmd) string {
	p.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// ip runs ip(8) for a host, "" for this machine.
func (p *place) ip(host, command string) string {
	p.t.Helper()
	args := strings.Fields(command)
	if host != "" {
		args = append([]string{"-n", p.prefix + host}, args...)
	}
	return p.must(exec.Command("ip", args...))
}

// until tries again until what it waits for is so.
func (p *place) until(what string, so func() bool) {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not so after %v", what, patience)
		}
	}
}

// carries waits until a link takes packets, which the kernel sees to in its
// own time.
func (p *place) carries(host, link string) {
	p.t.Helper()
	p.until(link+" carries", func() bool { return strings.Contains(p.ip(host, "-o link show "+link), "state UP") })
}

// table is the client's whole table.
func (p *place) table() string {
	p.t.Helper()
	return p.ip(client, "-d route show table all")
}

// pin is the client's route to the gateway.
func (p *place) pin() string {
	p.t.Helper()
	return strings.TrimSpace(p.ip(client, "route show "+gateway))
}

func (p *place) startServer() {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.log = log.Name()
	p.serve = p.command(server, program, "serve", "--config", p.dir+"/server.yaml", "--run-dir", p.dir+"/server")
	p.serve.Stderr = log
	out, err := p.serve.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.serve.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd := p.serve
	p.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		text, _ := os.ReadFile(p.log)
		p.t.Fatalf("the server says %q, %v\n%s", line, err, text)
	}
}

// sessions counts the sessions that have come up at the server.
func (p *place) sessions() int {
	p.t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Count(string(text), `msg="session up"`)
}

// up connects, and has the daemon's events told from then on.
func (p *place) up() {
	p.t.Helper()
	p.before = p.table()
	p.must(p.command(client, program, "up", "lab"))
	c, err := control.Dial(filepath.Join(p.dir, "client", "control.sock"))
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Watch(ctx, func(e control.Event) { p.events <- e })
	}()
	p.t.Cleanup(func() {
		p.command(client, program, "down", "--all").Run()
		cancel()
		<-done
		c.Close()
	})
	p.event("the state", func(e control.Event) bool { return e.Type == control.EventState })
}

// down disconnects; the table is then as it was before.
func (p *place) down() {
	p.t.Helper()
	p.must(p.command(client, program, "down", "lab"))
	if after := p.table(); after != p.before {
		p.t.Errorf("after down:\n%s\nbefore:\n%s", after, p.before)
	}
}

// event waits for an event of the session's.
func (p *place) event(what string, is func(control.Event) bool) control.Event {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-p.events:
			if is(e) {
				return e
			}
		case <-late:
			text, _ := os.ReadFile(p.log)
			p.t.Fatalf("%s: no such event for %v\n%s", what, patience, text)
		}
	}
}

func (p *place) note(text string) {
	p.t.Helper()
	p.event("a note with "+text, func(e control.Event) bool { return e.Type == control.EventNote && strings.Contains(e.Text, text) })
}

func (p *place) state(s control.State) control.Status {
	p.t.Helper()
	return *p.event("state "+string(s), func(e control.Event) bool {
		return e.Type == control.EventState && e.Status != nil && e.Status.State == s
	}).Status
}

func (p *place) status() control.Status {
	p.t.Helper()
	c, err := control.Dial(filepath.Join(p.dir, "client", "control.sock"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	st, err := c.Status(context.Background(), "lab")
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}
