package tray

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestLinksNoEngine lists all that the tray is made of: of ours only what is
// named here, and nothing that changes routes.
func TestLinksNoEngine(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-tags", "tray", "goppptp/cmd/goppptp-tray").Output()
	if err != nil {
		t.Fatal(err)
	}
	ours := []string{"goppptp/internal/control", "goppptp/internal/keyring", "goppptp/tray", "goppptp/tray/icons", "goppptp/cmd/goppptp-tray"}
	var seen int
	for _, p := range strings.Fields(string(out)) {
		if strings.Contains(p, "netlink") || strings.Contains(p, "wireguard") {
			t.Errorf("it links %s", p)
		}
		if !strings.HasPrefix(p, "goppptp/") {
			continue
		}
		seen++
		if !slices.Contains(ours, p) {
			t.Errorf("it links %s", p)
		}
	}
	if seen != len(ours) {
		t.Errorf("it links %d packages of ours, want %v", seen, ours)
	}
}
