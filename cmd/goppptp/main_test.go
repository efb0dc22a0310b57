package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asProgram in the environment makes this test binary the program: a test may
// need it in another process, and `goppptp lab` and `goppptp up` start it.
const asProgram = "GOPPPTP_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "":
		os.Exit(m.Run())
	}
	main()
}

// A place is where a test's profiles and run directory are.
type place struct {
	t                *testing.T
	profiles, runDir string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{t: t, profiles: filepath.Join(dir, "profiles"), runDir: filepath.Join(dir, "run")}
	if err := os.Mkdir(p.profiles, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPPPTP_PROFILES", p.profiles)
	t.Setenv("GOPPPTP_RUN_DIR", p.runDir)
	p.write("office.yaml", "gateway: vpn.onion\nuser: 'CORP\\jdoe'\npassword: secret\nroutes: [172.16.0.0/16]\n", 0o600)
	return p
}

// write puts a file among the profiles.
func (p *place) write(name, text string, mode os.FileMode) string {
	p.t.Helper()
	path := filepath.Join(p.profiles, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// An outcome is what a run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs the program in this process.
func (p *place) run(args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// child runs the program in another process, with change made to it before it
// starts.
func (p *place) child(stdin string, change func(*exec.Cmd), args ...string) outcome {
	p.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asProgram+"=yes")
	// In a session of its own it has no terminal to ask on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if change != nil {
		change(cmd)
	}
	if err := cmd.Run(); cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// want looks at the exit code and at words on both outputs.
func (o outcome) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.stdout, stdout) || !strings.Contains(o.stderr, stderr) {
		t.Errorf("exit code %d, want %d; stdout %q, want %q; stderr %q, want %q", o.code, code, o.stdout, stdout, o.stderr, stderr)
	}
	if told := strings.Contains("\n"+o.stderr, "\ngoppptp: "); told != (code != 0) {
		t.Errorf("exit code %d, and stderr %q", code, o.stderr)
	}
}

// unmarshal reads all of stdout as one JSON value.
func (o outcome) unmarshal(t *testing.T, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(o.stdout))
	if err := d.Decode(v); err != nil {
		t.Fatalf("stdout %q: %v", o.stdout, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("stdout has more than one JSON value: %q", o.stdout)
	}
}
