//go:build linux

package nm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideVariable in the environment says that this is inside of the
// namespaces, and where the programs are.
const insideVariable = "GOPPPTP_TEST_NM_PROGRAMS"

// unavailable says why there is no NetworkManager to test with.
var unavailable string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if dir := os.Getenv(insideVariable); dir != "" {
		programs = dir
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "no NetworkManager could be started:", err)
			showLog(0)
			return 1
		}
		return m.Run()
	}
	if unavailable = missing(); unavailable != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "goppptp-nm-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("unshare", append([]string{"--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc", os.Args[0]}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), insideVariable+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() > 0 {
			return e.ExitCode()
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// missing returns what keeps the tests from running, or "".
func missing() string {
	if os.Geteuid() != 0 {
		return "needs root, for namespaces"
	}
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for program, pack := range map[string]string{
		"NetworkManager": "network-manager", "nmcli": "network-manager", "dbus-daemon": "dbus-daemon",
		"unshare": "util-linux", "ip": "iproute2", "ping": "iputils-ping", "go": "golang",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Sprintf("needs %s (Debian: %s; test/setup installs it)", program, pack)
		}
	}
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		return "needs /dev/net/tun: " + err.Error()
	} else {
		f.Close()
	}
	// Where namespaces or overlays are refused there is nothing to be done.
	try := "mount -t tmpfs tmpfs /run && mkdir /run/up /run/work && mount -t overlay -o lowerdir=/etc,upperdir=/run/up,workdir=/run/work overlay /etc"
	if out, err := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", try).CombinedOutput(); err != nil {
		return "needs namespaces and overlayfs: " + strings.TrimSpace(string(out))
	}
	return ""
}

// need skips a test where there is no NetworkManager.
func need(t *testing.T) {
	t.Helper()
	if unavailable != "" {
		t.Skip(unavailable)
	}
}

// programs is the folder with what is tested.
var programs string

func build(dir string) error {
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/goppptp", "./cmd/nm-goppptp-service", "./cmd/nm-goppptp-auth-dialog")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// prepare makes the networks and starts the bus, NetworkManager and the server.
func prepare() error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"file systems", mountAll},
		{"networks", network},
		{"settings", settings},
		{"bus", startBus},
		{"NetworkManager", func() error { return startNetworkManager() }},
		{"install", func() error {
			_, err := command(programs+"/goppptp", "install", "--networkmanager", "--replace-pptp")
			return err
		}},
		{"server", func() error { return startServer("198.51.100.10", "main", "192.168.13", "") }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// mountAll makes private, writable copies of the folders that the bus,
// NetworkManager and an installed plugin use.
func mountAll() error {
	mount := func(source, target, kind string, flags uintptr, data string) error {
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	if err := mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return err
	}
	if err := mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, d := range []string{"usr", "etc", "var"} {
		up, work := "/run/.box/"+d+"/up", "/run/.box/"+d+"/work"
		if err := errors.Join(os.MkdirAll(up, 0o755), os.MkdirAll(work, 0o755)); err != nil {
			return err
		}
		if err := mount("overlay", "/"+d, "overlay", 0, "lowerdir=/"+d+",upperdir="+up+",workdir="+work); err != nil {
			return err
		}
	}
	for _, d := range []string{"/var/lib/NetworkManager", "/etc/NetworkManager", "/run/dbus", "/run/NetworkManager"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	// NetworkManager's own folders are not copies: they start empty. A read-only
	// /sys tells it that there is no udev, and it manages every link at once.
	return errors.Join(
		mount("tmpfs", "/var/lib/NetworkManager", "tmpfs", 0, "mode=700"),
		mount("tmpfs", "/etc/NetworkManager", "tmpfs", 0, "mode=755"),
		mount("tmpfs", "/var/log", "tmpfs", 0, "mode=755"),
		mount("sysfs", "/sys", "sysfs", syscall.MS_RDONLY, ""),
		syscall.Sethostname([]byte("nm-test")))
}

func network() error {
	for _, line := range []string{
		"link set lo up",
		"netns add server",
		"-n server link set lo up",
		"link add lan0 type veth peer name lan0s netns server",
		"link add lan1 type veth peer name lan1s netns server",
		"-n server addr add 198.18.0.1/25 dev lan0s",
		"-n server addr add 198.18.0.129/25 dev lan1s",
		"-n server addr add 198.51.100.10/32 dev lo",
		"-n server addr add 198.51.100.20/32 dev lo",
		"-n server addr add 192.168.13.3/32 dev lo",
		"-n server addr add 172.16.0.10/32 dev lo",
		"-n server link set lan0s up",
		"-n server link set lan1s up",
	} {
		if _, err := command("ip", strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

const mainSettings = `[main]
plugins=keyfile
auth-polkit=root-only
dns=default
rc-manager=file
hostname-mode=none
no-auto-default=*
[connectivity]
enabled=false
[logging]
level=INFO
`

const lanSettings = `[connection]
id=lan%[1]d
uuid=00000000-0000-4000-8000-00000000000%[1]d
type=ethernet
interface-name=lan%[1]d
autoconnect=%[2]t
[ipv4]
method=manual
address1=198.18.0.%[3]d/25,198.18.0.%[4]d
dns=198.18.0.1;
[ipv6]
method=disabled
`

func settings() error {
	for _, d := range []string{"system-connections", "conf.d", "VPN", "dispatcher.d/pre-up.d", "dispatcher.d/pre-down.d", "dispatcher.d/no-wait.d"} {
		if err := os.MkdirAll(filepath.Join("/etc/NetworkManager", d), 0o755); err != nil {
			return err
		}
	}
	// resolv.conf and hosts may be mounts or links of the machine's.
	os.Remove("/etc/hosts")
	os.Remove("/etc/resolv.conf")
	write := func(path, text string, mode os.FileMode) error { return os.WriteFile(path, []byte(text), mode) }
	all := errors.Join(
		write("/etc/hosts", "127.0.0.1 localhost\n198.51.100.10 vpn.test\n", 0o644),
		write("/etc/resolv.conf", "# none\n", 0o644),
		write("/etc/NetworkManager/NetworkManager.conf", mainSettings, 0o644))
	for n := range 2 {
		all = errors.Join(all, write(fmt.Sprintf("/etc/NetworkManager/system-connections/lan%d.nmconnection", n),
			fmt.Sprintf(lanSettings, n, n == 0, n*128+2, n*128+1), 0o600))
	}
	return all
}

const busAddress = "/run/dbus/system_bus_socket"

// startBus starts a system bus with the machine's own policy files.
func startBus() error {
	os.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+busAddress)
	if err := daemon("dbus-daemon", "--system", "--nofork", "--nopidfile"); err != nil {
		return err
	}
	return until(10*time.Second, "the system bus", func() bool { _, err := os.Stat(busAddress); return err == nil })
}
