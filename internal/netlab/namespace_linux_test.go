package netlab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// The thread of a caller comes back, also out of nested visits.
func TestDo(t *testing.T) {
	lab := newLab(t, Options{})
	home := func() string {
		s, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := home()
	wanted := errors.New("as told")
	err := lab.Client.Do(func() error {
		client := home()
		if client == before {
			t.Error("Do did not go anywhere")
		}
		lab.Server.Do(func() error {
			if home() == client {
				t.Error("a visit in a visit did not go anywhere")
			}
			return nil
		})
		if home() != client {
			t.Error("the visit in the visit did not come back")
		}
		return wanted
	})
	if err != wanted {
		t.Errorf("Do gives %v", err)
	}
	func() {
		defer func() { recover() }()
		lab.Client.Do(func() error { panic("as told") })
	}()
	if home() != before {
		t.Error("not back home")
	}
}

// Close ends what runs in the lab.
func TestCloseEndsProcesses(t *testing.T) {
	if _, err := exec.LookPath("sleep"); err != nil {
		t.Skip("needs a program to run: sleep")
	}
	lab := newLab(t, Options{})
	cmd := lab.Inner.Command(context.Background(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stat := func() string {
		s, _ := os.Readlink(filepath.Join("/proc", "self", "ns/net"))
		return s
	}
	own := stat()
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want SIGTERM", err)
	}
	if stat() != own {
		t.Error("this process changed its own network")
	}
	if err := lab.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}
