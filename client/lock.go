package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"goppptp/internal/control"
	"goppptp/routing"
)

const (
	lockPause   = 20 * time.Millisecond // between two looks at a lock that another has
	lockTimeout = 5 * time.Second       // for the daemon before this one to end
	sessionWait = time.Second           // for another session of the profile to end
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
	for end := time.Now().Add(wait); ; {
		f, err := tryLock(path)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() {
				os.Remove(path) // while it is still ours
				f.Close()
			}, nil
		}
		if !time.Now().Before(end) {
			return nil, fmt.Errorf("%s: %w", path, ErrLocked)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockPause):
		}
	}
}

// tryLock locks the file at path; nil if another process has it.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		// Who had the lock may have taken the file away in the meantime: then
		// it is the lock of nobody.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return f, nil
		}
	}
	f.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// Repair takes back whatever runs that were killed have left behind in the
// table and in runDir, and returns what there was in the table. What lives is
// left alone.
func Repair(runDir string) (done []string, err error) {
	removeLocks(runDir)
	return routing.Repair(runDir)
}

// removeLocks takes away the files of locks that nobody has.
func removeLocks(runDir string) {
	for _, pattern := range []string{"daemon.lock", "start.lock", "session-*.lock"} {
		files, _ := filepath.Glob(filepath.Join(runDir, pattern))
		for _, path := range files {
			if f, err := tryLock(path); err == nil && f != nil {
				os.Remove(path)
				f.Close()
			}
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

// lock sees to it that there is one session of the profile in this network,
// whichever process runs it.
func (s *Session) lock(ctx context.Context) (unlock func(), err error) {
	if s.cfg.RunDir == "" {
		return func() {}, nil
	}
	name := "session-" + strings.Map(func(r rune) rune {
		if r == '/' || r == 0 {
			return '_'
		}
		return r
	}, s.cfg.Profile.Name)
	if st, err := os.Stat("/proc/self/ns/net"); err == nil {
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			name += fmt.Sprintf("-%d", sys.Ino)
		}
	}
	unlock, err = Lock(ctx, s.cfg.RunDir, name, sessionWait)
	if errors.Is(err, ErrLocked) {
		err = &control.Error{Reason: control.ReasonUsage, Text: s.cfg.Profile.Name + " is up already, or coming up, in another process", Hint: "look for a `goppptp up --foreground`, and end it"}
	}
	return unlock, err
}
