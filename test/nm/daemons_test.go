//go:build linux

package nm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const logDir = "/run/test-logs"

// daemons are the processes that were started, by name.
var daemons = map[string]*exec.Cmd{}

// daemon starts a program that stays, and keeps what it says in a file.
func daemon(name string, args ...string) error {
	return daemonAs(name, name, args...)
}

func daemonAs(as, name string, args ...string) error {
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(logDir, as), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	daemons[as] = cmd
	return nil
}

// kill ends a daemon.
func kill(as string, sig syscall.Signal) {
	if cmd := daemons[as]; cmd != nil {
		cmd.Process.Signal(sig)
		cmd.Wait()
		delete(daemons, as)
	}
}

func startNetworkManager() error {
	if err := daemon("NetworkManager", "--debug"); err != nil {
		return err
	}
	return until(30*time.Second, "lan0 to be connected", func() bool {
		out, _ := command("nmcli", "-g", "GENERAL.STATE", "device", "show", "lan0")
		return out == "100 (connected)"
	})
}

const serverSettings = `listen: ["%[1]s:1723"]
local: %[2]s.254
remote: [%[2]s.240-249]
users:
  - {name: sio4, password: p4ssw0rd}
  - {name: two, password: second word}
dns: [192.168.13.1]
forward: true
`

// startServer starts a PPTP server at address that gives addresses in subnet,
// its first three numbers; more is added to its settings.
func startServer(address, as, subnet, more string) error {
	return serve(as, fmt.Sprintf(serverSettings+more, address, subnet))
}

// serve starts a PPTP server with the settings given.
func serve(as, settings string) error {
	conf := filepath.Join("/run", as+".yaml")
	if err := os.WriteFile(conf, []byte(settings), 0o600); err != nil {
		return err
	}
	before := len(logText(as))
	if err := daemonAs(as, "ip", "netns", "exec", "server", programs+"/goppptp", "--run-dir", "/run/"+as, "serve", "--config", conf); err != nil {
		return err
	}
	return until(20*time.Second, "the server", func() bool { return strings.Contains(logText(as)[before:], "serving PPTP") })
}

func logText(as string) string {
	b, _ := os.ReadFile(filepath.Join(logDir, as))
	return string(b)
}

// showLog prints what NetworkManager and its plugins said from an offset on.
func showLog(from int) string {
	text := logText("NetworkManager")
	text = text[min(from, len(text)):]
	var b strings.Builder
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "vpn") || strings.Contains(line, "nm-goppptp") {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// begin starts a test: with nothing left of the one before, and with the log
// shown if it fails.
func begin(t *testing.T) {
	t.Helper()
	need(t)
	from, fromServer := len(logText("NetworkManager")), len(logText("main"))
	t.Cleanup(func() {
		out, _ := command("nmcli", "-g", "NAME,TYPE", "connection", "show")
		for _, line := range strings.Split(out, "\n") {
			if name, found := strings.CutSuffix(line, ":vpn"); found {
				command("nmcli", "connection", "delete", name)
			}
		}
		if t.Failed() {
			t.Logf("the log of NetworkManager:\n%s", showLog(from))
			t.Logf("the log of the server:\n%s", logText("main")[fromServer:])
		}
	})
}

// command runs a program and returns what it printed.
func command(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), err
}

// must is command for what has to work.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := command(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refused is command for what has to fail, and why.
func refused(t *testing.T, why, name string, args ...string) {
	t.Helper()
	out, err := command(name, args...)
	if err == nil {
		t.Fatalf("%s %s works", name, strings.Join(args, " "))
	}
	if !strings.Contains(out+err.Error(), why) {
		t.Fatalf("%s: %v; want %q", out, err, why)
	}
}

// until waits for something to become true.
func until(limit time.Duration, what string, ok func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("waited %v in vain for %s", limit, what)
		}
	}
	return nil
}

func wait(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if err := until(limit, what, ok); err != nil {
		t.Fatal(err)
	}
}

// services returns the process IDs of the plugin's services.
func services() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if exe, err := os.Readlink(dir + "/exe"); err == nil && strings.HasPrefix(filepath.Base(exe), "nm-goppptp-service") {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			pids = append(pids, pid)
		}
	}
	return pids
}

func routes(t *testing.T) string { t.Helper(); return must(t, "ip", "route") }

// traceless waits until nothing is left of a connection, and the routes are
// what they were.
func traceless(t *testing.T, before string) {
	t.Helper()
	wait(t, 10*time.Second, "the services to leave", func() bool { return len(services()) == 0 })
	if links := must(t, "ip", "-brief", "link"); strings.Contains(links, "ppp") {
		t.Errorf("left over:\n%s", links)
	}
	names := must(t, "dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames")
	if strings.Contains(names, "NetworkManager.goppptp") || strings.Contains(names, "NetworkManager.pptp") {
		t.Errorf("left over:\n%s", names)
	}
	if after := routes(t); after != before {
		t.Errorf("the routes were\n%s\nand are\n%s", before, after)
	}
}
