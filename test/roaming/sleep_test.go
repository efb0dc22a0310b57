//go:build linux

package roaming

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"goppptp/internal/control"
)

// logind puts a message bus where the client looks for the system's, and
// somebody on it who is systemd-logind. The function it returns says that the
// machine was suspended and has been resumed.
func (p *place) logind() (resumed func()) {
	p.t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		p.t.Skip("needs dbus-daemon (test/setup installs it)")
	}
	address := "unix:path=" + p.dir + "/bus"
	p.write("bus.conf", `<busconfig><type>system</type><listen>`+address+`</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`)
	cmd := exec.Command(daemon, "--nofork", "--nopidfile", "--nosyslog", "--print-address", "--config-file="+p.dir+"/bus.conf")
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "unix:") {
		p.t.Fatalf("dbus-daemon says %q, %v", line, err)
	}
	conn, err := dbus.Connect(address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	if _, err := conn.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue); err != nil {
		p.t.Fatal(err)
	}
	return func() {
		for _, sleeping := range []bool{true, false} {
			if err := conn.Emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager.PrepareForSleep", sleeping); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// TestResume: after sleep the server is asked at once whether it still has the
// session; where it says nothing another is made, long before the keepalive
// would have found out.
func TestResume(t *testing.T) {
	p := open(t, "keepalive: {interval: 10m, failures: 4}\n")
	resumed := p.logind()
	p.up()
	was := p.status()
	resumed()
	if is := p.status(); is.State != control.StateUp || !is.Since.Equal(was.Since) {
		t.Fatalf("was %+v, is %+v", was, is)
	}
	p.serve.Process.Signal(syscall.SIGSTOP)
	resumed()
	// It may not have been listening yet; a probe takes less than this.
	again := time.NewTicker(5 * time.Second)
	defer again.Stop()
	late := time.After(patience)
	for lost := false; !lost; {
		select {
		case e := <-p.events:
			lost = e.Type == control.EventState && e.Status.State == control.StateReconnecting
		case <-again.C:
			resumed()
		case <-late:
			t.Fatalf("the session still stands after %v", patience)
		}
	}
	p.serve.Process.Signal(syscall.SIGCONT)
	p.state(control.StateUp)
	p.down()
}
