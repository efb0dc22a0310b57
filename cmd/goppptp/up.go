package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/internal/keyring"
	"goppptp/internal/osnet"
	"goppptp/profiles"
	"goppptp/routing"
)

func (a *app) upCmd() *cobra.Command {
	var foreground, asJSON bool
	cmd := &cobra.Command{
		Use:   "up PROFILE",
		Short: "connect; returns once the tunnel carries traffic and the routes are in",
		Example: `  sudo goppptp up office
  sudo goppptp up ./office.yaml --foreground     stay, and take everything back on Ctrl-C`,
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if foreground {
				return a.upForeground(cmd.Context(), args[0], asJSON)
			}
			return a.upDaemon(cmd.Context(), args[0], asJSON)
		},
	}
	cmd.Flags().BoolVarP(&foreground, "foreground", "f", false, "run the session here, until it is told to end")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the session's status, or the error, as JSON")
	return cmd
}

// upForeground runs the session in this process.
func (a *app) upForeground(ctx context.Context, name string, asJSON bool) error {
	stages := newStages(a.stderr, name)
	fail := func(err error) error { return a.upFailed(err, asJSON, stages) }
	p, password, err := a.loadWithSecret(ctx, name)
	if err != nil {
		return fail(err)
	}
	if err := osnet.CheckPrivileges(); err != nil {
		return fail(needRoot(err))
	}
	repaired, err := routing.Repair(a.runDir)
	for _, line := range repaired {
		fmt.Fprintf(a.stderr, "taken back what a killed run had left: %s\n", line)
	}
	if err != nil {
		return fail(fmt.Errorf("cannot mend what a killed run left: %w", err))
	}
	log := a.log()
	s := client.New(client.Config{
		Profile: p, Password: password, Log: log, Routes: routing.NewNetlink(log, a.runDir), DNS: routing.NewDNS(log, a.runDir), OnEvent: stages.event,
	})
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
		a.showUp(s.Status(), asJSON, stages)
	case err := <-done:
		if err == nil {
			err = &control.Error{Reason: control.ReasonFailed, Text: "interrupted"}
		}
		return fail(err)
	}
	stages.follow()
	if err := <-done; err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s is down\n", p.Name)
	return nil
}

// upDaemon asks the daemon, starting one where there is none and it may.
func (a *app) upDaemon(ctx context.Context, name string, asJSON bool) error {
	stages := newStages(a.stderr, name)
	req := control.UpRequest{Profile: name}
	if strings.ContainsRune(name, '/') {
		return a.upFailed(&control.Error{Reason: control.ReasonUsage, Text: "the daemon takes installed profiles only, not a path: " + name,
			Hint: "use --foreground, or `goppptp profile add` to install it"}, asJSON, stages)
	}
	// The profile is read here first, so that a mistake in it is told without a
	// daemon; where it cannot be read, the daemon can.
	p, err := profiles.Load(a.dirs(), name)
	switch {
	case err == nil && (!p.HasSecret() || p.Keyring):
		password, err := a.secretOf(ctx, p)
		if err != nil {
			return a.upFailed(err, asJSON, stages)
		}
		req.Password = control.Secret(password)
	case err != nil && !errors.Is(err, os.ErrPermission):
		return a.upFailed(err, asJSON, stages)
	}
	c, err := a.daemon(ctx)
	if err != nil {
		return a.upFailed(err, asJSON, stages)
	}
	defer c.Close()
	st, err := c.UpWith(ctx, req, stages.event)
	if err != nil {
		return a.upFailed(err, asJSON, stages)
	}
	a.showUp(st, asJSON, stages)
	return nil
}

func (a *app) upFailed(err error, asJSON bool, stages *stages) error {
	stages.end()
	if !asJSON {
		return err
	}
	a.printJSON(map[string]any{"error": asError(err)})
	return reported{asError(err)}
}

func (a *app) showUp(st control.Status, asJSON bool, stages *stages) {
	stages.end()
	if asJSON {
		a.printJSON(st)
		return
	}
	a.printStatus(st)
}

// loadWithSecret reads a profile and its secret, asking for the secret on the
// terminal where the profile stores none.
func (a *app) loadWithSecret(ctx context.Context, name string) (*profiles.Profile, profiles.Secret, error) {
	p, err := profiles.Load(a.dirs(), name)
	if err != nil {
		return nil, "", err
	}
	if p.HasSecret() && !p.Keyring {
		secret, err := p.ReadSecret(ctx)
		return p, secret, err
	}
	secret, err := a.secretOf(ctx, p)
	return p, profiles.Secret(secret), err
}

// secretOf gets the password of a profile that does not hold it: from the
// user's keyring where the profile says so, else from the terminal.
func (a *app) secretOf(ctx context.Context, p *profiles.Profile) (string, error) {
	if p.Keyring {
		secret, err := keyring.Get(ctx, p.Name)
		if err == nil {
			return secret, nil
		}
		fmt.Fprintf(a.stderr, "%v; `goppptp profile passwd %s` keeps one\n", err, p.Name)
	}
	return askPassword(p, a.stderr)
}

func askPassword(p *profiles.Profile, prompt interface{ Write([]byte) (int, error) }) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("profile %s stores no password and there is no terminal to ask on", p.Name),
			Hint: "set password, password_file or password_command in it"}
	}
	defer tty.Close()
	fmt.Fprintf(tty, "Password of %s for %s: ", p.User, p.Gateway)
	b, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(tty)
	return string(b), err
}

func (a *app) socket() string { return filepath.Join(a.runDir, "control.sock") }

// daemon connects to the daemon, and starts one that ends with its last
// session where none runs.
func (a *app) daemon(ctx context.Context) (*control.Client, error) {
	c, err := control.Dial(a.socket())
	if err == nil || !errors.Is(err, control.ErrNoDaemon) {
		return c, err
	}
	if err := osnet.CheckPrivileges(); err != nil {
		e := needRoot(err)
		if ce, ok := errors.AsType[*control.Error](e); ok {
			ce.Text = "no daemon runs, and it cannot be started: " + ce.Text
		}
		return nil, e
	}
	if err := os.MkdirAll(a.runDir, 0o755); err != nil {
		return nil, err
	}
	logPath := filepath.Join(a.runDir, "daemon.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"daemon", "--until-idle", "--run-dir", a.runDir, "-v"}
	if a.profilesDir != "" {
		dir, err := filepath.Abs(a.profilesDir)
		if err != nil {
			return nil, err
		}
		args = append(args, "--profiles", dir)
	}
	d := exec.Command(exe, args...)
	d.Dir = "/"
	d.Stdout, d.Stderr = logFile, logFile
	d.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := d.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if c, err := control.Dial(a.socket()); err == nil {
				return c, nil
			}
		case err := <-ended:
			return nil, fmt.Errorf("the daemon ended at once (%v): see %s", err, logPath)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
