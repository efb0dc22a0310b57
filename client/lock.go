package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"goppptp/internal/control"
)

const (
	lockPause   = 20 * time.Millisecond // between two looks at a lock that another has
	lockTimeout = 5 * time.Second       // for the daemon before this one to end
)

// ErrLocked says that another process had the lock all the while.
var ErrLocked = errors.New("another process holds the lock")

// Lock takes the lock called name in runDir, for which it waits as long as
// wait, and makes runDir where there is none. The lock goes with the process.
func Lock(ctx context.Context, runDir, name string, wait time.Duration) (unlock func(), err error) {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(runDir, name+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(wait); ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) || !time.Now().Before(end) {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = ErrLocked
			}
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(lockPause):
		}
	}
}

// lockDaemon sees to it that there is one daemon in runDir.
func lockDaemon(ctx context.Context, runDir string) (unlock func(), err error) {
	unlock, err = Lock(ctx, runDir, "daemon", lockTimeout)
	if errors.Is(err, ErrLocked) {
		err = &control.Error{Reason: control.ReasonFailed, Text: "a daemon runs already, with its socket in " + runDir}
	}
	return unlock, err
}
