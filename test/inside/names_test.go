//go:build linux

package inside

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"golang.org/x/net/dns/dnsmessage"

	"goppptp/internal/control"
)

// fakeVariable in the environment makes the test's program a systemd-resolved;
// it is the file in which that notes what it is told.
const fakeVariable = "GOPPPTP_TEST_FAKE_RESOLVED"

// fakeResolved notes what it is told, a line each.
type fakeResolved struct{ file *os.File }

type address struct {
	Family  int32
	Address []byte
}

type domain struct {
	Name        string
	RoutingOnly bool
}

func (f fakeResolved) note(format string, args ...any) *dbus.Error {
	fmt.Fprintf(f.file, format+"\n", args...)
	return nil
}

func (f fakeResolved) SetLinkDNS(_ int32, list []address) *dbus.Error {
	s := "servers"
	for _, a := range list {
		s += " " + net.IP(a.Address).String()
	}
	return f.note("%s", s)
}

func (f fakeResolved) SetLinkDomains(_ int32, list []domain) *dbus.Error {
	return f.note("domains %v", list)
}

func (f fakeResolved) SetLinkDefaultRoute(_ int32, yes bool) *dbus.Error {
	return f.note("default %t", yes)
}

func (f fakeResolved) RevertLink(int32) *dbus.Error { return f.note("reverted") }

// serveFakeResolved is what the test's program does as systemd-resolved.
func serveFakeResolved() {
	file, err := os.OpenFile(os.Getenv(fakeVariable), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		panic(err)
	}
	if err := conn.Export(fakeResolved{file}, "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager"); err != nil {
		panic(err)
	}
	if reply, err := conn.RequestName("org.freedesktop.resolve1", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		panic(fmt.Sprint(reply, err))
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadByte() // until it is killed
	select {}
}

// bus starts a message bus for the client's daemon, and on it, in the client's
// network or in this machine's, a systemd-resolved. It returns what that was
// told.
func (p *place) bus(inLab bool) func() string {
	p.t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		p.t.Skip("needs dbus-daemon (test/setup installs it)")
	}
	p.write("bus.conf", `<busconfig><type>session</type><listen>unix:path=`+p.dir+`/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`)
	p.start(p.net.Client, exec.Command(daemon, "--nofork", "--nopidfile", "--nosyslog", "--print-address", "--config-file="+filepath.Join(p.dir, "bus.conf")))
	p.env = append(p.env, "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+p.dir+"/bus")
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	fake := exec.Command(self)
	notes := filepath.Join(p.dir, "resolved")
	fake.Env = append(os.Environ(), p.env[len(p.env)-1], fakeVariable+"="+notes)
	stdin, err := fake.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { stdin.Close() })
	at := p.net.Client
	if !inLab {
		at = p.net.Outside
	}
	p.start(at, fake)
	return func() string {
		b, _ := os.ReadFile(notes)
		return string(b)
	}
}

// nameServer answers at the server, through the tunnel too, with one address
// for every name. It returns the names that it was asked for.
func (p *place) nameServer(answer [4]byte) func() string {
	p.t.Helper()
	var conn net.PacketConn
	err := p.net.Server.Do(func() (err error) {
		conn, err = net.ListenPacket("udp4", ":53")
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	var mu sync.Mutex
	var names []string
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Parser
			h, err := q.Start(buf[:n])
			if err != nil {
				continue
			}
			question, err := q.Question()
			if err != nil {
				continue
			}
			mu.Lock()
			names = append(names, from.(*net.UDPAddr).IP.String()+" "+question.Name.String())
			mu.Unlock()
			m := dnsmessage.Message{Header: dnsmessage.Header{ID: h.ID, Response: true}, Questions: []dnsmessage.Question{question},
				Answers: []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 60}, Body: &dnsmessage.AResource{A: answer}}}}
			if b, err := m.Pack(); err == nil {
				conn.WriteTo(b, from)
			}
		}
	})
	p.t.Cleanup(func() {
		conn.Close()
		reader.Wait()
	})
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(names, ", ")
	}
}

const splitProfile = "routes: [build.lab.example]\ndns: split\ndomains: [lab.example]\n"

// TestSplit: systemd-resolved is told of the tunnel's name servers and the
// domains, and told to forget them; names in the domains, as routes, are asked
// of those servers through the tunnel, although no route leads to them.
func TestSplit(t *testing.T) {
	p := open(t, "dns: [192.168.13.254]\n", splitProfile)
	told := p.bus(true)
	asked := p.nameServer([4]byte{172, 16, 0, 10})
	if out := p.must("plan", "lab"); !strings.Contains(out, "build.lab.example is resolved by the tunnel's name servers, once it is up") {
		t.Errorf("plan says\n%s", out)
	}
	p.must("up", "lab")
	st := p.status()
	if got := p.inTunnel(); got != "172.16.0.10 192.168.13.254" {
		t.Errorf("in the tunnel: %s; warnings %q", got, st.Warnings)
	}
	if got := asked(); got != "192.168.13.240 build.lab.example." {
		t.Errorf("the tunnel's name server was asked: %s", got)
	}
	if len(st.Routes) != 1 || st.Routes[0].Host != "build.lab.example" || fmt.Sprint(st.Domains) != "[lab.example]" {
		t.Errorf("routes %+v, domains %v", st.Routes, st.Domains)
	}
	if out := p.must("status", "lab"); !strings.Contains(out, "build.lab.example (172.16.0.10/32) via 192.168.13.254 dev ppp0 metric 1") {
		t.Errorf("status says\n%s", out)
	}
	const want = "servers 192.168.13.254\ndomains [{lab.example false}]\ndefault false\n"
	if got := told(); got != want {
		t.Errorf("systemd-resolved was told\n%swant\n%s", got, want)
	}
	if out, errs, err := p.run("route", "add", "lab", "nowhere.example"); err == nil || !strings.Contains(errs, "nowhere.example does not resolve") {
		t.Errorf("route add of a name that nobody knows: %v, %q, %q", err, out, errs)
	}
	p.must("down", "lab")
	// The interface goes, and with it what systemd-resolved knows of it.
	if got := strings.TrimPrefix(told(), want); got != "" && got != "reverted\n" {
		t.Errorf("at the end systemd-resolved was told %q", got)
	}
}

// TestOthersResolver: a systemd-resolved of another network, which would take
// the number of our interface for one of its own, is told nothing.
func TestOthersResolver(t *testing.T) {
	p := open(t, "dns: [192.168.13.254]\n", "dns: use\n")
	told := p.bus(false)
	p.must("up", "lab")
	st := p.eventually("a warning", func(st control.Status) bool { return len(st.Warnings) > 0 })
	if warnings := strings.Join(st.Warnings, "\n"); !strings.Contains(warnings, "systemd-resolved runs for another network namespace") || told() != "" {
		t.Errorf("warnings %s; it was told %q", warnings, told())
	}
	p.must("down", "lab")
}
