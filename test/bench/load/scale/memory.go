package scale

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Memory is how much is in use, in octets.
type Memory struct {
	Server     float64 // its resident memory
	ServerAnon float64 // of that, what is no file's
	Generator  float64 // ours
	Available  float64 // to the machine
	Kernel     float64 // what the kernel accounts for itself and cannot give back
	Slab       float64 // of that, small objects
}

// fields reads the lines "name: n kB" of a file, in octets.
func fields(path string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, rest, ok := strings.Cut(line, ":")
		words := strings.Fields(rest)
		if !ok || len(words) != 2 || words[1] != "kB" {
			continue
		}
		if n, err := strconv.ParseUint(words[0], 10, 53); err == nil {
			out[name] = float64(n) * 1024
		}
	}
	return out, nil
}

// Measure looks at the memory of the machine, of a server, and of this process.
func Measure(pid int) (Memory, error) {
	debug.FreeOSMemory() // ours is to be what is in use
	server, err := fields(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	own, err := fields("/proc/self/status")
	if err != nil {
		return Memory{}, err
	}
	all, err := fields("/proc/meminfo")
	if err != nil {
		return Memory{}, err
	}
	return Memory{
		Server: server["VmRSS"], ServerAnon: server["RssAnon"], Generator: own["VmRSS"], Available: all["MemAvailable"],
		Kernel: all["SUnreclaim"] + all["KernelStack"] + all["PageTables"] + all["VmallocUsed"] + all["Percpu"],
		Slab:   all["SUnreclaim"],
	}, nil
}

// Settle waits until a process's resident memory has changed by less than a
// hundredth in quiet, but not for longer than most.
func Settle(ctx context.Context, pid int, quiet, most time.Duration) error {
	start := time.Now()
	var low, high float64
	var since time.Time
	for {
		f, err := fields(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return err
		}
		rss := f["VmRSS"]
		if since.IsZero() || max(high, rss)-min(low, rss) > rss/100 {
			low, high, since = rss, rss, time.Now()
		}
		low, high = min(low, rss), max(high, rss)
		if time.Since(since) > quiet || time.Since(start) > most {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet / 20):
		}
	}
}

// CPU is the time in seconds that a process has spent on processors, its system
// calls included.
func CPU(pid int) (float64, error) {
	// MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of linux/posix-timers.h.
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return float64(ts.Nano()) / 1e9, nil
}
