package keyring

import (
	"context"
	"errors"
	"testing"
)

// A real keyring is asked in test/tray.

func TestUnavailable(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
	if _, err := Get(t.Context(), "lab"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Get: %v", err)
	}
	if err := Set("lab", "secret"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Set: %v", err)
	}
	if err := Delete("lab"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Delete: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Get(ctx, "lab"); err == nil {
		t.Error("a password, although nobody waits for it")
	}
}
