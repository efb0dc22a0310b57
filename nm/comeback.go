package nm

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/profiles"
)

// A connection with vpn.persistent that is lost is started anew by
// NetworkManager at once, and only once: by another service, which has to know
// that it is no person who waits there for an answer. So the one before leaves
// a note.

// noteTime is how long such a note holds.
const noteTime = 10 * time.Second

const (
	// notesDir is where services leave their notes.
	notesDir = client.RunDir + "/networkmanager"
	// retryPause is between the attempts of a connection that comes back.
	retryPause = 2 * time.Second
	// defaultTimeout is how long NetworkManager waits for a connection that
	// does not say (vpn.timeout), and reserve is what is left of it at the end
	// for telling why it is in vain.
	defaultTimeout = time.Minute
	reserve        = 5 * time.Second
)

// notes is a directory of them; "" has none.
type notes string

// leave notes that the connection was lost just now.
func (n notes) leave(uuid string) error {
	if n == "" || profiles.CheckName(uuid) != nil {
		return nil
	}
	if err := os.MkdirAll(string(n), 0o755); err != nil {
		return err
	}
	path := filepath.Join(string(n), uuid)
	return errors.Join(os.RemoveAll(path), os.WriteFile(path, nil, 0o600))
}

// take reports whether the connection was lost just before now, and forgets it.
func (n notes) take(uuid string, now time.Time) bool {
	if n == "" || profiles.CheckName(uuid) != nil {
		return false
	}
	path := filepath.Join(string(n), uuid)
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	os.Remove(path)
	age := now.Sub(info.ModTime())
	return age >= -time.Second && age < noteTime
}

// mayComeBack reports whether waiting may help: the server, or the way to it,
// is away.
func mayComeBack(err error) bool {
	switch client.Explain(err).Reason {
	case control.ReasonUnreachable, control.ReasonGRE, control.ReasonFailed:
		return true
	}
	return false
}

// patience returns how long a connection that comes back may try.
func patience(s settings) time.Duration {
	if t := get[uint32](s, "vpn", "timeout"); t > 0 {
		return max(0, time.Duration(t)*time.Second-reserve)
	}
	return defaultTimeout - reserve
}
