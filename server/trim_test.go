package server

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Memory is given back once, when the number of sessions has been the same for a
// while after many came or went.
func TestTrim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var freed atomic.Int32
		tr := &trimmer{free: func() { freed.Add(1) }}
		defer tr.stop()
		want := func(n int32) {
			t.Helper()
			synctest.Wait()
			if got := freed.Load(); got != n {
				t.Fatalf("given back %d times, want %d", got, n)
			}
		}
		for range trimLeast - 1 {
			tr.changed()
		}
		<-time.After(10 * trimAfter)
		want(0)
		for range 100 {
			tr.changed()
			<-time.After(trimAfter / 2)
			want(0)
		}
		<-time.After(trimAfter)
		want(1)
		<-time.After(10 * trimAfter)
		want(1)
	})
}
