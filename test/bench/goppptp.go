package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Inside of the tunnels.
var (
	innerServer = netip.MustParseAddr("192.168.77.1")
	innerClient = netip.MustParseAddr("192.168.77.2")
)

const (
	serverYAML = `local: %v
remote: [%v]
users:
  - {name: bench, password: bench}
mppe: {require: true, bits: [128], stateful: false}
`
	profileYAML = `gateway: %v
user: bench
password: bench
mppe: {require: true, bits: [128], stateful: false}
`
)

// goppptp is the product, or another build of it: `goppptp serve` and
// `goppptp up --foreground`, as a user runs them.
func goppptp(name, exe string) *contender {
	c := &contender{name: name, at: innerServer, atClient: innerClient}
	c.prepare = func(ctx context.Context, b *bench) error {
		source := ""
		if exe == "" {
			if err := b.build(ctx); err != nil {
				return err
			}
			exe, source = b.exe, b.root
		}
		c.version = describe(ctx, source, exe)
		return nil
	}
	c.server = func(ctx context.Context, s *site) (err error) {
		config := s.path("server.yaml")
		if err := os.WriteFile(config, fmt.Appendf(nil, serverYAML, innerServer, innerClient), 0o600); err != nil {
			return err
		}
		if s.serverEnd, err = s.b.run(s.dir, "server", nil, exe, "serve", "--config", config, "--run-dir", s.path("server-run")); err != nil {
			return err
		}
		return s.ready(ctx, s.serverEnd)
	}
	c.client = func(ctx context.Context, s *site) (err error) {
		profile := s.path("bench.yaml")
		if err := os.WriteFile(profile, fmt.Appendf(nil, profileYAML, serverOuter), 0o600); err != nil {
			return err
		}
		s.clientEnd, err = s.a.run(s.dir, "client", nil, exe, "up", profile, "--foreground", "--run-dir", s.path("client-run"))
		return err
	}
	return c
}

// build makes goppptp from the checkout, as its users do.
func (b *bench) build(ctx context.Context) error {
	if b.exe != "" {
		return nil
	}
	exe := filepath.Join(b.dir, "goppptp")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", exe, "./cmd/goppptp")
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/goppptp: %w\n%s", err, out)
	}
	b.exe = exe
	return nil
}

// describe is what can be said of a build: the commit that Go put into it, or
// where it was just built, the checkout's.
func describe(ctx context.Context, root, exe string) string {
	commit, changed := "", ""
	if out, err := exec.CommandContext(ctx, "go", "version", "-m", exe).Output(); err == nil {
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSpace(line)
			if c, ok := strings.CutPrefix(line, "build\tvcs.revision="); ok {
				commit = c
			}
			if line == "build\tvcs.modified=true" {
				changed = ", with changes"
			}
		}
	}
	if commit == "" && root != "" {
		out, _ := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "HEAD").Output()
		commit = strings.TrimSpace(string(out))
		if out, err := exec.CommandContext(ctx, "git", "-C", root, "status", "--porcelain", "-uno").Output(); err == nil && len(out) > 0 {
			changed = ", with changes"
		}
	}
	if commit == "" {
		return "unknown commit"
	}
	return "commit " + commit[:min(12, len(commit))] + changed
}
