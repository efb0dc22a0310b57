package tray

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	s := &Settings{ConfigDir: t.TempDir(), Program: "/opt/a b/goppptp-tray"}
	check := func(want ...string) {
		t.Helper()
		if got, err := s.Login(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	set := func(profile string, on bool) {
		t.Helper()
		if err := s.SetLogin(profile, on); err != nil {
			t.Fatal(err)
		}
	}
	check()
	set("office", true)
	set("lab", true)
	set("lab", true)
	check("lab", "office")
	set("office", false)
	set("other", false)
	check("lab")

	autostart := filepath.Join(s.ConfigDir, "autostart", AutostartName)
	b, err := os.ReadFile(autostart)
	if err != nil || !strings.Contains(string(b), "\nExec=\"/opt/a b/goppptp-tray\" --login\n") {
		t.Errorf("%s, %v", b, err)
	}
	// A file of the user's own is left alone.
	if err := os.WriteFile(autostart, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	set("office", true)
	if b, _ := os.ReadFile(autostart); string(b) != "mine" {
		t.Errorf("%s", b)
	}

	// What cannot be read is an error, and written anew.
	if err := os.WriteFile(s.path(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(); err == nil {
		t.Error("a broken file was read")
	}
	set("lab", true)
	check("lab")
}

func TestDesktopQuote(t *testing.T) {
	for in, want := range map[string]string{
		"/usr/bin/goppptp-tray": `"/usr/bin/goppptp-tray"`, "/a b/c": `"/a b/c"`, "/100%": `"/100%%"`, `/a"b`: `"/a\\"b"`, `/a\b`: `"/a\\\\b"`, "/$HOME": `"/\\$HOME"`,
	} {
		if got := desktopQuote(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestDarkPanel(t *testing.T) {
	says := func(dark, ok bool) func() (bool, bool) { return func() (bool, bool) { return dark, ok } }
	for _, c := range []struct {
		desktop, theme string
		portal         func() (bool, bool)
		want           bool
	}{
		{"XFCE", "", says(false, false), false},
		{"XFCE", "Adwaita:dark", says(false, false), true},
		{"XFCE", "Adwaita:dark", says(false, true), false},
		{"KDE", "", says(true, true), true},
		{"ubuntu:GNOME", "", says(false, true), true},
	} {
		env := map[string]string{"XDG_CURRENT_DESKTOP": c.desktop, "GTK_THEME": c.theme}
		if got := DarkPanel(func(k string) string { return env[k] }, c.portal); got != c.want {
			t.Errorf("%s, theme %q: %v", c.desktop, c.theme, got)
		}
	}
}

func TestCheckDisplay(t *testing.T) {
	for _, display := range []string{"", "nonsense", ":4711", "/nonexistent:0", "localhost:4711.0"} {
		env := map[string]string{"DISPLAY": display, "WAYLAND_DISPLAY": "wayland-4711", "XDG_RUNTIME_DIR": t.TempDir()}
		if CheckDisplay(func(k string) string { return env[k] }) == nil {
			t.Errorf("DISPLAY=%s answers", display)
		}
	}
}
