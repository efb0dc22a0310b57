package netlab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long processes have to end themselves.
const grace = 2 * time.Second

// endProcesses asks the processes whose network is one of these namespaces to
// end, and kills those that do not. This process is never among them.
func endProcesses(list []*Namespace) error {
	if len(list) == 0 {
		return nil
	}
	procs, err := processesIn(list)
	if err != nil || len(procs) == 0 {
		return err
	}
	defer func() {
		for _, p := range procs {
			unix.Close(p.fd)
		}
	}()
	deadline := time.Now().Add(grace)
	for _, p := range procs {
		unix.PidfdSendSignal(p.fd, unix.SIGTERM, nil, 0)
	}
	var stubborn []int
	for _, p := range procs {
		if p.ended(time.Until(deadline)) {
			continue
		}
		unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0)
		if !p.ended(grace) {
			stubborn = append(stubborn, p.pid)
		}
	}
	if stubborn != nil {
		return fmt.Errorf("netlab: processes %v do not end", stubborn)
	}
	return nil
}

// A process is held by a pidfd, so that a number used again cannot be meant.
type process struct{ pid, fd int }

// ended waits for the process to end.
func (p process) ended(wait time.Duration) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, max(0, int(wait.Milliseconds())))
		if err == unix.EINTR {
			continue
		}
		return n > 0
	}
}

func processesIn(list []*Namespace) ([]process, error) {
	type id struct{ dev, ino uint64 }
	ours := map[id]bool{}
	for _, n := range list {
		var st unix.Stat_t
		if err := unix.Fstat(int(n.file.Fd()), &st); err != nil {
			return nil, fmt.Errorf("netlab: %s: %w", n.Name, err)
		}
		ours[id{uint64(st.Dev), st.Ino}] = true
	}
	inside := func(pid int) bool {
		var st unix.Stat_t
		return unix.Stat(filepath.Join("/proc", strconv.Itoa(pid), "ns/net"), &st) == nil &&
			ours[id{uint64(st.Dev), st.Ino}]
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	var procs []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !inside(pid) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // it ended meanwhile
		}
		if !inside(pid) {
			unix.Close(fd)
			continue
		}
		procs = append(procs, process{pid, fd})
	}
	return procs, nil
}
