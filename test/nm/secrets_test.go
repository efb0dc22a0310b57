//go:build linux

package nm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const noPassword = "gateway=vpn.test,user=sio4,routes=172.16.0.0/16"

func up(t *testing.T, name string, more ...string) {
	t.Helper()
	must(t, "nmcli", append([]string{"connection", "up", name}, more...)...)
}

func down(t *testing.T, name string) {
	t.Helper()
	must(t, "nmcli", "connection", "down", name)
	wait(t, 10*time.Second, "the services to leave", func() bool { return len(services()) == 0 })
}

func stored(t *testing.T, name string) string {
	t.Helper()
	return must(t, "nmcli", "--show-secrets", "-g", "vpn.secrets", "connection", "show", name)
}

// A terminal is a pty with a program on it.
type terminal struct {
	pty  *os.File
	cmd  *exec.Cmd
	done chan error

	mu   sync.Mutex
	said bytes.Buffer // mu guards
}

func onTerminal(t *testing.T, name string, args ...string) *terminal {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("needs a pty: ", err)
	}
	t.Cleanup(func() { pty.Close() })
	conn, err := pty.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	term := &terminal{pty: pty, cmd: exec.Command(name, args...), done: make(chan error, 1)}
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = tty, tty, tty
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := pty.Read(buf)
			term.mu.Lock()
			term.said.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { term.done <- term.cmd.Wait() }()
	return term
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.said.String()
}

// answer types a line when the program has asked n times.
func (term *terminal) answer(t *testing.T, n int, line string) {
	t.Helper()
	const prompt = "Password (vpn.secrets.password):"
	if err := until(30*time.Second, "a question", func() bool { return strings.Count(term.text(), prompt) >= n }); err != nil {
		t.Fatalf("%v; on the terminal: %q", err, term.text())
	}
	if _, err := term.pty.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
}

func (term *terminal) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-term.done:
		return err
	case <-time.After(60 * time.Second):
		t.Fatalf("it does not end; on the terminal: %q", term.text())
		return nil
	}
}

func TestPasswordFile(t *testing.T) {
	begin(t)
	add(t, "lab", "goppptp", noPassword)
	refused(t, "No valid secrets", "nmcli", "connection", "up", "lab")
	file := t.TempDir() + "/passwords"
	if err := os.WriteFile(file, []byte("vpn.secrets.password:p4ssw0rd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	up(t, "lab", "passwd-file", file)
	pings(t, "172.16.0.10")
	down(t, "lab")
}

func TestAskedOnTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		flags string
		keeps bool
	}{
		"stored by the system": {"0", true},
		"owned by the agent":   {"1", false},
		"always asked":         {"2", false},
	} {
		t.Run(name, func(t *testing.T) {
			begin(t)
			add(t, "lab", "goppptp", noPassword+",password-flags="+c.flags)
			term := onTerminal(t, "nmcli", "--ask", "connection", "up", "lab")
			term.answer(t, 1, "p4ssw0rd")
			if err := term.end(t); err != nil {
				t.Fatalf("%v: %q", err, term.text())
			}
			if strings.Contains(term.text(), "p4ssw0rd") {
				t.Errorf("the password is on the screen: %q", term.text())
			}
			pings(t, "172.16.0.10")
			down(t, "lab")
			if got := strings.Contains(stored(t, "lab"), "p4ssw0rd"); got != c.keeps {
				t.Errorf("the password is kept: %t", got)
			}
		})
	}
}

func TestNoPasswordRequired(t *testing.T) {
	begin(t)
	add(t, "lab", "goppptp", noPassword+",password-flags=4")
	// It is not asked for before the server has refused to do without.
	refused(t, "No valid secrets", "nmcli", "connection", "up", "lab")
	wait(t, 10*time.Second, "the services to leave", func() bool { return len(services()) == 0 })
}

// clear is the key that empties the line: nmcli fills in the password it has.
const clear = "\x15"

func TestWrongPassword(t *testing.T) {
	t.Run("asked again, right", func(t *testing.T) {
		begin(t)
		add(t, "lab", "goppptp", noPassword, "vpn.secrets", "password=wrong")
		term := onTerminal(t, "nmcli", "--ask", "connection", "up", "lab")
		term.answer(t, 1, clear+"p4ssw0rd")
		if err := term.end(t); err != nil {
			t.Fatalf("%v: %q", err, term.text())
		}
		if !strings.Contains(term.text(), "wrong user name or password") {
			t.Errorf("the reason is not on the screen: %q", term.text())
		}
		pings(t, "172.16.0.10")
		down(t, "lab")
	})
	t.Run("asked again, wrong", func(t *testing.T) {
		begin(t)
		before := routes(t)
		add(t, "lab", "goppptp", noPassword, "vpn.secrets", "password=wrong")
		term := onTerminal(t, "nmcli", "--ask", "connection", "up", "lab")
		term.answer(t, 1, clear+"wrong too")
		term.answer(t, 2, clear+"and wrong")
		if err := term.end(t); err == nil || !strings.Contains(term.text(), "Invalid secrets") {
			t.Errorf("%v: %q", err, term.text())
		}
		traceless(t, before)
	})
	t.Run("nobody to ask", func(t *testing.T) {
		begin(t)
		before := routes(t)
		add(t, "lab", "goppptp", noPassword, "vpn.secrets", "password=wrong")
		from := len(logText("NetworkManager"))
		refused(t, "wrong user name or password", "nmcli", "connection", "up", "lab")
		if !strings.Contains(logText("NetworkManager")[from:], "authentication refused: wrong user name or password") {
			t.Error("the log does not say why")
		}
		traceless(t, before)
	})
}
