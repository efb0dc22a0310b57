package tunnel

import (
	"runtime"
	"testing"
	"time"
)

func TestProcessors(t *testing.T) {
	for _, c := range []struct {
		n, most    int
		work, used float64
		want       int
		why        string
	}{
		{1, 4, 0, 0, 1, "idle"},
		{1, 4, 1.2, 1, 1, "one direction, and what acknowledges it"},
		{1, 4, 2, 0.5, 1, "two directions with time to spare"},
		{1, 4, 2, 0.8, 2, "two directions, crowded"},
		{1, 4, 50, 1, 2, "many: one at a time"},
		{3, 4, 50, 2.9, 4, "many"},
		{4, 4, 50, 4, 4, "no more than there are"},
		{2, 4, 2, 1.2, 2, "two directions"},
		{2, 4, 1.9, 1.9, 1, "one of them has ceased"},
		{3, 4, 50, 1, 2, "many with little to do"},
		{1, 1, 9, 1, 1, "there is one"},
	} {
		if got := processors(c.n, c.most, c.work, c.used); got != c.want {
			t.Errorf("%s: %d of %d, work %v, used %v: %d, want %d", c.why, c.n, c.most, c.work, c.used, got, c.want)
		}
	}
}

// What a direction moves counts in full up to one share, and anew after each look.
func TestShare(t *testing.T) {
	activity.done.Store(0)
	var s share
	s.add(1000)
	s.add(fullShare)
	s.add(fullShare)
	if got := activity.done.Swap(0); got != fullShare {
		t.Errorf("%d octets count, want %d", got, fullShare)
	}
	activity.epoch.Add(1)
	s.add(5)
	if got := activity.done.Swap(0); got != 5 {
		t.Errorf("%d octets count after a look, want 5", got)
	}
}

func TestAdaptProcessors(t *testing.T) {
	most := runtime.GOMAXPROCS(0)
	t.Setenv("GOMAXPROCS", "")
	stop := AdaptProcessors()
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Errorf("%d processors for nothing", n)
	}
	stop()
	if n := runtime.GOMAXPROCS(0); n != most {
		t.Errorf("%d processors afterwards, were %d", n, most)
	}
	if cpuTime() <= 0 || cpuTime() > time.Hour {
		t.Errorf("CPU time %v", cpuTime())
	}
}
