package polkit

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// bus starts a bus that stands for the system's, and returns a connection.
func bus(t *testing.T) *dbus.Conn {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:path="+filepath.Join(t.TempDir(), "bus"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	conn, err := dbus.Connect(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// serve puts check in polkit's place; withdrawn gets the questions that are
// taken back.
func serve(t *testing.T, conn *dbus.Conn, check func(who subject, action string, details map[string]string, flags uint32, id string) (result, *dbus.Error)) (withdrawn chan string) {
	t.Helper()
	withdrawn = make(chan string, 1)
	err := conn.ExportMethodTable(map[string]any{
		"CheckAuthorization":       check,
		"CancelCheckAuthorization": func(id string) *dbus.Error { withdrawn <- id; return nil },
	}, path, name+".Authority")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return withdrawn
}

func TestCheck(t *testing.T) {
	conn := bus(t)
	serve(t, conn, func(who subject, action string, details map[string]string, flags uint32, id string) (result, *dbus.Error) {
		pid, _ := who.Details["pid"].Value().(uint32)
		start, _ := who.Details["start-time"].Value().(uint64)
		uid, _ := who.Details["uid"].Value().(int32)
		if who.Kind != "unix-process" || pid != 17 || start != 1<<40 || uid != 1000 || flags != 1 || id == "" {
			return result{}, dbus.NewError("org.example.Bad", []any{"not what was asked"})
		}
		if action == "unknown" {
			return result{}, dbus.NewError(name+".Error.Failed", []any{"no such action"})
		}
		return result{Authorized: details["profile"] == "lab", Challenge: true, Details: map[string]string{}}, nil
	})
	who := Process{PID: 17, UID: 1000, Start: 1 << 40}
	for _, c := range []struct {
		action  string
		details map[string]string
		want    bool
		fails   bool
	}{
		{"a", map[string]string{"profile": "lab"}, true, false},
		{"a", map[string]string{"profile": "other"}, false, false},
		{"a", nil, false, false},
		{"unknown", nil, false, true},
	} {
		got, err := Check(t.Context(), who, c.action, c.details)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s %v: %v, %v", c.action, c.details, got, err)
		}
	}
}

func TestQuestionIsWithdrawn(t *testing.T) {
	conn := bus(t)
	asked, end := make(chan string, 1), make(chan struct{})
	withdrawn := serve(t, conn, func(_ subject, _ string, _ map[string]string, _ uint32, id string) (result, *dbus.Error) {
		asked <- id
		<-end // the user is thinking
		return result{Authorized: true, Details: map[string]string{}}, nil
	})
	defer close(end)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		ok, err := Check(ctx, Process{PID: 1}, "a", nil)
		if ok {
			err = errors.New("allowed")
		}
		done <- err
	}()
	id := <-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := <-withdrawn; got != id {
		t.Errorf("withdrawn %q, asked %q", got, id)
	}
}

func TestUnavailable(t *testing.T) {
	bus(t) // without polkit
	if ok, err := Check(t.Context(), Process{PID: 1}, "a", nil); ok || !errors.Is(err, ErrUnavailable) {
		t.Errorf("no polkit: %v, %v", ok, err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
	if ok, err := Check(t.Context(), Process{PID: 1}, "a", nil); ok || !errors.Is(err, ErrUnavailable) {
		t.Errorf("no bus: %v, %v", ok, err)
	}
}
