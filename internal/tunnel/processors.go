package tunnel

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Go's scheduler pays for every processor it may use: whenever a packet wakes a
// goroutine it wakes another thread too, which looks for more work, finds none
// and goes to sleep. With one busy session that is a quarter of all the CPU time
// a packet costs. AdaptProcessors gives the scheduler as many as there is work
// for.

const (
	// processorsEvery is how often the number of processors is thought over.
	processorsEvery = 500 * time.Millisecond
	// fullShare is how many octets one direction of a session moves in that time,
	// to count as work for a processor; with less it counts for that part.
	fullShare = 1 << 20
	// attendShare is what a turn of a control loop counts for.
	attendShare = fullShare / 16
	// Of the processors in use, more than the one share leads to one more, and less
	// than the other of one less to that.
	crowded, roomy = 0.75, 0.6
)

// activity is what all sessions have done since the last look.
var activity struct {
	epoch atomic.Uint32 // number of the look
	done  atomic.Int64  // sum of shares
}

// A share is what one direction of a session has done since the last look. Its
// direction's lock guards it.
type share struct {
	epoch  uint32
	octets uint64
}

// add counts octets that were moved.
func (s *share) add(octets uint64) {
	if epoch := activity.epoch.Load(); s.epoch != epoch {
		s.epoch, s.octets = epoch, 0
	}
	if n := min(octets, fullShare-s.octets); n > 0 {
		s.octets += n
		activity.done.Add(int64(n))
	}
}

// AdaptProcessors sets GOMAXPROCS to 1, and from then on to what the sessions of
// this process have work for, up to what it was. A program that moves packets
// calls it, once, and stop when it ends. With GOMAXPROCS in the environment it
// does nothing.
func AdaptProcessors() (stop func()) {
	most := runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") != "" || most == 1 {
		return func() {}
	}
	runtime.GOMAXPROCS(1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(processorsEvery)
		defer t.Stop()
		spent, at := cpuTime(), time.Now()
		for n := 1; ; {
			select {
			case <-done:
				runtime.GOMAXPROCS(most)
				return
			case <-t.C:
			}
			work := float64(activity.done.Swap(0)) / fullShare
			activity.epoch.Add(1)
			now, used := time.Now(), cpuTime()
			want := processors(n, most, work, float64(used-spent)/float64(now.Sub(at)))
			spent, at = used, now
			if want != n {
				n = want
				runtime.GOMAXPROCS(n)
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// processors says how many there are to be after n, at most most: work is how many
// have something to do, used how many were busy.
func processors(n, most int, work, used float64) int {
	switch {
	case n < most && work >= float64(n+1) && used > crowded*float64(n):
		return n + 1
	case n > 1 && (work < float64(n) || used < roomy*float64(n-1)):
		return n - 1
	}
	return n
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
