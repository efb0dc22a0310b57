package tray

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"goppptp/internal/control"
	"goppptp/internal/keyring"
)

// TestKeyring has a real keyring: a password given in the dialog is kept in it
// once it has proved right, one that `goppptp profile passwd` stores is found.
func TestKeyring(t *testing.T) {
	d := newDesktop(t, "320x200")
	needs(t, "gnome-keyring-daemon")
	service := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	service.Env = d.env
	service.Stdin = strings.NewReader("the keyring's own password")
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		service.Process.Kill()
		service.Wait()
	})
	await(t, "the keyring on the bus", func() bool {
		var has bool
		d.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&has)
		return has
	})

	for _, v := range d.env {
		if address, ok := strings.CutPrefix(v, "DBUS_SESSION_BUS_ADDRESS="); ok {
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		}
	}

	w := watch(d)
	in := labProfile
	in.Asks, in.Keyring = true, true
	daemon := newDaemon(t, in)
	daemon.up = func(r control.UpRequest) *control.Error {
		if r.Password == "first" || r.Password == "second" {
			return nil
		}
		return &control.Error{Reason: control.ReasonAuth, Text: "wrong"}
	}
	daemon.serve(t)
	bin, answer := filepath.Join(d.dir, "bin"), filepath.Join(d.dir, "answer")
	os.Mkdir(bin, 0o755)
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(bin, "zenity"), "#!/bin/sh\ncat "+answer+"\nrm "+answer+"\n", 0o755)
	d.start([]string{"PATH=" + bin + ":/usr/bin:/bin"}, binary, "--run-dir", daemon.dir)
	icon := w.next()
	connect := func(state string) {
		t.Helper()
		icon.click(icon.await("Connect lab"))
		icon.await(state)
	}

	write(answer, "typo\n", 0o600)
	connect("▲ lab: could not connect")
	write(answer, "first\n", 0o600)
	connect("● lab: connected") // asked again, as the first was refused
	await(t, "the password in the keyring", func() bool {
		secret, _ := keyring.Get(t.Context(), "lab")
		return secret == "first"
	})
	icon.click(icon.await("Disconnect lab"))
	icon.await("○ lab")
	connect("● lab: connected") // and nobody is asked
	icon.click(icon.await("Disconnect lab"))
	icon.await("○ lab")

	program := filepath.Join(d.dir, "goppptp")
	build := exec.Command("go", "build", "-o", program, "goppptp/cmd/goppptp")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	profiles := filepath.Join(d.dir, "profiles")
	os.Mkdir(profiles, 0o700)
	write(filepath.Join(profiles, "lab.yaml"), "gateway: station\nuser: sio4\nkeyring: true\n", 0o600)
	passwd := exec.Command(program, "--profiles", profiles, "profile", "passwd", "lab")
	passwd.Env, passwd.Stdin = d.env, strings.NewReader("second\n")
	if out, err := passwd.CombinedOutput(); err != nil {
		t.Fatalf("passwd: %v: %s", err, out)
	}
	connect("● lab: connected")
	daemon.mu.Lock()
	defer daemon.mu.Unlock()
	if got := daemon.asked[len(daemon.asked)-1].Password; got != "second" {
		t.Errorf("after passwd the daemon was given %q", string(got))
	}
}
