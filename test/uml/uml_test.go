//go:build linux

package uml_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"goppptp/test/uml"
)

func TestMain(m *testing.M) {
	uml.Init()
	if os.Getenv("UML_TEST_INSIDE") != "" {
		inside()
	}
	os.Exit(m.Run())
}

// inside is what runs in the guest: it shows that it is root of a kernel of its
// own, says much, and leaves a status that nothing else would.
func inside() {
	version, _ := os.ReadFile("/proc/version")
	fmt.Printf("uid %d, %s", os.Getuid(), version)
	for i := range 2000 {
		fmt.Printf("line %d of many that the console must not lose\n", i)
	}
	if err := os.WriteFile("/etc/goppptp-was-here", nil, 0o600); err != nil {
		fmt.Println(err)
	}
	if err := os.WriteFile(uml.Exchange+"/left", []byte("kept"), 0o600); err != nil {
		fmt.Println(err)
	}
	os.Exit(7)
}

func TestGuestRunsCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest: left out by -short")
	}
	if missing := uml.Missing(); len(missing) > 0 {
		t.Skipf("needs %s", strings.Join(missing, ", "))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	status, err := uml.Run(ctx, uml.Config{
		Init: self, Args: []string{self}, Dir: dir, Modules: []string{"ppp_mppe", "tun"},
		Env: []string{"UML_TEST_INSIDE=1"}, Output: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	if status != 7 {
		t.Errorf("exit status %d, want the command's own, 7\n%s", status, out.String())
	}
	lines := strings.Split(out.String(), "\n")
	if !strings.Contains(lines[0], "uid 0, Linux") {
		t.Errorf("first line %q, want that of root", lines[0])
	}
	if got := lines[len(lines)-2]; !strings.HasPrefix(got, "line 1999 ") || len(lines) != 2002 {
		t.Errorf("%d lines, the last %q, want 2001 and number 1999", len(lines)-1, got)
	}
	if kept, _ := os.ReadFile(dir + "/left"); string(kept) != "kept" {
		t.Errorf("what the guest wrote to %s did not reach the host: %q", uml.Exchange, kept)
	}
	if _, err := os.Stat("/etc/goppptp-was-here"); err == nil {
		t.Error("what the guest wrote to /etc reached the host")
	}
}
