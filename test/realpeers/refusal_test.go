//go:build linux

package realpeers

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testRefusals checks that each way of not connecting has its exit code and a
// line that says why, comes soon, and leaves nothing behind.
func testRefusals(t *testing.T) {
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	for _, tt := range []struct {
		name    string
		nat     nat
		server  *pppdOptions // nil: none runs
		profile []string
		as      *syscall.Credential
		code    int
		says    []string // any of these
	}{
		{name: "wrong-password", server: &pppdOptions{mppe: "128"}, profile: []string{"password: wr0ng"}, code: 4, says: []string{"password"}},
		{name: "wrong-password-chap", server: &pppdOptions{auth: "chap", mppe: "none"}, code: 4,
			profile: []string{"password: wr0ng", "auth: [chap]", "mppe: {require: false}"}, says: []string{"password", "refused"}},
		{name: "wrong-password-pap", server: &pppdOptions{auth: "pap", mppe: "none"}, code: 4,
			profile: []string{"password: wr0ng", "auth: [pap]", "mppe: {require: false}"}, says: []string{"password", "refused"}},
		{name: "auth-not-allowed", server: &pppdOptions{auth: "pap", mppe: "none"}, profile: []string{"mppe: {require: false}"}, code: 4, says: []string{"pap", "PAP"}},
		{name: "server-refuses-mppe", server: &pppdOptions{mppe: "none"}, code: 5, says: []string{"MPPE"}},
		{name: "server-wants-40", server: &pppdOptions{mppe: "40"}, code: 5, says: []string{"40"}},
		{name: "server-wants-128", server: &pppdOptions{mppe: "128"}, profile: []string{"mppe: {bits: [40]}"}, code: 5, says: []string{"MPPE"}},
		{name: "gre-dropped", nat: natNoGRE, server: &pppdOptions{mppe: "128"}, code: 6, says: []string{"GRE"}},
		{name: "gre-refused", nat: natRefusesGRE, server: &pppdOptions{mppe: "128"}, code: 6, says: []string{"GRE"}},
		{name: "port-closed", code: 3, says: []string{"1723", "refused"}},
		{name: "no-such-host", profile: []string{"gateway: 10.250.166.77"}, code: 3, says: []string{"10.250.166.77"}},
		{name: "no-such-name", profile: []string{"gateway: nowhere.example"}, code: 3, says: []string{"nowhere.example"}},
		{name: "bad-profile", profile: []string{"gatway: station"}, code: 2, says: []string{`"gateway"`, "did you mean"}},
		{name: "not-root", server: &pppdOptions{mppe: "128"}, as: nobody, code: 8, says: []string{"root", "CAP_NET"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin(t)
			n := newNetwork(t, tt.nat)
			before := n.client.state(t)
			if tt.server != nil {
				n.startPPTPD(t, *tt.server)
			}
			t.Cleanup(func() { killAll(t, "goppptp") })
			path := usualProfile.with(tt.profile...).write(t, "/tmp/client.yaml")
			if tt.as != nil {
				if err := os.Chown(path, int(tt.as.Uid), int(tt.as.Gid)); err != nil {
					t.Fatal(err)
				}
			}
			p := n.client.startAs(t, tt.as, program, "up", path, "--foreground")
			if code := p.status(t, 20*time.Second); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			const soon = 15 * time.Second
			if p.took > soon {
				t.Errorf("it took %v, more than %v", p.took, soon)
			}
			lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
			t.Logf("after %v: %s", p.took.Round(time.Millisecond), lines[len(lines)-1])
			if i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "goppptp: ") }); i >= 0 {
				t.Log(lines[i])
			}
			told := false
			for _, word := range tt.says {
				told = told || strings.Contains(strings.Join(lines, "\n"), word)
			}
			if !told {
				t.Errorf("the user is told none of %q", tt.says)
			}
			nothingLeft(t, n.client, before)
		})
	}
}
