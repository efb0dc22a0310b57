package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree lists the files under root.
func tree(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		list = append(list, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestInstallAndUninstall(t *testing.T) {
	root := t.TempDir()
	goppptp := func(code int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(context.Background(), args, &out, &errs); got != code {
			t.Fatalf("%v: exit code %d: %s", args, got, errs.String())
		}
		return out.String()
	}
	said := goppptp(0, "install", "--daemon", "--desktop", "--root", root)
	files := tree(t, root)
	for _, want := range []string{
		"etc/xdg/autostart/goppptp-tray.desktop", "usr/bin/goppptp", "usr/lib/systemd/system/goppptp.service", "usr/lib/systemd/system/goppptp.socket",
		"usr/lib/sysusers.d/goppptp.conf", "usr/share/applications/goppptp-tray.desktop", "usr/share/icons/hicolor/48x48/apps/goppptp.png",
		"usr/share/polkit-1/actions/org.goppptp.policy",
	} {
		if !slices.Contains(files, want) || !strings.Contains(said, filepath.Join(root, want)+"\n") {
			t.Errorf("%s is not there, or not told", want)
		}
	}
	if info, err := os.Stat(filepath.Join(root, "usr/bin/goppptp")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program: %v, %v", info, err)
	}
	if again := goppptp(0, "install", "--daemon", "--desktop", "--root", root); again != "" {
		t.Errorf("installed twice, the second time says %q", again)
	}
	goppptp(0, "uninstall", "--daemon", "--desktop", "--root", root)
	if left := tree(t, root); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	goppptp(2, "install", "--root", root)
}
