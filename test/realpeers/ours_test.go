//go:build linux

package realpeers

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goppptp/test/uml"
)

// program is the goppptp under test.
const program = uml.Exchange + "/goppptp"

// yaml is a file of ours as its lines; a later line replaces an earlier one of
// the same key.
type yaml []string

func (y yaml) with(lines ...string) yaml {
	out := slices.Clone(y)
	for _, line := range lines {
		key, _, _ := strings.Cut(line, ":")
		out = slices.DeleteFunc(out, func(old string) bool { return strings.HasPrefix(old, key+":") })
		out = append(out, line)
	}
	return out
}

func (y yaml) write(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, strings.Join(y, "\n")+"\n")
	return path
}

// usualProfile and usualServer are what scenarios start from.
var (
	usualProfile = yaml{
		"gateway: " + publicAddr,
		"user: " + userName,
		"password: " + password,
		"routes: [172.16.0.0/16, 192.168.13.0/24]",
	}
	usualServer = yaml{
		"local: " + tunnelAddr,
		"remote: [192.168.13.240-249]",
		"users: [{name: " + userName + ", password: " + password + "}]",
	}
)

// A status is what `goppptp up --json` and `status --json` print, as far as
// tests ask for it.
type status struct {
	State     string `json:"state"`
	Interface string `json:"interface"`
	Local     string `json:"local"`
	Peer      string `json:"peer"`
	MTU       int    `json:"mtu"`
	Auth      string `json:"auth"`
	MPPE      *struct {
		Bits     int  `json:"bits"`
		Stateful bool `json:"stateful"`
	} `json:"mppe"`
	DNS []string `json:"dns"`
}

// dial runs our client in the foreground.
func dial(t *testing.T, host *place, y yaml) *process {
	t.Helper()
	path := y.write(t, fmt.Sprintf("/root/%s.yaml", host.name))
	t.Cleanup(func() { killAll(t, "goppptp") })
	return host.start(t, program, "-vv", "up", path, "--foreground", "--json")
}

// awaitUp waits until our client says that its tunnel is up.
func awaitUp(t *testing.T, p *process) status {
	t.Helper()
	var st status
	eventually(t, 25*time.Second, "the client's word that it is up", func() bool {
		return p.ended() || json.Unmarshal([]byte(p.stdout.String()), &st) == nil
	})
	if p.ended() {
		t.Fatalf("the client ended with status %d: %s", p.status(t, 0), p.stdout.String())
	}
	if st.State != "up" || st.Interface == "" {
		t.Fatalf("the client says %+v", st)
	}
	return st
}

// waitForProgram is how long a command may take at most.
const waitForProgram = 20 * time.Second

// awaitStatus waits for a command that prints a status, and wants exit code 0.
func awaitStatus(t *testing.T, p *process) status {
	t.Helper()
	if code := p.status(t, waitForProgram); code != 0 {
		t.Fatalf("%v ended with status %d", p.cmd.Args, code)
	}
	var st status
	if err := json.Unmarshal([]byte(p.stdout.String()), &st); err != nil {
		t.Fatalf("%v: %v in %q", p.cmd.Args, err, p.stdout.String())
	}
	return st
}

// serve runs our server and waits until it listens.
func serve(t *testing.T, host *place, y yaml) *process {
	t.Helper()
	t.Cleanup(func() { killAll(t, "goppptp") })
	p := host.start(t, program, "-vv", "serve", "--config", y.write(t, "/root/server.yaml"))
	host.awaitListener(t)
	return p
}

// onlyRequested checks that of the main table's routes exactly those came that
// were asked for, with the peer's address and the gateway's.
func onlyRequested(t *testing.T, host *place, before []string, st status) {
	t.Helper()
	var got []string
	for line := range strings.Lines(difference(before, host.state(t))) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, " route ") && strings.HasSuffix(line, "table 254") || strings.HasPrefix(line, "-") {
			got = append(got, line)
		}
	}
	want := []string{
		"+ route 172.16.0.0/16 via " + st.Peer + " dev " + st.Interface + " metric 1 table 254",
		"+ route 192.168.13.0/24 via " + st.Peer + " dev " + st.Interface + " metric 1 table 254",
		"+ route " + st.Peer + "/32 via <nil> dev " + st.Interface + " metric 0 table 254",
		"+ route " + publicAddr + "/32 via 10.250.166.1 dev eth0 metric 0 table 254",
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("routes that came and went:\n%s\nwant:\n%s", indent(strings.Join(got, "\n")), indent(strings.Join(want, "\n")))
	}
}

// nothingLeft checks that a client's host is as it was.
func nothingLeft(t *testing.T, host *place, before []string) {
	t.Helper()
	host.sameState(t, before)
	if files := leftovers(); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	if pids := running("goppptp"); len(pids) > 0 {
		t.Errorf("processes left behind: %v", pids)
	}
}
