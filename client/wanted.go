package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// restoreWindow is how long after an orderly end a daemon that starts takes
// itself for the same one restarted. One that was killed says nothing of when,
// and is taken up whenever.
const restoreWindow = 2 * time.Minute

// A wantedList is the profiles that are meant to be up, kept in a file, so
// that a daemon that is restarted brings them up again. It holds names, never
// a secret: what came up with a password of somebody's own is not in it.
type wantedList struct {
	path string

	mu    sync.Mutex
	names []string // mu guards; sorted
}

type wantedFile struct {
	Profiles []string  `json:"profiles"`
	Ended    time.Time `json:"ended,omitzero"` // of a daemon that ended in an orderly way
}

func newWantedList(runDir string) *wantedList {
	return &wantedList{path: filepath.Join(runDir, "wanted.json")}
}

// load takes up what the daemon before this one had up, if this one is to go on
// with it, and returns it.
func (w *wantedList) load(now time.Time) ([]string, error) {
	b, err := os.ReadFile(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f wantedFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	if !f.Ended.IsZero() && now.Sub(f.Ended) > restoreWindow {
		return nil, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names = slices.Compact(slices.Sorted(slices.Values(f.Profiles)))
	return slices.Clone(w.names), nil
}

// set keeps whether profile is meant to be up.
func (w *wantedList) set(profile string, wanted bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, have := slices.BinarySearch(w.names, profile)
	switch {
	case have == wanted:
		return nil
	case wanted:
		w.names = slices.Insert(w.names, i, profile)
	default:
		w.names = slices.Delete(w.names, i, i+1)
	}
	return w.writeLocked(time.Time{})
}

// end keeps that the daemon ended in an orderly way.
func (w *wantedList) end(now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writeLocked(now)
}

func (w *wantedList) writeLocked(ended time.Time) error {
	if len(w.names) == 0 {
		if err := os.Remove(w.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(wantedFile{w.names, ended})
	if err != nil {
		return err
	}
	tmp := w.path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, w.path)
}
