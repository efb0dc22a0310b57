//go:build linux

package uml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exchange is where the guest sees Config.Dir, writable.
const Exchange = "/run/guest"

// Config says what runs in the guest.
type Config struct {
	Init    string   // absolute path of the program that calls Init; usually os.Args[0]
	Args    []string // the command, Args[0] an absolute path as the guest sees it
	Env     []string // its whole environment
	WorkDir string   // where it runs; empty: /
	Dir     string   // an empty folder of the host, absolute, without spaces
	Modules []string // kernel modules to load first
	MemMB   int      // memory, which also holds what is written; 0: 768
	Output  io.Writer
}

// job is what Run hands to Init through Config.Dir.
type job struct {
	Args, Env, Modules []string
	WorkDir            string
}

const (
	jobFile    = "job.json"
	statusFile = "status"
	errorsFile = "errors"
	moduleTree = "/usr/lib/uml/modules"
)

// Missing names what has to be installed before a guest can boot, as Debian's
// packages; empty: nothing.
func Missing() []string {
	var packages []string
	if _, err := exec.LookPath("linux.uml"); err != nil {
		packages = append(packages, "user-mode-linux")
	} else if _, err := os.Stat(moduleTree); err != nil {
		packages = append(packages, "user-mode-linux")
	}
	if _, err := lookSbin("modprobe"); err != nil {
		packages = append(packages, "kmod")
	}
	return packages
}

func lookSbin(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("uml: %s: %w", name, exec.ErrNotFound)
}

// ErrNoGuest: the guest did not start, or ended before its command did.
var ErrNoGuest = errors.New("uml: the guest ended before its command did")

// Run boots a guest, runs the command in it and returns its exit status. What
// the command writes to its standard output and error goes to cfg.Output as it
// comes. When ctx ends, so does the guest.
func Run(ctx context.Context, cfg Config) (status int, err error) {
	blob, err := json.Marshal(job{cfg.Args, cfg.Env, cfg.Modules, cfg.WorkDir})
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, jobFile), blob, 0o600); err != nil {
		return 0, err
	}
	console, err := os.Create(filepath.Join(cfg.Dir, "console"))
	if err != nil {
		return 0, err
	}
	defer console.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	mem := cfg.MemMB
	if mem == 0 {
		mem = 768
	}
	kernel, err := exec.LookPath("linux.uml")
	if err != nil {
		return 0, fmt.Errorf("uml: %w", err)
	}
	cmd := exec.Command(kernel,
		fmt.Sprintf("mem=%dM", mem), "uml_dir="+cfg.Dir, "umid=uml",
		"rootfstype=hostfs", "hostfs=/", "ro", "init="+cfg.Init, dirVariable+"="+cfg.Dir,
		"quiet", "panic=-1", "noreboot",
		// The kernel talks on its own standard output, the command on console 1.
		"con=null", "con0=null,fd:1", "con1=null,fd:3")
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), memoryFolder(cfg.Dir, mem)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(cfg.Output, r)
		copied <- err
	}()
	err = startOnOneCPU(cmd, idlestCPU())
	w.Close()
	if err != nil {
		<-copied
		return 0, fmt.Errorf("uml: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	waitErr := cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the kernel's helpers, if it left any
	<-copied
	if ctx.Err() != nil {
		return 0, fmt.Errorf("uml: the guest was stopped: %w", context.Cause(ctx))
	}
	text, err := os.ReadFile(filepath.Join(cfg.Dir, statusFile))
	if err != nil {
		said, _ := os.ReadFile(console.Name())
		complaint, _ := os.ReadFile(filepath.Join(cfg.Dir, errorsFile))
		return 0, fmt.Errorf("%w (%v)\n%s\n%s", ErrNoGuest, waitErr, complaint, tail(string(said), 20))
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// memoryFolder says in the environment where the guest's memory file goes, if
// /dev/shm, its usual place, is too small.
func memoryFolder(dir string, memMB int) []string {
	var fs unix.Statfs_t
	if unix.Statfs("/dev/shm", &fs) == nil && int64(fs.Bavail)*fs.Bsize > int64(memMB+64)<<20 {
		return nil
	}
	return []string{"TMPDIR=" + dir}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// startOnOneCPU starts cmd where all its processes will run on that CPU: a
// guest is a crowd of processes that take turns, ten times slower when each
// turn has to wake another CPU.
func startOnOneCPU(cmd *exec.Cmd, cpu int) error {
	started := make(chan error)
	quit := make(chan struct{})
	go func() {
		// The thread keeps this affinity, so it is given up with the goroutine;
		// not before the guest has ended, for Pdeathsig goes by the thread.
		runtime.LockOSThread()
		var set unix.CPUSet
		if cpu >= 0 {
			set.Set(cpu)
			unix.SchedSetaffinity(0, &set) // as well as can be
		}
		started <- cmd.Start()
		<-quit
	}()
	err := <-started
	if err != nil {
		close(quit)
		return err
	}
	go func() {
		// Wait without reaping: that is cmd.Wait's.
		var info unix.Siginfo
		for unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
		close(quit)
	}()
	return nil
}

// idlestCPU looks for a tenth of a second which CPU, of those this process may
// use, does least; -1 where that cannot be told.
func idlestCPU() int {
	var may unix.CPUSet
	if unix.SchedGetaffinity(0, &may) != nil {
		return -1
	}
	before := idleTicks()
	time.Sleep(100 * time.Millisecond)
	best, most := -1, -1
	for cpu, ticks := range idleTicks() {
		if n := ticks - before[cpu]; may.IsSet(cpu) && n > most {
			best, most = cpu, n
		}
	}
	return best
}

// idleTicks reads how long each CPU has been idle so far.
func idleTicks() map[int]int {
	ticks := make(map[int]int)
	text, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		number, found := strings.CutPrefix(f[0], "cpu")
		if cpu, err := strconv.Atoi(number); found && err == nil {
			ticks[cpu], _ = strconv.Atoi(f[4])
		}
	}
	return ticks
}
