package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/internal/osnet"
)

const (
	daemonPause  = 10 * time.Millisecond // between two looks for a daemon
	startTimeout = 15 * time.Second      // for another's start of one
)

func (a *app) socket() string { return filepath.Join(a.runDir, "control.sock") }

// dial connects to the daemon that runs, if it is in our network: a session
// changes the links and routes of the network namespace that its daemon is in,
// which is not where a command under `ip netns exec` means to change them.
func (a *app) dial() (*control.Client, error) {
	c, err := control.Dial(a.socket())
	if err != nil {
		return nil, err
	}
	if a.elsewhere() {
		c.Close()
		return nil, &control.Error{Reason: control.ReasonUsage, Text: "the daemon that runs is in another network namespace than this command",
			Hint: "give this one a daemon of its own with --run-dir, or use --foreground"}
	}
	return c, nil
}

// elsewhere reports whether the daemon is known to be in another network
// namespace. Users who may not look are taken to be in the same.
func (a *app) elsewhere() bool {
	conn, err := net.Dial("unix", a.socket())
	if err != nil {
		return false
	}
	defer conn.Close()
	peer, err := control.PeerOf(conn.(*net.UnixConn))
	if err != nil {
		return false
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", peer.PID))
	if err != nil {
		return false
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	return err == nil && ours != theirs
}

// known returns the daemon and the sessions that it knows; neither where none
// runs, or it has just ended. dial connects to it.
func known(ctx context.Context, dial func() (*control.Client, error)) (*control.Client, []control.Status, error) {
	c, err := dial()
	if err == nil {
		var list []control.Status
		if list, err = c.Sessions(ctx); err == nil {
			return c, list, nil
		}
		c.Close()
	}
	if errors.Is(err, control.ErrNoDaemon) {
		err = nil
	}
	return nil, nil, err
}

// daemon connects to the daemon, and starts one that ends with its last
// session where none runs.
func (a *app) daemon(ctx context.Context) (*control.Client, error) {
	c, err := a.dial()
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
	// Of several that find none, one starts it.
	unlock, err := client.Lock(ctx, a.runDir, "start", startTimeout)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if c, err := a.dial(); !errors.Is(err, control.ErrNoDaemon) {
		return c, err
	}
	return a.startDaemon(ctx)
}

// startDaemon starts a daemon that outlives this process, and waits until it
// answers.
func (a *app) startDaemon(ctx context.Context) (*control.Client, error) {
	d, err := a.daemonProcess()
	if err != nil {
		return nil, err
	}
	logPath := filepath.Join(a.runDir, "daemon.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.Stdout, d.Stderr = log, log
	if err := d.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Wait() }()
	tick := time.NewTicker(daemonPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if c, err := control.Dial(a.socket()); err == nil {
				return c, nil
			}
		case err := <-ended:
			return nil, fmt.Errorf("the daemon ended at once (%v): %s", err, lastLine(logPath))
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// daemonProcess is the daemon, told what we were told; it has no terminal, and
// another directory.
func (a *app) daemonProcess() (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	runDir, err := filepath.Abs(a.runDir)
	if err != nil {
		return nil, err
	}
	args := []string{"daemon", "--until-idle", "--run-dir", runDir, "-v"}
	if dir := a.ownProfiles(); dir != "" {
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
		args = append(args, "--profiles", dir)
	}
	d := exec.Command(exe, args...)
	d.Dir = "/"
	d.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return d, nil
}

// ownProfiles is the directory that was named instead of the usual ones.
func (a *app) ownProfiles() string {
	if a.profilesDir != "" {
		return a.profilesDir
	}
	return os.Getenv("GOPPPTP_PROFILES")
}

// lastLine is what a program that failed said at the end.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return fmt.Sprintf("%s (see %s)", bytes.TrimPrefix(lines[len(lines)-1], []byte("goppptp: ")), path)
}
