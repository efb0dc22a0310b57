package tunnel

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever wakes a turn, and how often, its work is done by one goroutine at a
// time, and once more after each wake that came while it was done.
func TestTurn(t *testing.T) {
	for name, start := range map[string]func(*turn){"own goroutine": onOwnGoroutine, "workers": new(Workers).start} {
		t.Run(name, func(t *testing.T) {
			var inside, done atomic.Int32
			var seen atomic.Int64
			var latest atomic.Int64
			tu := &turn{start: start}
			begun := make(chan struct{}, 1)
			tu.do = func() {
				select {
				case begun <- struct{}{}:
				default:
				}
				if inside.Add(1) != 1 {
					t.Error("two at a time")
				}
				seen.Store(latest.Load())
				done.Add(1)
				inside.Add(-1)
			}
			var wakers sync.WaitGroup
			for range 4 {
				wakers.Go(func() {
					for range 2000 {
						latest.Add(1)
						tu.wake()
					}
				})
			}
			wakers.Wait()
			<-begun
			tu.stop()
			// What woke it before stop may have been left undone, but no more than that.
			if done.Load() == 0 || done.Load() > 8000 {
				t.Errorf("done %d times of 8000 wakes", done.Load())
			}
			n := done.Load()
			if tu.wake(); done.Load() != n || tu.busy() {
				t.Error("done after stop")
			}
		})
	}
}

// The last wake is never lost.
func TestTurnLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, seen atomic.Int64
		w := new(Workers)
		tu := &turn{start: w.start}
		tu.do = func() { seen.Store(asked.Load()) }
		for range 5000 {
			asked.Add(1)
			tu.wake()
		}
		synctest.Wait()
		if seen.Load() != 5000 || tu.busy() {
			t.Errorf("seen %d of 5000", seen.Load())
		}
		tu.stop()
		tu.stop()
	})
}

// stop waits for the work that is going on.
func TestTurnStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var over atomic.Bool
		tu := &turn{start: onOwnGoroutine, do: func() {
			<-time.After(time.Second)
			over.Store(true)
		}}
		tu.wake()
		synctest.Wait()
		tu.wake()
		if tu.stop(); !over.Load() {
			t.Error("it did not wait")
		}
		synctest.Wait()
	})
}

// No session keeps the others waiting.
func TestWorkersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(Workers)
		var greedy, modest *turn
		rounds, served := 0, false
		greedy = &turn{start: w.start, do: func() {
			if rounds++; !served && rounds < 100000 {
				greedy.wake()
			}
		}}
		var mu sync.Mutex
		modest = &turn{start: w.start, do: func() { mu.Lock(); served = true; mu.Unlock() }}
		greedyDo := greedy.do
		greedy.do = func() { mu.Lock(); defer mu.Unlock(); greedyDo() }
		greedy.wake()
		modest.wake()
		synctest.Wait()
		if !served || rounds == 100000 {
			t.Errorf("served: %v, after %d turns of the other", served, rounds)
		}
	})
}

func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rings []time.Duration
		began := time.Now()
		var mu sync.Mutex // the alarm is its turn's own
		var a alarm
		tu := &turn{start: onOwnGoroutine}
		tu.do = func() {
			mu.Lock()
			defer mu.Unlock()
			if now := time.Now(); a.due(now) {
				rings = append(rings, now.Sub(began))
			}
		}
		set := func(at time.Time) {
			mu.Lock()
			defer mu.Unlock()
			a.set(at, tu)
		}
		at := func(d time.Duration) time.Time { return began.Add(d) }
		set(time.Time{})
		set(at(5 * time.Second))
		set(at(2 * time.Second))
		<-time.After(3 * time.Second)
		set(at(4 * time.Second))
		set(time.Time{})
		<-time.After(3 * time.Second)
		set(at(time.Second)) // the past
		synctest.Wait()
		tu.stop()
		if len(rings) != 2 || rings[0] != 2*time.Second || rings[1] != 6*time.Second {
			t.Errorf("rang at %v, want 2s and 6s", rings)
		}
	})
}
