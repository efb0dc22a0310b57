//go:build linux

package inside

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHooks: on_up sees the routes in, on_down the tunnel gone, and on_change
// runs when a route is added.
func TestHooks(t *testing.T) {
	p := open(t, "", "")
	p.write("hook", "#!/bin/sh\n{ echo \"$GOPPPTP_EVENT $IFNAME $IPLOCAL $IPREMOTE $LINKNAME\"; ip route show dev $IFNAME 2>&1; } >>"+p.dir+"/out\n")
	hook := filepath.Join(p.dir, "hook")
	if err := os.Chmod(hook, 0o700); err != nil {
		t.Fatal(err)
	}
	p.write("profiles/lab.yaml", "gateway: 203.235.199.133\nuser: sio4\npassword: p4ssw0rd\nroutes: [172.16.0.0/16]\n"+
		"on_up: {run: ["+hook+"], required: true}\non_down: ["+hook+"]\non_change: ["+hook+"]\n")
	p.must("up", "lab")
	p.must("route", "add", "lab", "192.168.14.0/24")
	p.must("down", "lab")
	b, err := os.ReadFile(filepath.Join(p.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	events := strings.Split(string(b), "ppp0 192.168.13.240 192.168.13.254 lab\n")
	if len(events) != 4 || events[0] != "up " || !strings.Contains(events[1], "172.16.0.0/16") || strings.Contains(events[1], "192.168.14.0/24") ||
		!strings.HasSuffix(events[1], "change ") || !strings.Contains(events[2], "192.168.14.0/24") || !strings.HasSuffix(events[2], "down ") ||
		!strings.Contains(events[3], "Cannot find device") {
		t.Errorf("the hooks said\n%s", b)
	}
}

// TestHookRequired: where a required hook fails, nothing is up, and nothing stays.
func TestHookRequired(t *testing.T) {
	p := open(t, "", "routes: [172.16.0.0/16]\non_up: {run: [/bin/sh, -c, 'echo no mount >&2; exit 4'], required: true}\n")
	before := p.routes()
	_, errs, err := p.run("up", "lab")
	if err == nil || !strings.Contains(errs, "on_up: /bin/sh: exit status 4: no mount") {
		t.Errorf("up: %v, %s", err, errs)
	}
	if after := p.routes(); !slices.Equal(after, before) {
		t.Errorf("the table is %q, before it was %q", after, before)
	}
}

// TestHookOwner: a profile that somebody else can write may not name commands.
func TestHookOwner(t *testing.T) {
	p := open(t, "", "on_up: [/bin/true]\n")
	path := filepath.Join(p.dir, "profiles/lab.yaml")
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	_, errs, err := p.run("up", "lab")
	if err == nil || !strings.Contains(errs, "names commands to run and belongs to the user 12345, not to root: sudo chown root "+path) {
		t.Errorf("up: %v, %s", err, errs)
	}
}
