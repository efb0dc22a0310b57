package client

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestWantedList(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	load := func(at time.Time) []string {
		t.Helper()
		names, err := newWantedList(dir).load(at)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := load(now); got != nil {
		t.Errorf("at first: %q", got)
	}
	w := newWantedList(dir)
	check(w.set("office", true))
	check(w.set("lab", true))
	check(w.set("lab", true))
	check(w.set("other", false))
	if got, want := load(now.Add(24*time.Hour)), []string{"lab", "office"}; !slices.Equal(got, want) {
		t.Errorf("after a kill: %q, want %q", got, want)
	}
	check(w.set("office", false))
	check(w.end(now))
	if got := load(now.Add(restoreWindow)); !slices.Equal(got, []string{"lab"}) {
		t.Errorf("after a restart: %q", got)
	}
	if got := load(now.Add(restoreWindow + time.Second)); got != nil {
		t.Errorf("started much later: %q", got)
	}
	check(w.set("lab", false))
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("nothing is wanted, and left are %v", left)
	}
	check(w.end(now))
	check(os.WriteFile(filepath.Join(dir, "wanted.json"), []byte("{"), 0o600))
	if _, err := newWantedList(dir).load(now); err == nil {
		t.Error("a broken file was read")
	}
}

func TestTellManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := tellManager("READY=1"); err != nil {
		t.Errorf("nobody to tell: %v", err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := tellManager("READY=1"); err == nil {
		t.Error("told nobody")
	}
}

func TestInstalledFiles(t *testing.T) {
	for _, name := range []string{"systemd/goppptp.socket", "systemd/goppptp.service", "systemd/goppptp.sysusers", "polkit/org.goppptp.policy"} {
		if b, err := Installed.ReadFile(name); err != nil || len(b) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
