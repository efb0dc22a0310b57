package tray

import (
	"os"
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
// connects starts the daemon, with the capabilities alone that its unit leaves.
func TestSocketActivation(t *testing.T) {
	if _, err := exec.LookPath("systemd-socket-activate"); err != nil {
		t.Skip("systemd-socket-activate is not installed")
	}
	needs(t, "setpriv")
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
	if strings.Contains(n.process.output(), "permitted") || strings.Contains(n.process.output(), "denied") {
		t.Error("the daemon misses a capability")
	}
}

func (n *network) activated(d *desktop) {
	socket := filepath.Join(n.dir, "control.sock")
	n.process = d.startWith(n.Client.Start, nil, "systemd-socket-activate", "--listen", socket,
		"setpriv", "--bounding-set", capabilities(d.t), "--no-new-privs", filepath.Join(d.dir, "goppptp"), "daemon", "-v", "--run-dir", n.dir, "--profiles", filepath.Join(d.dir, "profiles"))
}

// capabilities returns the bounding set of the daemon's unit as setpriv wants it.
func capabilities(t *testing.T) string {
	t.Helper()
	unit, err := os.ReadFile("../../client/systemd/goppptp.service")
	if err != nil {
		t.Fatal(err)
	}
	set := "-all"
	for line := range strings.Lines(string(unit)) {
		if list, ok := strings.CutPrefix(strings.TrimSpace(line), "CapabilityBoundingSet="); ok {
			for _, c := range strings.Fields(list) {
				set += ",+" + strings.ToLower(strings.TrimPrefix(c, "CAP_"))
			}
		}
	}
	if set == "-all" {
		t.Fatal("the unit leaves no capabilities")
	}
	return set
}
