// Package keyring keeps the passwords of profiles in the user's own keyring:
// the Secret Service of the desktop (GNOME Keyring, KWallet, KeePassXC), over
// the session bus.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/zalando/go-keyring"
)

// service is the attribute that our items have; the user name of an item is
// the profile's name.
const service = "goppptp"

// ErrNone says that the keyring holds no password for the profile.
var ErrNone = errors.New("keyring: no password is kept for this profile")

// ErrUnavailable says that there is no keyring to ask.
var ErrUnavailable = errors.New("keyring: no keyring answers on the session bus")

// Get returns the password kept for profile. A keyring that is locked asks the
// user to open it, which takes as long as it takes: when ctx ends Get does not
// wait for it.
func Get(ctx context.Context, profile string) (string, error) {
	type answer struct {
		password string
		err      error
	}
	if err := check(); err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	ch := make(chan answer, 1)
	go func() {
		password, err := keyring.Get(service, profile)
		ch <- answer{password, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case a := <-ch:
		return a.password, explain(a.err)
	}
}

// Set keeps the password for profile, in place of one kept before.
func Set(profile, password string) error {
	if err := check(); err != nil {
		return err
	}
	return explain(keyring.Set(service, profile, password))
}

// Delete forgets the password of profile.
func Delete(profile string) error {
	if err := check(); err != nil {
		return err
	}
	return explain(keyring.Delete(service, profile))
}

// check keeps the bus library from starting a session bus of its own, where
// nobody has a keyring.
func check() error {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err != nil {
			return ErrUnavailable
		}
	}
	return nil
}

func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNone
	}
	return fmt.Errorf("%w: %v", ErrUnavailable, err)
}
