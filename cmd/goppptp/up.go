package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
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
	ctx, stop := untilHangup(ctx)
	defer stop()
	stages := newStages(a.stderr, name)
	defer stages.end()
	p, password, err := a.loadWithSecret(ctx, name)
	if err != nil {
		return err
	}
	if err := a.mayRun(ctx, p.Name); err != nil {
		return err
	}
	repaired, err := client.Repair(a.runDir)
	for _, line := range repaired {
		fmt.Fprintf(a.stderr, "taken back what a killed run had left: %s\n", line)
	}
	if err != nil {
		return fmt.Errorf("cannot mend what a killed run left: %w", err)
	}
	defer tunnel.AdaptProcessors()()
	log := a.log()
	s := client.New(client.Config{
		Profile: p, Password: password, RunDir: a.runDir, Log: log, Routes: routing.NewNetlink(log, a.runDir), DNS: routing.NewDNS(log, a.runDir), OnEvent: stages.event,
	})
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		if err == nil {
			err = context.Canceled
		}
		return err
	}
	stages.follow()
	if err := a.showUp(s.Status(), asJSON); err != nil {
		a.log().Warn("the status cannot be shown", "error", err)
	}
	if err := <-done; err != nil {
		return reportedIf(asJSON, err)
	}
	fmt.Fprintf(a.stderr, "%s is down\n", p.Name)
	return nil
}

// mayRun reports why the session of a profile cannot be run in this process.
func (a *app) mayRun(ctx context.Context, profile string) error {
	if err := osnet.CheckPrivileges(); err != nil {
		return needRoot(err)
	}
	c, sessions, err := known(ctx, a.dial)
	if err != nil || c == nil {
		return nil // none that would know
	}
	defer c.Close()
	for _, st := range sessions {
		if st.Profile == profile && isLive(st) {
			return usageError("the daemon has %s %s already: `goppptp down %s` first", profile, st.State, profile)
		}
	}
	return nil
}

// untilHangup has ctx end, too, when the terminal goes away; and what is
// written to where nobody reads any more does not end the program. Either
// would leave behind what the program has to take back.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	if signal.Ignored(syscall.SIGHUP) { // nohup(1)
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// upDaemon asks the daemon, starting one where there is none and it may.
func (a *app) upDaemon(ctx context.Context, name string, asJSON bool) error {
	req := control.UpRequest{Profile: name}
	if strings.ContainsRune(name, '/') {
		return &control.Error{Reason: control.ReasonUsage, Text: "the daemon takes installed profiles only, not a path: " + name,
			Hint: "use --foreground, or `goppptp profile add` to install it"}
	}
	// The profile is read here first, so that a mistake in it is told without a
	// daemon; where it cannot be read, the daemon can.
	p, err := a.load(name)
	switch {
	case err == nil && (!p.HasSecret() || p.Keyring):
		password, err := a.secretOf(ctx, p)
		if err != nil {
			return err
		}
		req.Password = control.Secret(password.Reveal())
	case err != nil && control.ReasonOf(err) != control.ReasonPermission:
		return err
	}
	stages := newStages(a.stderr, name)
	st, err := a.askDaemon(ctx, req, stages)
	stages.end()
	if err != nil {
		return err
	}
	return a.showUp(st, asJSON)
}

// endingTimeout is how long one that asks waits for a daemon to end that is
// about to, and for the next.
const endingTimeout = 15 * time.Second

// askDaemon asks for the session; of a daemon that is just ending, the next.
func (a *app) askDaemon(ctx context.Context, req control.UpRequest, stages *stages) (control.Status, error) {
	for start := time.Now(); ; {
		c, err := a.daemon(ctx)
		if err != nil {
			return control.Status{}, err
		}
		st, err := c.UpWith(ctx, req, stages.event)
		c.Close()
		ended := errors.Is(err, control.ErrNoDaemon) || control.ReasonOf(err) == control.ReasonEnding
		if !ended || time.Since(start) > endingTimeout {
			return st, err
		}
		select {
		case <-ctx.Done():
			return control.Status{}, context.Cause(ctx)
		case <-time.After(daemonPause):
		}
	}
}

func (a *app) showUp(st control.Status, asJSON bool) error {
	if asJSON {
		return a.printJSON(st)
	}
	a.printStatus(st)
	return nil
}

// loadWithSecret reads a profile and its secret, asking for the secret on the
// terminal where the profile stores none.
func (a *app) loadWithSecret(ctx context.Context, name string) (*profiles.Profile, profiles.Secret, error) {
	p, err := a.load(name)
	if err != nil {
		return nil, "", err
	}
	secret, err := p.ReadSecret(ctx)
	if errors.Is(err, profiles.ErrAsk) {
		secret, err = a.secretOf(ctx, p)
	} else if err != nil {
		err = &control.Error{Reason: control.ReasonUsage, Text: err.Error()}
	}
	return p, secret, err
}
