package client

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/polkit"
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
	repaired, err := Repair(opts.RunDir)
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
	// A daemon that was started for one session has no sessions of its own to
	// go on with.
	var wanted *wantedList
	var before []string
	if !opts.UntilIdle {
		wanted = newWantedList(opts.RunDir)
		if before, err = wanted.load(time.Now()); err != nil {
			opts.Log.Warn("what was up before cannot be read", "error", err)
		}
	}
	m := NewManager(ManagerOptions{
		Profiles: opts.Profiles, RunDir: opts.RunDir, Log: opts.Log,
		Routes: func() routing.Applier { return routing.NewNetlink(opts.Log, opts.RunDir) },
		DNS:    func() Resolver { return routing.NewDNS(opts.Log, opts.RunDir) },
		Wanted: func(profile string, up bool) {
			if wanted == nil {
				return
			}
			if err := wanted.set(profile, up); err != nil {
				opts.Log.Warn("a restart will not know what was up", "error", err)
			}
		},
	})
	server := control.NewServer(control.Options{Backend: m, Log: opts.Log, Authorize: authorize})
	serveCtx, stopServing := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(serveCtx, l) }()
	if wanted != nil {
		resuming, stopResuming := context.WithCancel(ctx)
		resumed := make(chan struct{})
		go func() {
			defer close(resumed)
			resume(resuming, m, before, wanted, opts.Log)
		}()
		defer func() {
			stopResuming()
			<-resumed
			if err := wanted.end(time.Now()); err != nil {
				opts.Log.Warn("a restart will not know what was up", "error", err)
			}
		}()
	}
	if err := tellManager("READY=1"); err != nil {
		opts.Log.Warn("systemd is not told", "error", err)
	}
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
		tellManager("STOPPING=1")
		m.Close()
		stopServing()
		return <-served
	}
}

// resume brings up what the daemon before this one had up. It may take as long
// as the commands that know the passwords do. What is left when ctx ends is
// left for the next daemon.
func resume(ctx context.Context, m *Manager, names []string, wanted *wantedList, log *slog.Logger) {
	for _, name := range names {
		log.Info("bringing up what was up before", "profile", name)
		err := m.Resume(ctx, name)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Warn("it does not come up again", "profile", name, "error", err)
			if err := wanted.set(name, false); err != nil {
				log.Warn("a restart will not know what was up", "error", err)
			}
		}
	}
}

// PolkitAction is what polkit is asked about.
const PolkitAction = "org.goppptp.control"

// authorize asks polkit about a user who is not in the group: its rules may
// look the profile up, and the user may prove to be an administrator.
func authorize(ctx context.Context, p control.Peer, profile string) error {
	ok, err := polkit.Check(ctx, polkit.Process{PID: p.PID, UID: p.UID, Start: p.Start}, PolkitAction, map[string]string{"profile": profile})
	if ok && err == nil {
		return nil
	}
	return errors.New("polkit does not allow it")
}

// tellManager tells the service manager that started us how we are, where one
// did and wants to know (sd_notify(3)).
func tellManager(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
