package routing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The journal is a directory, RUNDIR/routes, with one JSON file for each
// session: what it has, or is about to have, in the table. It is written before
// the table is touched. Its owner holds a lock on the file for as long as it
// lives; the kernel drops the lock of an owner that dies, and that is how
// Repair tells the dead from the living. A file is replaced, never rewritten,
// by one that is locked already, so that it is whole at every moment.
//
// Whoever changes the table or reads more than its own file holds the lock on
// RUNDIR/routes.lock meanwhile.

// record is the content of a journal file.
type record struct {
	Profile   string     `json:"profile"`
	PID       int        `json:"pid"`
	Namespace string     `json:"namespace"` // of the network: another one has other tables
	Gateway   netip.Addr `json:"gateway,omitzero"`
	Link      string     `json:"link,omitempty"`
	Routes    []Entry    `json:"routes"`
	Resolver  string     `json:"resolver,omitempty"` // in a journal of name servers: the program that was told of them
}

const (
	lockName   = "routes.lock"
	dirName    = "routes"
	suffix     = ".json"
	lockWait   = 10 * time.Second // for another session's change of the table
	lockPause  = 20 * time.Millisecond
	maxJournal = 16 << 20 // octets
)

var sequence atomic.Int64

// journal is one session's file.
type journal struct {
	dir  string // RUNDIR/routes
	path string
	file *os.File // locked; nil before the first write
}

func newJournal(runDir, profile string) *journal {
	dir := filepath.Join(runDir, dirName)
	name := fmt.Sprintf("%s.%d.%d%s", safeName(profile), os.Getpid(), sequence.Add(1), suffix)
	return &journal{dir: dir, path: filepath.Join(dir, name)}
}

// safeName makes a file name's part of a profile's name.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r == '@' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' {
			return r
		}
		return '_'
	}, s)
	return strings.TrimLeft(s[:min(len(s), 64)], ".")
}

// write replaces the file's content.
func (j *journal) write(r *record) (err error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("routing: journal: %w", err)
	}
	f, err := os.CreateTemp(j.dir, ".new-*")
	if err != nil {
		return fmt.Errorf("routing: journal: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			f.Close()
			err = fmt.Errorf("routing: journal: %w", err)
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	if _, err := f.Write(append(data, '\n')); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), j.path); err != nil {
		return err
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file = f
	return nil
}

// remove takes the file away and lets go of the lock.
func (j *journal) remove() error {
	if j.file == nil {
		return nil
	}
	err := os.Remove(j.path)
	j.file.Close()
	j.file = nil
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return err
}

// lockTable waits for its turn to change the table.
func lockTable(ctx context.Context, runDir string) (unlock func(), err error) {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return nil, fmt.Errorf("routing: journal: %w", err)
	}
	// Whoever can open a journal can lock it, and have its owner taken for alive.
	if err := os.Mkdir(filepath.Join(runDir, dirName), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("routing: journal: %w", err)
	}
	path := filepath.Join(runDir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("routing: journal: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("routing: lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("routing: another program holds %s: %w", path, ctx.Err())
		case <-time.After(lockPause):
		}
	}
}

// found is a journal file of another session.
type found struct {
	path  string
	file  *os.File // of a dead owner: now locked by us
	alive bool
	record
	err error // it cannot be read
}

// others reads every journal but own. The caller holds the table's lock, and
// closes the files.
func others(runDir, own string) ([]found, error) {
	dir := filepath.Join(runDir, dirName)
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("routing: journal: %w", err)
	}
	var out []found
	for _, info := range files {
		path := filepath.Join(dir, info.Name())
		if path == own || !info.Type().IsRegular() || !strings.HasSuffix(path, suffix) && !strings.HasPrefix(info.Name(), ".new-") {
			continue
		}
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return out, fmt.Errorf("routing: journal: %w", err)
		}
		one := found{path: path, file: f}
		one.alive = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
		data, err := io.ReadAll(io.LimitReader(f, maxJournal))
		if err == nil {
			err = json.Unmarshal(data, &one.record)
		}
		if err != nil {
			one.err = fmt.Errorf("routing: journal %s: %w", path, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// claims returns what living sessions of this namespace have.
func claims(list []found, namespace string) []Claim {
	var out []Claim
	for i := range list {
		if f := &list[i]; f.alive && f.err == nil && f.Namespace == namespace {
			out = append(out, Claim{Name: f.Profile, Gateway: f.Gateway, Link: f.Link, Routes: f.Routes})
		}
	}
	return out
}

func closeAll(list []found) {
	for i := range list {
		list[i].file.Close()
	}
}

// namespace names the network namespace of the calling thread.
func namespace() string {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
