package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goppptp/nm"
)

// command runs the program in the test and returns what it printed.
func command(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(context.Background(), args, &out, &errs); got != code {
		t.Fatalf("%v: exit code %d, want %d: %s", args, got, code, errs.String())
	}
	return out.String(), errs.String()
}

func TestExportAndImport(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("lab.yaml", "gateway: vpn.example.com\nuser: kate\npassword: secret\nroutes: [172.16.0.0/16]\nexclude: [172.16.9.0/24]\n")
	file := filepath.Join(dir, "lab.nmconnection")
	_, notes := command(t, 0, "--profiles", dir, "profile", "export", "--to", "networkmanager", "lab", "--output", file)
	if !strings.Contains(notes, "not carried over: exclude: 172.16.9.0/24") {
		t.Errorf("what is lost is not named: %q", notes)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file with the password: %v, %v", info.Mode(), err)
	}
	command(t, 2, "--profiles", dir, "profile", "export", "lab", "--output", file) // it is there
	command(t, 2, "--profiles", dir, "profile", "export", "--to", "openvpn", "lab")
	if out, _ := command(t, 0, "--profiles", dir, "profile", "export", "lab"); !strings.Contains(out, "\nroute1=172.16.0.0/16,,1\n") {
		t.Errorf("%s", out)
	}
	command(t, 0, "--profiles", dir, "profile", "import", "--name", "back", file)
	if out, _ := command(t, 0, "--profiles", dir, "profile", "show", "back"); !strings.Contains(out, "- 172.16.0.0/16\n") || strings.Contains(out, "secret") {
		t.Errorf("%s", out)
	}
	if out, _ := command(t, 0, "profile", "import", "--show", file); !strings.Contains(out, "password: secret\n") {
		t.Errorf("%s", out)
	}
	peers := write("peer", "pty \"pptp vpn.example.com --nolaunchpppd\"\nname kate\npassword x\nrequire-mppe-128\nfrobnicate\n")
	out, notes := command(t, 0, "profile", "import", "--show", peers)
	if !strings.Contains(out, "gateway: vpn.example.com\n") || !strings.Contains(notes, "frobnicate") {
		t.Errorf("%s%s", out, notes)
	}
	if _, notes := command(t, 2, "profile", "import", write("wifi", "[connection]\ntype=wifi\n")); !strings.Contains(notes, "no VPN connection") {
		t.Errorf("%s", notes)
	}
}

func TestInstallForNetworkManager(t *testing.T) {
	root, programs := t.TempDir(), t.TempDir()
	for _, name := range nm.Programs {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command(t, 2, "install", "--replace-pptp", "--root", root)
	command(t, 1, "install", "--networkmanager", "--root", root, "--nm-programs", root)
	command(t, 0, "install", "--networkmanager", "--replace-pptp", "--root", root, "--nm-programs", programs)
	if files := tree(t, root); len(files) != 6 {
		t.Errorf("installed %q", files)
	}
	command(t, 0, "uninstall", "--networkmanager", "--root", root)
	if files := tree(t, root); len(files) != 0 {
		t.Errorf("left %q", files)
	}
}
