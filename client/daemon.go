package client

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"goppptp/internal/control"
	"goppptp/routing"
)

// RunDir is where the daemon keeps its socket and the journals of routes.
const RunDir = "/run/goppptp"

// What a daemon that was started for one session waits for.
const (
	unusedTimeout = 20 * time.Second // to be asked for it
	lostTimeout   = 5 * time.Minute  // to be asked why it was lost
)

// DaemonOptions say how the daemon runs.
type DaemonOptions struct {
	RunDir   string   // "": RunDir
	Profiles []string // directories
	// UntilIdle ends the daemon when its last session has ended: the way of a
	// daemon that `goppptp up` started for itself.
	UntilIdle bool
	Log       *slog.Logger
}

// Daemon hosts sessions and answers the control socket until ctx is done,
// and takes everything back before it returns. What a killed run left behind
// is mended first.
func Daemon(ctx context.Context, opts DaemonOptions) error {
	if opts.RunDir == "" {
		opts.RunDir = RunDir
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	unlock, err := lockDaemon(ctx, opts.RunDir)
	if err != nil {
		return err
	}
	defer unlock()
	repaired, err := routing.Repair(opts.RunDir)
	for _, line := range repaired {
		opts.Log.Warn("taken back what a killed run had left", "route", line)
	}
	if err != nil {
		opts.Log.Error("cannot mend what a killed run left", "error", err)
	}
	l, err := control.Listen(filepath.Join(opts.RunDir, "control.sock"))
	if err != nil {
		return err
	}
	m := NewManager(ManagerOptions{
		Profiles: opts.Profiles, Log: opts.Log,
		Routes: func() routing.Applier { return routing.NewNetlink(opts.Log, opts.RunDir) },
	})
	server := control.NewServer(control.Options{Backend: m, Log: opts.Log})
	serveCtx, stopServing := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(serveCtx, l) }()
	unused := time.NewTimer(unusedTimeout)
	defer unused.Stop()
	for {
		select {
		case <-ctx.Done():
		case err := <-served:
			m.Close()
			stopServing()
			return err
		case <-m.Idle():
			if m.Lost() {
				unused.Reset(lostTimeout)
			} else {
				unused.Reset(0)
			}
			continue
		case <-unused.C:
			if !opts.UntilIdle || !m.CloseIfIdle() {
				continue
			}
		}
		m.Close()
		stopServing()
		return <-served
	}
}
