package tray

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goppptp/internal/control"
	"goppptp/tray/icons"
)

// awaitPicture waits until the icon shows one of pictures.
func (i *icon) awaitPicture(what string, pictures ...[]byte) {
	i.t.Helper()
	await(i.t, "the picture "+what, func() bool {
		shown := i.picture()
		return slices.ContainsFunc(pictures, func(p []byte) bool { return string(p) == shown })
	})
}

func TestConnectAndDisconnect(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	daemon := newDaemon(t, labProfile)
	held := make(chan struct{})
	daemon.up = func(control.UpRequest) *control.Error { <-held; return nil }
	daemon.serve(t)
	tray := d.start(nil, binary, "--run-dir", daemon.dir)
	icon := w.next()

	state := icon.await("○ lab: not connected")
	if got := labels(state.children); !slices.Equal(got, []string{"Connect at login", "gateway station, user sio4", "will route: 172.16.0.0/16"}) {
		t.Errorf("details %q", got)
	}
	icon.awaitPicture("off", icons.Light.Off)

	icon.click(icon.await("Connect lab"))
	icon.await("◌ lab: connecting: authenticating")
	icon.await("Stop connecting lab")
	frames := icons.Light.Connecting[:]
	icon.awaitPicture("connecting", frames...)
	icon.awaitPicture("a later frame", frames[3])
	close(held)

	state = icon.await("● lab: connected, 192.168.13.240, 1 route, ")
	icon.awaitPicture("up", icons.Light.Up)
	w.awaitNotification("lab is connected", "192.168.13.240")
	want := []string{"Connect at login", "gateway station, user sio4", "ppp0, peer 192.168.13.254, MTU 1456", "encryption: MPPE 128-bit",
		"received 0 B, sent 0 B", "route in: 172.16.0.0/16", "route ignored: 0.0.0.0/0 (default_route is false)"}
	if got := labels(state.children); !slices.Equal(got, want) {
		t.Errorf("details\n%q, want\n%q", got, want)
	}
	if got := labels(icon.read()); !slices.Equal(got[1:], []string{"Disconnect lab", "Open log", "Quit (sessions stay up)"}) {
		t.Errorf("menu %q", got)
	}

	if kB := tray.memory(); kB > 60<<10 {
		t.Errorf("it takes %d kB of memory", kB)
	}
	icon.click(icon.await("Disconnect lab"))
	icon.await("○ lab: not connected")
	icon.awaitPicture("off", icons.Light.Off)

	icon.click(icon.await("Connect lab"))
	icon.await("● lab: connected")
	icon.click(icon.await("Quit"))
	if code := tray.status(); code != 0 {
		t.Errorf("Quit: status %d", code)
	}
	daemon.mu.Lock()
	defer daemon.mu.Unlock()
	if len(daemon.downs) != 1 || daemon.status["lab"].State != control.StateUp {
		t.Errorf("after Quit: %v disconnected, lab is %s", daemon.downs, daemon.status["lab"].State)
	}
	left, _ := filepath.Glob(filepath.Join(d.dir, "tmp", "systray_*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWhatWentWrongIsSaid(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	daemon := newDaemon(t, labProfile, control.ProfileInfo{Name: "old_one", Error: "old_one.yaml:2:1: unknown key"})
	daemon.up = func(control.UpRequest) *control.Error {
		return &control.Error{Reason: control.ReasonAuth, Text: "authentication refused: wrong user name or password (E=691)", Hint: "check user and password"}
	}
	daemon.serve(t)
	d.start(nil, binary, "--run-dir", daemon.dir)
	icon := w.next()
	icon.click(icon.await("Connect lab"))
	icon.await("▲ lab: could not connect")
	icon.awaitPicture("failed", icons.Light.Failed)
	w.awaitNotification("lab could not connect", "E=691")
	want := []string{"▲ lab: could not connect", "Connect lab", "authentication refused: wrong user name or password (E=691)", "→ check user and password"}
	if got := labels(icon.read()); !slices.Equal(got[:4], want) {
		t.Errorf("menu %q", got)
	}
	// An underscore is part of the name, and marks no key.
	icon.await("▲ old_one: the profile has a mistake")

	lost := upStatus("lab")
	daemon.set(lost)
	w.awaitNotification("lab is connected", "192.168.13.240")
	lost.State, lost.Error = control.StateReconnecting, &control.Error{Reason: control.ReasonFailed, Text: "the server fell silent"}
	daemon.set(lost)
	w.awaitNotification("lab was lost", "the server fell silent")
	icon.await("◌ lab: lost, connecting again (try 1)")
	daemon.set(upStatus("lab"))
	w.awaitNotification("lab is back", "192.168.13.240")
}

func TestDaemonComesAndGoes(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	daemon := newDaemon(t, labProfile)
	d.start(nil, binary, "--run-dir", daemon.dir)
	icon := w.next()
	icon.await("the goppptp daemon is not running")
	icon.awaitPicture("failed", icons.Light.Failed)
	stop := daemon.serve(t)
	icon.await("○ lab: not connected")
	daemon.set(upStatus("lab"))
	icon.await("● lab: connected")
	stop()
	w.awaitNotification("The goppptp daemon went away", "")
	icon.await("the goppptp daemon is not running")
	daemon.serve(t)
	icon.await("● lab: connected")

	// A profile that is added shows up by itself, and goes with its file.
	daemon.mu.Lock()
	daemon.profiles = append(daemon.profiles, control.ProfileInfo{Name: "office"})
	daemon.mu.Unlock()
	icon.await("○ office: not connected")
	daemon.mu.Lock()
	daemon.profiles = daemon.profiles[:1]
	daemon.mu.Unlock()
	await(t, "the profile to go", func() bool {
		return !slices.ContainsFunc(icon.read(), func(e entry) bool { return strings.Contains(e.label, "office") })
	})
}

func TestPanelComesLater(t *testing.T) {
	d := newDesktop(t, "320x200")
	daemon := newDaemon(t, labProfile)
	daemon.serve(t)
	d.start(nil, binary, "--run-dir", daemon.dir)
	await(t, "the tray's name on the bus", func() bool {
		var has bool
		d.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.goppptp.Tray").Store(&has)
		return has
	})
	watch(d).next().await("○ lab: not connected")
}

// TestOpenLog has a terminal that notes what it was to run.
func TestOpenLog(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	daemon := newDaemon(t, labProfile)
	daemon.serve(t)
	bin, noted := filepath.Join(d.dir, "bin"), filepath.Join(d.dir, "noted")
	os.Mkdir(bin, 0o755)
	if err := os.WriteFile(filepath.Join(bin, "x-terminal-emulator"), []byte("#!/bin/sh\necho \"$@\" >"+noted+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.start([]string{"PATH=" + bin}, binary, "--run-dir", daemon.dir)
	icon := w.next()
	icon.click(icon.await("Open log"))
	await(t, "the terminal", func() bool {
		b, _ := os.ReadFile(noted)
		return strings.Contains(string(b), "-e sh -c journalctl") && strings.Contains(string(b), filepath.Join(daemon.dir, "daemon.log"))
	})
}

func TestKorean(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	daemon := newDaemon(t, labProfile)
	daemon.serve(t)
	d.start([]string{"LANG=ko_KR.UTF-8"}, binary, "--run-dir", daemon.dir)
	icon := w.next()
	icon.click(icon.await("lab 연결"))
	icon.await("● lab: 연결됨, 192.168.13.240, 경로 1개")
	w.awaitNotification("lab 연결됨", "192.168.13.240")
}

func TestOneTray(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	daemon := newDaemon(t, labProfile)
	daemon.serve(t)
	d.start(nil, binary, "--run-dir", daemon.dir)
	w.next()
	second := d.start(nil, binary, "--run-dir", daemon.dir)
	if code := second.status(); code != 0 || !strings.Contains(second.output(), "it runs already") {
		t.Errorf("a second tray ends with %d: %s", code, second.output())
	}
}

func TestNoDesktop(t *testing.T) {
	d := newDesktop(t, "320x200")
	for name, c := range map[string]struct{ env, says string }{
		"no display":  {"DISPLAY=", "there is no display"},
		"bad display": {"DISPLAY=:4711", "there is no display"},
		"no bus":      {"DBUS_SESSION_BUS_ADDRESS=", "there is no session bus"},
		"bad bus":     {"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus", "there is no session bus"},
	} {
		p := d.start([]string{c.env}, binary)
		if code := p.status(); code != 1 || !strings.Contains(p.output(), c.says) {
			t.Errorf("%s: status %d: %s", name, code, p.output())
		}
	}
}

func TestConnectAtLogin(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	daemon := newDaemon(t, labProfile, control.ProfileInfo{Name: "office"})
	daemon.serve(t)
	first := d.start(nil, binary, "--run-dir", daemon.dir)
	icon := w.next()
	icon.click(icon.await("○ lab").children[0])
	await(t, "the mark", func() bool { return icon.await("○ lab").children[0].checked })
	autostart, err := os.ReadFile(filepath.Join(d.dir, "home/.config/autostart/goppptp-tray.desktop"))
	if err != nil || !strings.Contains(string(autostart), `Exec="`+binary+`" --login`) {
		t.Errorf("autostart: %s, %v", autostart, err)
	}
	icon.click(icon.await("Quit"))
	first.status()
	d.start(nil, binary, "--run-dir", daemon.dir, "--login")
	icon = w.next()
	icon.await("● lab: connected")
	icon.await("○ office: not connected")
}

// TestPassword has a dialog that answers: the password goes to the daemon, and
// nowhere else.
func TestPassword(t *testing.T) {
	d := newDesktop(t, "320x200")
	w := watch(d)
	asks := labProfile
	asks.Asks = true
	daemon := newDaemon(t, asks)
	daemon.serve(t)
	bin := filepath.Join(d.dir, "bin")
	os.Mkdir(bin, 0o755)
	if err := os.WriteFile(filepath.Join(bin, "zenity"), []byte("#!/bin/sh\necho 's3cret word'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tray := d.start([]string{"PATH=" + bin + ":/usr/bin:/bin"}, binary, "--run-dir", daemon.dir)
	icon := w.next()
	icon.click(icon.await("Connect lab"))
	icon.await("● lab: connected")
	daemon.mu.Lock()
	asked := daemon.asked
	daemon.mu.Unlock()
	if len(asked) != 1 || string(asked[0].Password) != "s3cret word" {
		t.Errorf("%d requests, the first with a password of %d octets", len(asked), len(asked[0].Password))
	}
	if strings.Contains(tray.output(), "s3cret") {
		t.Error("the password is in the log")
	}
	icon.click(icon.await("Disconnect lab"))

	// Without a dialog the user is told how to go on.
	icon.click(icon.await("Quit"))
	tray.status()
	d.start([]string{"PATH=/nonexistent"}, binary, "--run-dir", daemon.dir)
	icon = w.next()
	icon.click(icon.await("Connect lab"))
	w.awaitNotification("lab needs a password", "goppptp up lab")
	icon.await("○ lab: not connected")
}
