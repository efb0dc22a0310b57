//go:build linux

package program

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// build makes the program as its users do.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "goppptp")
	cmd := exec.Command("go", "build", "-o", path, "goppptp/cmd/goppptp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func TestStatic(t *testing.T) {
	path := build(t)
	const most = 20 << 20
	if info, err := os.Stat(path); err != nil || info.Size() >= most {
		t.Errorf("%d octets, want less than %d (%v)", info.Size(), most, err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it wants the libraries %v (%v)", libraries, err)
	}
}

// TestLab runs the network, the server and the client of `goppptp lab`: of the
// client's routes exactly those of its profile are new, and all is well in the
// end. The machine's own network is as it was.
func TestLab(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	path := build(t)
	before := links(t)
	out, err := exec.Command(path, "lab").CombinedOutput()
	if err != nil {
		t.Fatalf("goppptp lab: %v\n%s", err, out)
	}
	var added []string
	for line := range strings.Lines(string(out)) {
		if route, ok := strings.CutPrefix(line, "+ "); ok {
			added = append(added, strings.Join(withoutTags(strings.Fields(route)), " "))
		}
	}
	want := []string{
		"172.16.0.0/16 via 192.168.13.254 dev ppp0",
		"192.168.13.0/24 via 192.168.13.254 dev ppp0",
		"192.168.13.254 dev ppp0",
		"192.168.14.0/24 via 192.168.13.254 dev ppp0",
		"203.235.199.133 via 10.250.166.1 dev eth0",
	}
	slices.Sort(added)
	if !slices.Equal(added, want) {
		t.Errorf("new routes:\n%s\nwant:\n%s\nit said:\n%s", strings.Join(added, "\n"), strings.Join(want, "\n"), out)
	}
	if after := links(t); !slices.Equal(after, before) {
		t.Errorf("the machine's links are %v, they were %v", after, before)
	}
}

// withoutTags drops what a route is marked with: protocol, scope and metric.
func withoutTags(words []string) []string {
	var kept []string
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "proto", "scope", "metric":
			i++
		default:
			kept = append(kept, words[i])
		}
	}
	return kept
}

// links names the links of this machine.
func links(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
