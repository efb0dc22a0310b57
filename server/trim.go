package server

import (
	"runtime/debug"
	"sync"
	"time"
)

// A set-up makes some ten times as much garbage as a session keeps. The runtime
// lets as much of it lie as there is in use, for minutes; a server with thousands
// of sessions gives it back when their number has not changed for a while.
const (
	trimAfter = time.Second
	// trimLeast is how many sessions must have come or gone for it to be worth the
	// time of a collection.
	trimLeast = 50
)

// trimmer gives memory back to the system.
type trimmer struct {
	mu      sync.Mutex
	changes int         // mu guards; sessions that came or went since
	timer   *time.Timer // mu guards
	free    func()      // gives it back; nil: debug.FreeOSMemory
}

// changed: a session has come or gone.
func (t *trimmer) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	switch {
	case t.changes < trimLeast:
	case t.timer == nil:
		t.timer = time.AfterFunc(trimAfter, t.trim)
	default:
		t.timer.Reset(trimAfter)
	}
}

func (t *trimmer) trim() {
	t.mu.Lock()
	t.changes = 0
	free := t.free
	t.mu.Unlock()
	if free == nil {
		free = debug.FreeOSMemory
	}
	free()
}

// stop ends it.
func (t *trimmer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}
