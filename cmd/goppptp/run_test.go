package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"goppptp/internal/control"
)

// TestMistakes has each command with what people get wrong: the exit code and
// one line that says what to do.
func TestMistakes(t *testing.T) {
	p := newPlace(t)
	p.write("typo.yaml", "gatway: vpn.example.com\nuser: x\n", 0o600)
	open := p.write("open.yaml", "gateway: vpn.onion\nuser: x\npassword: y\n", 0o644)
	notYAML := p.write("server.yaml.txt", "local: [\n", 0o600)
	for _, c := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"nonsense", 2, `unknown command "nonsense"`},
		{"staus", 2, "unknown command \"staus\"; see `goppptp -h`: did you mean \"status\"?"},
		{"profile lst", 2, "unknown command \"lst\"; see `goppptp profile -h`: did you mean \"list\"?"},
		{"route ad office", 2, "did you mean \"add\"?"},
		{"--nonsense", 2, "unknown flag: --nonsense; see `goppptp -h`"},
		{"up", 2, "accepts 1 arg(s), received 0; see `goppptp up -h`"},
		{"up a b", 2, "accepts 1 arg(s), received 2"},
		{"up --color office", 2, "unknown flag: --color; see `goppptp up -h`"},
		{"up ofice", 2, `no profile "ofice" in ` + p.profiles + `: did you mean "office"?`},
		{"up typo", 2, `typo.yaml:1:1: unknown key "gatway": did you mean "gateway"?`},
		{"up open", 2, "chmod 600 " + open},
		{"up ./office.yaml", 2, "the daemon takes installed profiles only"},
		{"up --foreground /nowhere/office.yaml", 2, "/nowhere/office.yaml: no such file"},
		{"up --foreground typo", 2, `unknown key "gatway"`},
		{"down", 2, "name one profile, or --all; see `goppptp down -h`"},
		{"down --all office", 2, "name one profile, or --all"},
		{"down a b", 2, "name one profile, or --all"},
		{"down office", 2, "office is not up"},
		{"status ofice", 2, `no profile "ofice"`},
		{"status a b", 2, "accepts at most 1 arg(s)"},
		{"plan", 2, "accepts 1 arg(s)"},
		{"plan ofice", 2, `no profile "ofice"`},
		{"plan office", 3, `the gateway's name "vpn.onion" does not resolve: no IPv4 address`},
		{"route", 0, ""},
		{"route add office", 2, "accepts 2 arg(s)"},
		{"route add office 10.0.0.0/33", 2, "is no subnet"},
		{"route add office 10.0.0.1/8", 2, "did you mean 10.0.0.0/8?"},
		{"route add office 10.0.0.0/8", 2, "office is not up"},
		{"route del office 10.0.0.0/8", 2, "office is not up"},
		{"route add office 10.0.0.0/8 --metric x", 2, "invalid argument"},
		{"profile show ofice", 2, `no profile "ofice"`},
		{"profile check typo office", 2, "typo.yaml:1:1"},
		{"profile add", 2, "accepts 1 arg(s)"},
		{"profile add new", 2, "a profile needs --gateway and --user, or --from"},
		{"profile add new --gateway x", 2, "a profile needs --gateway and --user"},
		{"profile add ../new --gateway x --user y", 2, "../new"},
		{"profile add new --gateway x --user y --route 10.0.0.1/8", 2, "10.0.0.0/8"},
		{"profile add new --from nowhere", 2, `no example "nowhere"`},
		{"profile add new --from ./nowhere.yaml", 2, "no such file"},
		{"profile add new --from lab --user y", 2, "--from takes the whole profile"},
		{"profile add office --from lab", 2, "office.yaml"},
		{"profile passwd", 2, "name one profile, or --nt-hash"},
		{"profile passwd --nt-hash office", 2, "name one profile, or --nt-hash"},
		{"profile edit ofice", 2, `no profile "ofice"`},
		{"serve --config /nowhere/server.yaml", 2, "/nowhere/server.yaml"},
		{"serve --check --config " + notYAML, 2, notYAML},
		{"serve --import /nowhere/pptpd.conf", 2, "/nowhere/pptpd.conf"},
		{"serve now", 2, "unknown command"},
		{"sessions", 1, "no server runs here: nothing listens at " + p.runDir},
		{"kick 3", 1, "no server runs here"},
		{"kick", 2, "accepts 1 arg(s)"},
		{"man /dev/null/x", 1, "not a directory"},
	} {
		t.Run(c.args, func(t *testing.T) {
			o := p.run(strings.Fields(c.args)...)
			o.want(t, c.code, "", c.stderr)
			if n := strings.Count(strings.TrimSpace(o.stderr), "\n"); n > 1 {
				t.Errorf("%d lines: %q", n+1, o.stderr)
			}
			if strings.Contains(o.stderr, "secret") {
				t.Errorf("the password is in %q", o.stderr)
			}
		})
	}
}

// TestJSON: every command that knows --json answers with one JSON value,
// whether it succeeds or fails, and a failure has its reason.
func TestJSON(t *testing.T) {
	p := newPlace(t)
	for _, c := range []struct {
		args   string
		code   int
		reason control.Reason // of a failure
	}{
		{"up ofice", 2, control.ReasonUsage},
		{"up --foreground ofice", 2, control.ReasonUsage},
		{"down office", 2, control.ReasonUsage},
		{"down --all", 0, ""},
		{"status", 0, ""},
		{"status office", 0, ""},
		{"status ofice", 2, control.ReasonUsage},
		{"plan office", 3, control.ReasonUnreachable},
		{"plan ofice", 2, control.ReasonUsage},
		{"route add office 10.0.0.1/8", 2, control.ReasonUsage},
		{"profile list", 0, ""},
		{"profile show office", 0, ""},
		{"profile show ofice", 2, control.ReasonUsage},
		{"sessions", 1, control.ReasonFailed},
		{"version", 0, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			o := p.run(append(strings.Fields(c.args), "--json")...)
			if o.code != c.code {
				t.Errorf("exit code %d, want %d: %s", o.code, c.code, o.stderr)
			}
			if c.code == 0 {
				var v any
				o.unmarshal(t, &v)
				return
			}
			var v struct{ Error *control.Error }
			o.unmarshal(t, &v)
			if v.Error == nil || v.Error.Reason != c.reason || v.Error.Text == "" || v.Error.Reason.ExitCode() != c.code {
				t.Errorf("the error is %+v, want the reason %s", v.Error, c.reason)
			}
			if strings.Contains(o.stdout, "secret") {
				t.Errorf("the password is in %q", o.stdout)
			}
		})
	}
}

// TestNothingRuns: without a daemon nothing is up, which is no failure.
func TestNothingRuns(t *testing.T) {
	p := newPlace(t)
	p.run("status").want(t, 0, "nothing is up\n", "")
	p.run("down", "--all").want(t, 0, "", "")
	o := p.run("status", "office")
	o.want(t, 0, "office: down\n  gateway    vpn.onion\n  user       CORP\\jdoe\n", "")
	var down struct{ Down []string }
	if p.run("down", "--all", "--json").unmarshal(t, &down); down.Down == nil || len(down.Down) != 0 {
		t.Errorf("down --all --json: %+v", down)
	}
	var list []control.Status
	if p.run("status", "--json").unmarshal(t, &list); list == nil || len(list) != 0 {
		t.Errorf("status --json: %+v", list)
	}
	if _, err := os.Stat(p.runDir); !os.IsNotExist(err) {
		t.Errorf("the run directory was made by asking: %v", err)
	}
}

// TestHelp: the help of each command begins with an example of it.
func TestHelp(t *testing.T) {
	p := newPlace(t)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Name() != "help" && sub.Name() != "completion" {
				walk(sub)
			}
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "-h")
		o := p.run(args...)
		o.want(t, 0, "Usage:", "")
		first, _, _ := strings.Cut(o.stdout, "\n")
		if !strings.HasPrefix(first, "  ") || !strings.Contains(first, "goppptp ") || strings.Contains(o.stdout, "Examples:") {
			t.Errorf("%v begins with %q", args, first)
		}
		if cmd.Short == "" {
			t.Errorf("%s has no short description", cmd.CommandPath())
		}
	}
	walk((&app{}).root())
}

// TestOddArguments: nothing that can be typed makes the program panic.
func TestOddArguments(t *testing.T) {
	p := newPlace(t)
	long := strings.Repeat("x", 1<<16)
	odd := []string{"", " ", "-", "--", "---", "-=", "--=", "\x00", "\xff", "..", "/", "//", "~", "*", "日本", "%s%n", "-1", long, "office\n", "office/", "--json=maybe", "-vvvvvvvv", "-v=x"}
	for _, command := range []string{"", "up", "up --foreground", "down", "status", "plan", "route", "route add", "route del", "profile", "profile show", "profile check",
		"profile add", "profile add new --from", "profile add new --user x --gateway", "profile export", "profile import", "sessions", "kick", "serve --check --config", "serve --import", "version", "completion", "__complete", "__complete up"} {
		for _, a := range odd {
			for _, args := range [][]string{append(strings.Fields(command), a), append(strings.Fields(command), a, a), append(strings.Fields(command), a, "--json")} {
				o := p.run(args...)
				if o.code < 0 || o.code > 8 {
					t.Errorf("%q: exit code %d", args, o.code)
				}
				if strings.ContainsRune(o.stderr, 0) {
					t.Errorf("%q: stderr %q", args, o.stderr)
				}
			}
		}
	}
}

// TestCompletion: names of profiles are completed.
func TestCompletion(t *testing.T) {
	p := newPlace(t)
	p.write("home.yaml", "gateway: x.example\nuser: y\n", 0o600)
	for _, command := range []string{"up", "down", "status", "plan", "route add", "route del", "profile show", "profile check", "profile edit", "profile passwd"} {
		args := append(append([]string{"__complete"}, strings.Fields(command)...), "")
		o := p.run(args...)
		if !strings.HasPrefix(o.stdout, "home\noffice\n") || o.code != 0 {
			t.Errorf("%q: %+v", args, o)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		p.run("completion", shell).want(t, 0, "goppptp", "")
	}
}

func TestPapers(t *testing.T) {
	p := newPlace(t)
	p.run("man").want(t, 0, ".TH", "")
	dir := filepath.Join(t.TempDir(), "man1")
	p.run("man", dir).want(t, 0, "", "")
	for _, page := range []string{"goppptp.1", "goppptp-up.1", "goppptp-profile-add.1"} {
		if b, err := os.ReadFile(filepath.Join(dir, page)); err != nil || !strings.Contains(string(b), "goppptp") {
			t.Errorf("%s: %v", page, err)
		}
	}
	p.run("version").want(t, 0, "goppptp ", "")
	var v map[string]string
	if p.run("version", "--json").unmarshal(t, &v); v["go"] == "" {
		t.Errorf("version --json: %v", v)
	}
}

// TestServeCheck: a configuration is read and reported on, an existing set-up
// of pptpd turned into one, and that is good.
func TestServeCheck(t *testing.T) {
	p := newPlace(t)
	good := p.write("good", "local: 192.168.13.254\nremote: [192.168.13.240-249]\nusers:\n  - {name: sio4, password: p4ssw0rd}\n", 0o600)
	p.run("serve", "--check", "--config", good).want(t, 0, good+": ok", "")
	bad := p.write("bad", "local: 192.168.13.254\nremte: [192.168.13.240-249]\n", 0o600)
	p.run("serve", "--check", "--config", bad).want(t, 2, "", bad+":2:1: ")

	options := p.write("options", "require-mppe-128\nrequire-mschap-v2\nms-dns 192.168.13.1\nchapms-strip-domain\n", 0o600)
	conf := p.write("pptpd.conf", "option "+options+"\nlocalip 192.168.13.254\nremoteip 192.168.13.240-249\n", 0o600)
	o := p.run("serve", "--import", conf)
	o.want(t, 0, "192.168.13.240-249", "")
	imported := p.write("imported", o.stdout, 0o600)
	if o := p.run("serve", "--check", "--config", imported); o.code != 0 && !strings.Contains(o.stderr, "chap-secrets") {
		t.Errorf("what was imported is not good: %+v", o)
	}
}

// TestNotRoot: whoever may not is told so, at once.
func TestNotRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	p := newPlace(t)
	// The test's own directory is root's alone.
	dir, err := os.MkdirTemp("", "goppptp-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "goppptp")
	const nobody = 65534
	for _, err := range []error{
		os.WriteFile(path, program, 0o755), os.Chmod(path, 0o755), os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "profiles"), 0o755),
		os.Mkdir(filepath.Join(dir, "coverage"), 0o777), os.Chmod(filepath.Join(dir, "coverage"), 0o777), // for go test -cover
		os.WriteFile(filepath.Join(dir, "profiles/office.yaml"), []byte("gateway: vpn.onion\nuser: x\npassword: y\n"), 0o600),
		os.Chown(filepath.Join(dir, "profiles/office.yaml"), nobody, nobody),
		os.WriteFile(filepath.Join(dir, "profiles/roots.yaml"), []byte("gateway: vpn.onion\nuser: x\npassword: y\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "server.yaml"), []byte("local: 192.168.13.254\nremote: [192.168.13.240-249]\nusers_file: /nowhere\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{"up office", "up roots", "up --foreground office", "up --foreground roots", "daemon", "repair", "lab", "profile show roots"} {
		t.Run(args, func(t *testing.T) {
			o := p.child("", func(cmd *exec.Cmd) {
				cmd.Path, cmd.Dir = path, "/"
				cmd.Env = []string{asProgram + "=yes", "PATH=/usr/bin:/bin", "HOME=/", "GOPPPTP_PROFILES=" + filepath.Join(dir, "profiles"), "GOPPPTP_RUN_DIR=" + filepath.Join(dir, "run"),
					"GOCOVERDIR=" + filepath.Join(dir, "coverage")}
				cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
			}, strings.Fields(args)...)
			o.want(t, 8, "", "permission")
			if n := strings.Count(o.stderr, "\n"); n > 2 {
				t.Errorf("%d lines: %q", n, o.stderr)
			}
		})
	}
}

// TestInterrupted: what is broken off says so in one word.
func TestInterrupted(t *testing.T) {
	e := asError(context.Canceled)
	if e.Reason != control.ReasonFailed || e.Text != "interrupted" {
		t.Errorf("%+v", e)
	}
}

// TestPlain: a server's words cannot speak to the terminal.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Access denied": "Access denied", "a\x1b[2Jb": "a?[2Jb", "a\rb\x07": "a?b?", "two\nlines": "two\nlines", "grüß": "grüß", "\u202eabc": "?abc", "\xff": "?",
	} {
		if got := plain(in); got != want && got != strings.ReplaceAll(want, "?", "\ufffd") {
			t.Errorf("plain(%q) is %q, want %q", in, got, want)
		}
	}
	var b strings.Builder
	s := newStages(&b, "office")
	s.event(control.Event{Type: control.EventStage, Stage: control.StageCall, Text: "\x1b]0;title\x07"})
	s.event(control.Event{Type: control.EventNote, Text: "\x1b[31mred"})
	if strings.ContainsAny(b.String(), "\x1b\x07") {
		t.Errorf("%q", b.String())
	}
}

// TestStages: on what is no terminal there is a line for each stage; once up,
// losses and returns are told.
func TestStages(t *testing.T) {
	var b strings.Builder
	s := newStages(&b, "office")
	s.event(control.Event{Type: control.EventStage, Stage: control.StageTCP, Text: "203.0.113.1:1723"})
	s.event(control.Event{Type: control.EventState, Status: &control.Status{State: control.StateUp}})
	s.follow()
	s.event(control.Event{Type: control.EventStage, Stage: control.StageTCP, Text: "again"})
	s.event(control.Event{Type: control.EventState, Status: &control.Status{State: control.StateReconnecting, Error: &control.Error{Text: "the peer is silent"}}})
	s.event(control.Event{Type: control.EventState, Status: &control.Status{State: control.StateUp, Interface: "ppp0"}})
	s.end()
	want := "office: connecting to 203.0.113.1:1723\n" + "office: lost: the peer is silent; dialling again"
	if got := b.String(); !strings.HasPrefix(got, want) || !strings.Contains(got, "office: up again") || strings.Contains(got, "again\noffice: connecting") {
		t.Errorf("%q", got)
	}
}

// TestLiveLine: the line that changes stays one line, and goes in the end.
func TestLiveLine(t *testing.T) {
	var b strings.Builder
	s := newStages(&b, "office")
	s.live = true
	s.event(control.Event{Type: control.EventStage, Stage: control.StageResolve, Text: strings.Repeat("long ", 50)})
	const clear = "\r\x1b[K"
	line, ok := strings.CutPrefix(b.String(), clear)
	if !ok || strings.Contains(line, "\n") || len([]rune(line)) != 79 || !strings.HasPrefix(line, "office: resolving long") {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	s.event(control.Event{Type: control.EventNote, Text: "hello"})
	s.event(control.Event{Type: control.EventStage, Stage: control.StageTCP})
	s.end()
	if got := b.String(); !strings.HasPrefix(got, clear+"office: hello\n"+clear+"office: connecting to") || !strings.HasSuffix(got, clear) {
		t.Errorf("%q", got)
	}
}

// TestStatusText has a session with everything that can be told of one.
func TestStatusText(t *testing.T) {
	var b strings.Builder
	var st control.Status
	err := json.Unmarshal([]byte(`{"profile":"office","state":"up","gateway":"vpn","gateway_address":"203.0.113.1","user":"x","interface":"ppp0",
		"local":"192.168.13.240","peer":"192.168.13.254","mtu":1400,"mppe":{"bits":40,"stateful":true},"dns":["192.168.13.1"],
		"routes":[{"to":"172.16.0.0/16","via":"192.168.13.254","dev":"ppp0","metric":1},{"to":"172.17.0.1/32","via":"192.168.13.254","dev":"ppp0","host":"build"}],
		"routes_offered":[{"to":"0.0.0.0/0","via":"192.168.13.254","source":"dhcp option 121","taken":false,"why":"default_route is false"}],
		"warnings":["mind the gap"],"since":"2000-01-02T03:04:05Z","counters":{"rx_bytes":1234567,"rx_packets":3,"tx_bytes":7,"tx_packets":1,"rx_lost":2}}`), &st)
	if err != nil {
		t.Fatal(err)
	}
	(&app{stdout: &b}).printStatus(st)
	for _, want := range []string{"office: up for ", "on ppp0", "vpn (203.0.113.1)", "192.168.13.240, peer 192.168.13.254, MTU 1400", "MPPE 40-bit, stateful",
		"172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1", "build (172.17.0.1/32)", "default route via 192.168.13.254: ignored, default_route is false", "mind the gap", "1.2 MB", "7 B", "2 lost"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	b.Reset()
	(&app{stdout: &b}).printStatus(control.Status{Profile: "office", State: control.StateFailed, Error: &control.Error{Text: "no \x1bway", Hint: "find one"}})
	if got := b.String(); !strings.Contains(got, "office: failed") || !strings.Contains(got, "no ?way") || !strings.Contains(got, "find one") {
		t.Errorf("%q", got)
	}
}
