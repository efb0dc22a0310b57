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
		Kernel: kernelMemory(all),
	}, nil
}

// kernelMemory adds up what /proc/meminfo says of the kernel's own memory. What it
// could give back (SReclaimable) is not in it: that is mostly files.
func kernelMemory(f map[string]float64) float64 {
	return f["SUnreclaim"] + f["KernelStack"] + f["PageTables"] + f["VmallocUsed"] + f["Percpu"]
}

// Settle waits until a process's resident memory has changed by less than a
// hundredth in quiet, but not for longer than most.
func Settle(ctx context.Context, pid int, quiet, most time.Duration) error {
	path := fmt.Sprintf("/proc/%d/status", pid)
	return still(ctx, quiet, most, func() (value, slack float64, err error) {
		f, err := fields(path)
		return f["VmRSS"], f["VmRSS"] / 100, err
	})
}

// settleKernel waits until the kernel's own memory has changed by less than 256 kB
// in quiet, but not for longer than most: namespaces go some time after the last
// process that was in them.
func settleKernel(ctx context.Context, quiet, most time.Duration) error {
	return still(ctx, quiet, most, func() (value, slack float64, err error) {
		f, err := fields("/proc/meminfo")
		return kernelMemory(f), 256 << 10, err
	})
}

// still waits until a value has stayed within slack for quiet, but not for longer
// than most.
func still(ctx context.Context, quiet, most time.Duration, probe func() (value, slack float64, err error)) error {
	start := time.Now()
	var low, high float64
	var since time.Time
	for {
		value, slack, err := probe()
		if err != nil {
			return err
		}
		if since.IsZero() || max(high, value)-min(low, value) > slack {
			low, high, since = value, value, time.Now()
		}
		low, high = min(low, value), max(high, value)
		if time.Since(since) > quiet || time.Since(start) > most {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(quiet, most) / 20):
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
