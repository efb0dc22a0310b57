//go:build linux

package uml

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dirVariable is a word of the kernel's command line, which the kernel passes
// to process 1 as part of its environment: Config.Dir.
const dirVariable = "goppptp_guest_dir"

// Init returns at once, unless this process is number 1 of a guest that Run
// booted: then it puts the root file system together, runs the command, leaves
// its status for Run and turns the machine off.
func Init() {
	dir := os.Getenv(dirVariable)
	if os.Getpid() != 1 || dir == "" {
		return
	}
	if err := buildRoot(dir); err != nil {
		fmt.Println("uml:", err) // on the kernel's console, which Run keeps
		powerOff()
	}
	status, err := serve()
	if err != nil {
		complain(err)
	} else {
		os.WriteFile(filepath.Join(Exchange, statusFile), []byte(strconv.Itoa(status)), 0o600)
	}
	powerOff()
}

func complain(err error) {
	f, e := os.OpenFile(filepath.Join(Exchange, errorsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if e == nil {
		fmt.Fprintln(f, "uml:", err)
		f.Close()
	}
}

func powerOff() {
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// A mount is one call of mount(2).
type mount struct{ what, where, kind, options string }

func (m mount) do() error {
	if err := os.MkdirAll(m.where, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.what, m.where, m.kind, 0, m.options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.kind, m.where, err)
	}
	return nil
}

// buildRoot lays memory over the host's file system, moves there, and brings
// in what the host's own root cannot lend: /proc, /sys, /dev, /run.
func buildRoot(dir string) error {
	if err := (mount{"proc", "/proc", "proc", ""}).do(); err != nil {
		return err
	}
	if err := (mount{"tmpfs", "/mnt", "tmpfs", "size=90%,mode=755"}).do(); err != nil {
		return err
	}
	modules, err := modulesOfKernel()
	if err != nil {
		return err
	}
	if err := insmod(filepath.Join(modules, "kernel/fs/overlayfs/overlay.ko")); err != nil {
		return err
	}
	for _, d := range []string{"/mnt/upper", "/mnt/work"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	const root = "/mnt/root"
	for _, m := range []mount{
		{"overlay", root, "overlay", "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work"},
		{"tmpfs", root + "/run", "tmpfs", "mode=755"},
		{"none", root + Exchange, "hostfs", dir},
		{"proc", root + "/proc", "proc", ""},
		{"sysfs", root + "/sys", "sysfs", ""},
		{"devtmpfs", root + "/dev", "devtmpfs", ""},
		{"devpts", root + "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666"},
		{"tmpfs", root + "/dev/shm", "tmpfs", ""},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "mnt"); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/mnt", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount /mnt: %w", err)
	}
	for name, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "fd/0", "/dev/stdout": "fd/1", "/dev/stderr": "fd/2",
		filepath.Join("/lib/modules", filepath.Base(modules)): modules,
	} {
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := os.Symlink(target, name); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	for _, d := range []string{"/run/lock", "/run/netns", "/dev/net"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func modulesOfKernel() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", err
	}
	return filepath.Join(moduleTree, unix.ByteSliceToString(name.Release[:])), nil
}

// insmod loads one module file, before modprobe has a place to look in.
func insmod(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && err != unix.EEXIST {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// serve runs the job with console 1 as its output, and reaps whatever else
// ends, until the job has; then nothing of it is left running.
func serve() (status int, err error) {
	var j job
	blob, err := os.ReadFile(filepath.Join(Exchange, jobFile))
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(blob, &j); err != nil {
		return 0, err
	}
	if err := unix.Sethostname([]byte("guest")); err != nil {
		return 0, fmt.Errorf("sethostname: %w", err)
	}
	console, err := openConsole("/dev/tty1")
	if err != nil {
		return 0, err
	}
	if len(j.Modules) > 0 {
		modprobe, err := lookSbin("modprobe")
		if err != nil {
			return 0, err
		}
		if out, err := exec.Command(modprobe, append([]string{"-a"}, j.Modules...)...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("modprobe: %w: %s", err, out)
		}
	}
	empty, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	p, err := os.StartProcess(j.Args[0], j.Args, &os.ProcAttr{Dir: filepath.Join("/", j.WorkDir), Env: j.Env, Files: []*os.File{empty, console, console}})
	if err != nil {
		return 0, err
	}
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		if err != nil && err != syscall.EINTR {
			return 0, fmt.Errorf("wait: %w", err)
		}
		if pid != p.Pid {
			continue
		}
		status = ws.ExitStatus()
		if ws.Signaled() {
			status = 128 + int(ws.Signal())
		}
		break
	}
	syscall.Kill(-1, syscall.SIGKILL) // all but this process
	drain(console)
	return status, nil
}

// openConsole opens a terminal that passes every byte on as it is.
func openConsole(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// drain waits until the host has taken all that was written to the console.
func drain(f *os.File) {
	const nonZeroMeansDrain = 1
	for unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, nonZeroMeansDrain) == unix.EINTR {
		time.Sleep(time.Millisecond)
	}
}
