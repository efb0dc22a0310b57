package server

import (
	"testing"
	"testing/synctest"
	"time"
)

// Memory is given back once, when the number of sessions has been the same for a
// while after many came or went.
func TestTrim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		freed := 0
		tr := &trimmer{free: func() { freed++ }}
		defer tr.stop()
		want := func(n int) {
			t.Helper()
			synctest.Wait()
			if freed != n {
				t.Fatalf("given back %d times, want %d", freed, n)
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
