package tray

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inside is set in the copy of this test that has its own mounts.
const inside = "GOPPPTP_TEST_INSIDE"

const (
	nobody    = 65534
	ourGroup  = 64111 // the group goppptp, in the copy
	ruleGroup = 64112 // a group that a rule of polkit's lets
	polkitd   = "/usr/lib/polkit-1/polkitd"
)

// rule lets the members of a group connect one profile.
const rule = `polkit.addRule(function(action, subject) {
	if (action.id == "org.goppptp.control" && subject.isInGroup("friends") && action.lookup("profile") == "lab")
		return polkit.Result.YES;
});
`

// TestWhoMayConnect asks the real daemon as root's, the group's, a rule's and
// nobody's user. Groups and rules are this test's own, in mounts of its own.
func TestWhoMayConnect(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, for mounts and users")
	}
	needs(t, "unshare", "setpriv", "dbus-daemon")
	if _, err := os.Stat(polkitd); err != nil {
		t.Skip("polkitd is not installed")
	}
	if os.Getenv(inside) == "" {
		cmd := exec.Command("unshare", "--mount", "--propagation", "private", os.Args[0], "-test.run", "^TestWhoMayConnect$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), "--- PASS: TestWhoMayConnect") {
			t.Fatal("it did not pass inside")
		}
		return
	}

	mount := func(source, target, kind string, flags uintptr, data string) {
		t.Helper()
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			t.Fatalf("mount %s: %v", target, err)
		}
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := &desktop{t: t, dir: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH")}}
	groups, err := os.ReadFile("/etc/group")
	if err != nil {
		t.Fatal(err)
	}
	// polkit asks who is in a group by the user's entry, not by the process.
	write(filepath.Join(d.dir, "group"), string(groups)+fmt.Sprintf("goppptp:x:%d:\nfriends:x:%d:games\n", ourGroup, ruleGroup))
	mount(filepath.Join(d.dir, "group"), "/etc/group", "", syscall.MS_BIND, "")
	for _, dir := range []string{"/run", "/usr/share/polkit-1/actions", "/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"} {
		mount("tmpfs", dir, "tmpfs", 0, "mode=755")
	}
	policy, err := os.ReadFile("../../client/polkit/org.goppptp.policy")
	if err != nil {
		t.Fatal(err)
	}
	write("/usr/share/polkit-1/actions/org.goppptp.policy", string(policy))
	write("/etc/polkit-1/rules.d/50-friends.rules", rule)
	if err := os.Mkdir("/run/dbus", 0o755); err != nil {
		t.Fatal(err)
	}

	d.dir = "/run/test"
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d.firstLine("dbus-daemon", "--system", "--nofork", "--nopidfile", "--print-address=3")
	d.start(nil, polkitd, "--no-debug")
	await(t, "polkit on the bus", func() bool {
		return exec.Command("dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.PolicyKit1",
			"/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.DBus.Peer.Ping").Run() == nil
	})
	n := newNetwork(d)

	var games struct{ uid, gid string }
	if out, err := exec.Command("id", "-u", "games").Output(); err == nil {
		games.uid = strings.TrimSpace(string(out))
		out, _ = exec.Command("id", "-g", "games").Output()
		games.gid = strings.TrimSpace(string(out))
	} else {
		t.Skip("there is no user games")
	}
	as := func(uid, gid, groups string, args ...string) (string, int) {
		t.Helper()
		credentials := []string{"--reuid", uid, "--regid", gid, "--clear-groups"}
		if groups != "" {
			credentials[4] = "--groups"
			credentials = append(credentials, groups)
		}
		cmd := exec.Command("setpriv", append(append(credentials, filepath.Join(d.dir, "goppptp"), "--run-dir", n.dir, "--profiles", filepath.Join(d.dir, "profiles")), args...)...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	before := n.routes(t)
	for _, c := range []struct {
		name, uid, gid, groups, profile string
		code                            int
		says                            string
	}{
		{"a member of the group", fmt.Sprint(nobody), fmt.Sprint(nobody), fmt.Sprint(ourGroup), "lab", 0, "192.168.13.24"},
		{"one whose group it is", fmt.Sprint(nobody), fmt.Sprint(ourGroup), "", "lab", 0, "192.168.13.24"},
		{"one whom a rule lets", games.uid, games.gid, fmt.Sprint(ruleGroup), "lab", 0, "192.168.13.24"},
		{"the same, another profile", games.uid, games.gid, fmt.Sprint(ruleGroup), "wrong", 8, "usermod -aG goppptp"},
		{"nobody", fmt.Sprint(nobody), fmt.Sprint(nobody), "", "lab", 8, "usermod -aG goppptp"},
	} {
		out, code := as(c.uid, c.gid, c.groups, "up", c.profile)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: up %s ends with %d: %s", c.name, c.profile, code, out)
			continue
		}
		if c.code != 0 {
			continue
		}
		if out, code := as(fmt.Sprint(nobody), fmt.Sprint(nobody), "", "status", c.profile); code != 0 || !strings.Contains(out, "up") {
			t.Errorf("%s: anybody may ask how it is: %d: %s", c.name, code, out)
		}
		if out, code := as(fmt.Sprint(nobody), fmt.Sprint(nobody), "", "down", c.profile); code != 8 {
			t.Errorf("%s: nobody may disconnect it: %d: %s", c.name, code, out)
		}
		if out, code := as(c.uid, c.gid, c.groups, "down", c.profile); code != 0 {
			t.Errorf("%s: down: %d: %s", c.name, code, out)
		}
		await(t, "the routes as before", func() bool { return strings.Join(before, "\n") == strings.Join(n.routes(t), "\n") })
	}
}
