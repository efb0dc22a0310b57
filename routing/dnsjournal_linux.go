package routing

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Name servers that resolvconf was told of have journals of their own, in
// RUNDIR/dns; see the journal of routes for how the dead are told from the living.
const dnsDirName = "dns"

// note writes down that program is about to be told of cfg.
func (r *resolvconf) note(cfg *DNSConfig, program string) error {
	if r.journal == nil {
		j := newJournal(r.runDir, cfg.Name)
		j.dir = filepath.Join(r.runDir, dnsDirName)
		j.path = filepath.Join(j.dir, filepath.Base(j.path))
		if err := os.MkdirAll(j.dir, 0o700); err != nil {
			return err
		}
		r.journal = j
	}
	return r.journal.write(&record{Profile: cfg.Name, PID: pid(), Namespace: namespace(), Link: cfg.Link, Routes: []Entry{}, Resolver: program})
}

// repairDNS takes back the name servers of sessions that did not come to their
// end, unless another session has made a link of that name meanwhile and told
// of its own: then they are replaced already.
func repairDNS(ctx context.Context, runDir string) (done []string, err error) {
	dir := filepath.Join(runDir, dnsDirName)
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dead []string
	records := map[string]record{}
	living := map[string]bool{}
	for _, info := range files {
		path := filepath.Join(dir, info.Name())
		r, alive, err := readDNSJournal(path)
		switch {
		case alive:
			living[r.Link] = true
		case err != nil || !strings.HasSuffix(path, suffix):
			os.Remove(path) // never came to be whole
		default:
			dead = append(dead, path)
			records[path] = r
		}
	}
	var failed []error
	for _, path := range dead {
		if r := records[path]; !living[r.Link] && r.Link != "" {
			m := &resolvconf{program: r.Resolver, runDir: runDir}
			if err := m.revert(ctx, &DNSConfig{Name: r.Profile, Link: r.Link}); err != nil {
				failed = append(failed, err)
				continue
			}
			done = append(done, "name servers of "+r.Link)
		}
		failed = append(failed, os.Remove(path))
	}
	return done, errors.Join(failed...)
}

func readDNSJournal(path string) (r record, alive bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, false, err
	}
	defer f.Close()
	alive = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
	data, err := io.ReadAll(io.LimitReader(f, maxJournal))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, alive, err
}
