package tray

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestSessionsOutliveADaemon restarts the daemon in order and without: what was
// up comes up again, by itself and in the tray; what was taken down stays down.
func TestSessionsOutliveADaemon(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	n := newNetwork(d)
	before := n.routes(t)
	d.start(nil, binary, "--run-dir", n.dir)
	icon := w.next()
	icon.click(icon.await("Connect lab"))
	icon.await("● lab: connected")
	up := n.routes(t)

	end := func(p *process, s syscall.Signal) {
		t.Helper()
		p.cmd.Process.Signal(s)
		p.status()
	}
	end(n.process, syscall.SIGTERM)
	if got := n.routes(t); !slices.Equal(got, before) {
		t.Errorf("after the daemon's end:\n%s", strings.Join(got, "\n"))
	}
	icon.await("the goppptp daemon is not running")
	n.daemon(d)
	icon.await("● lab: connected")
	if got := n.routes(t); !slices.Equal(got, up) {
		t.Errorf("after a restart:\n%s", strings.Join(got, "\n"))
	}

	end(n.process, syscall.SIGKILL)
	icon.await("the goppptp daemon is not running")
	n.daemon(d)
	icon.await("● lab: connected")
	if got := n.routes(t); !slices.Equal(got, up) {
		t.Errorf("after a kill:\n%s", strings.Join(got, "\n"))
	}

	icon.click(icon.await("Disconnect lab"))
	icon.await("○ lab: not connected")
	end(n.process, syscall.SIGTERM)
	icon.await("the goppptp daemon is not running")
	n.daemon(d)
	icon.await("○ lab: not connected")
	if got := n.routes(t); !slices.Equal(got, before) {
		t.Errorf("disconnected, and after a restart:\n%s", strings.Join(got, "\n"))
	}
}

// TestSocketActivation has systemd's own program hold the socket: whoever
// connects starts the daemon.
func TestSocketActivation(t *testing.T) {
	if _, err := exec.LookPath("systemd-socket-activate"); err != nil {
		t.Skip("systemd-socket-activate is not installed")
	}
	d := newDesktop(t, "320x200")
	w := watch(d)
	n := newNetwork(d)
	n.process.cmd.Process.Signal(syscall.SIGTERM)
	n.process.status()
	n.activated(d)
	d.start(nil, binary, "--run-dir", n.dir)
	icon := w.next()
	icon.click(icon.await("Connect lab"))
	icon.await("● lab: connected")
	icon.click(icon.await("Disconnect lab"))
	icon.await("○ lab: not connected")
}

func (n *network) activated(d *desktop) {
	socket := filepath.Join(n.dir, "control.sock")
	d.startWith(n.Client.Start, nil, "systemd-socket-activate", "--listen", socket,
		filepath.Join(d.dir, "goppptp"), "daemon", "-v", "--run-dir", n.dir, "--profiles", filepath.Join(d.dir, "profiles"))
}
