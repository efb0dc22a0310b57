package nm

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const theirs = `[VPN Connection]
name=pptp
service=org.freedesktop.NetworkManager.pptp
program=/usr/lib/NetworkManager/nm-pptp-service

[libnm]
plugin=libnm-vpn-plugin-pptp.so

[GNOME]
auth-dialog=/usr/lib/NetworkManager/nm-pptp-auth-dialog
properties=libnm-pptp-properties
`

func installer(t *testing.T, replace bool) *Installer {
	t.Helper()
	i := &Installer{Root: t.TempDir(), Programs: t.TempDir(), ReplacePPTP: replace, Done: func(string) {}}
	for _, name := range Programs {
		if err := os.WriteFile(filepath.Join(i.Programs, name), []byte("program"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// tree lists the files under the root.
func tree(t *testing.T, root string) (out []string) {
	t.Helper()
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(path, root))
		}
		return err
	})
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestInstall(t *testing.T) {
	i := installer(t, false)
	for range 2 { // and over itself
		if err := i.Install(); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"/usr/lib/NetworkManager/VPN/nm-goppptp-service.name", "/usr/lib/NetworkManager/nm-goppptp-auth-dialog",
		"/usr/lib/NetworkManager/nm-goppptp-service", "/usr/share/dbus-1/system.d/nm-goppptp-service.conf"}
	if got := tree(t, i.Root); !slices.Equal(got, want) {
		t.Errorf("installed %q", got)
	}
	for path, mode := range map[string]fs.FileMode{want[0]: 0o644, want[2]: 0o755} {
		if info, err := os.Stat(i.path(path)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if !strings.Contains(read(t, i.path(ownName)), "aliases="+servicePPTP+";") {
		t.Error("connections of type pptp are not served")
	}
	if err := i.Uninstall(); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, i.Root); got != nil {
		t.Errorf("left %q", got)
	}
}

// TestReplace: another's file is put aside and comes back, with dpkg-divert
// where the root is Debian's, and without.
func TestReplace(t *testing.T) {
	for _, debian := range []bool{false, true} {
		i := installer(t, true)
		if err := os.MkdirAll(i.path(namesDir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(i.path(pptpName), []byte(theirs), 0o644); err != nil {
			t.Fatal(err)
		}
		if debian {
			if _, err := exec.LookPath("dpkg-divert"); err != nil || os.Geteuid() != 0 {
				t.Log("needs dpkg-divert, and root")
				continue
			}
			os.MkdirAll(i.path("/var/lib/dpkg/info"), 0o755)
			for _, f := range []string{"/var/lib/dpkg/status", "/var/lib/dpkg/diversions"} {
				if err := os.WriteFile(i.path(f), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			if err := i.Install(); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, i.path(pptpAside)); got != theirs {
			t.Errorf("debian %t: theirs is now %q", debian, got)
		}
		got := read(t, i.path(pptpName))
		for _, want := range []string{"nm-goppptp-service\n", "plugin=libnm-vpn-plugin-pptp.so\n", "properties=libnm-pptp-properties\n", "supports-external-ui-mode=true"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("debian %t: %q is not once in\n%s", debian, want, got)
			}
		}
		if strings.Contains(read(t, i.path(ownName)), "aliases") {
			t.Error("two files claim the type pptp")
		}
		if _, err := os.Stat(i.path(pptpPolicy)); err != nil {
			t.Error(err)
		}
		if err := i.Uninstall(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, i.path(pptpName)); got != theirs {
			t.Errorf("debian %t: theirs is %q afterwards", debian, got)
		}
		if _, err := os.Stat(i.path(pptpAside)); err == nil {
			t.Error("something is left aside")
		}
	}
}

func TestReplaceNothing(t *testing.T) {
	i := installer(t, true)
	if err := i.Install(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, i.path(pptpName)); strings.Contains(got, "plugin=") {
		t.Errorf("an editor is named that is not there:\n%s", got)
	}
	// Without the choice the alias is back.
	i.ReplacePPTP = false
	if err := i.Install(); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, i.Root); slices.Contains(got, pptpName) || !strings.Contains(read(t, i.path(ownName)), "aliases=") {
		t.Errorf("%q", got)
	}
}

func TestInstallWithoutPrograms(t *testing.T) {
	i := installer(t, false)
	i.Programs = t.TempDir()
	if err := i.Install(); err == nil || !strings.Contains(err.Error(), "build it with `go build ./cmd/nm-goppptp-service`") {
		t.Error(err)
	}
	if got := tree(t, i.Root); got != nil {
		t.Errorf("installed %q", got)
	}
}
