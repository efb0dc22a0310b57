package tunnel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A turn is work that one goroutine at a time does, again whenever there is
// more of it. What waits for work costs no goroutine: a server has thousands
// of sessions, and most of them wait.
type turn struct {
	do    func()      // the work; it returns when there is no more
	start func(*turn) // has run called, soon, by some goroutine

	mu    sync.Mutex
	state turnState     // mu guards
	over  chan struct{} // mu guards; closed when the last run has returned; nil: nobody asked
	next  *turn         // of the queue of workers
}

type turnState uint8

const (
	turnIdle   turnState = iota
	turnCalled           // start was called, or do is running
	turnAgain            // do is to be called once more
	turnLast             // stop was called while do was running
	turnOver             // nothing is done any more
)

// onOwnGoroutine starts a turn whose work may block.
func onOwnGoroutine(t *turn) { go t.run() }

// wake has the work done. It may be called from any goroutine, the work
// itself included, and does not block.
func (t *turn) wake() {
	t.mu.Lock()
	call := t.state == turnIdle
	switch t.state {
	case turnIdle:
		t.state = turnCalled
	case turnCalled:
		t.state = turnAgain
	}
	t.mu.Unlock()
	if call {
		t.start(t)
	}
}

// run does the work once and then as often as it was asked for meanwhile.
func (t *turn) run() {
	for t.once() {
	}
}

// once does the work and reports whether it is to be done again, which is up to
// the caller.
func (t *turn) once() (again bool) {
	t.mu.Lock()
	if t.state == turnAgain {
		t.state = turnCalled
	}
	if t.state == turnCalled {
		t.mu.Unlock()
		t.do()
		t.mu.Lock()
	}
	switch t.state {
	case turnAgain:
		again = true
	case turnCalled:
		t.state = turnIdle
	default:
		t.state = turnOver
		if t.over != nil {
			close(t.over)
			t.over = nil
		}
	}
	t.mu.Unlock()
	return again
}

// busy reports whether the work is going on, or will be.
func (t *turn) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == turnCalled || t.state == turnAgain || t.state == turnLast
}

// stop has the work never done again, and waits while it is. The work itself
// must not call it.
func (t *turn) stop() {
	t.mu.Lock()
	if t.state == turnIdle || t.state == turnOver {
		t.state = turnOver
		t.mu.Unlock()
		return
	}
	t.state = turnLast
	if t.over == nil {
		t.over = make(chan struct{})
	}
	over := t.over
	t.mu.Unlock()
	<-over
}

// Workers move the packets of many sessions: as many goroutines as there are
// processors, while there is something to move, and none else. Each session
// has one of them at a time for each direction, so packets keep their order.
// The zero value is ready.
type Workers struct {
	acks ackClock

	mu      sync.Mutex
	first   *turn // mu guards, as all that follows; the queue
	last    *turn
	running int
}

// start queues a turn.
func (w *Workers) start(t *turn) {
	w.mu.Lock()
	w.pushLocked(t)
	more := w.running < runtime.GOMAXPROCS(0)
	if more {
		w.running++
	}
	w.mu.Unlock()
	if more {
		go w.work()
	}
}

func (w *Workers) pushLocked(t *turn) {
	if w.first == nil {
		w.first = t
	} else {
		w.last.next = t
	}
	w.last = t
}

// work is one of the goroutines. A turn that has more to do goes to the end of
// the queue: no session keeps the others waiting.
func (w *Workers) work() {
	var again *turn
	for {
		w.mu.Lock()
		if again != nil {
			w.pushLocked(again)
		}
		t := w.first
		if t == nil {
			w.running--
			w.mu.Unlock()
			return
		}
		w.first, t.next = t.next, nil
		w.mu.Unlock()
		again = nil
		if t.once() {
			again = t
		}
	}
}

// An alarm wakes a turn at a time. Its turn's work owns it.
type alarm struct {
	t    *time.Timer
	at   time.Time // zero: off
	rang atomic.Bool
}

// set has t woken at the given time; zero: not.
func (a *alarm) set(at time.Time, t *turn) {
	// It may have rung and not been due: the clock of the wall was set back.
	if at.Equal(a.at) && !a.rang.Load() {
		return
	}
	a.at = at
	a.rang.Store(false)
	switch {
	case at.IsZero():
		if a.t != nil {
			a.t.Stop()
		}
	case a.t == nil:
		a.t = time.AfterFunc(time.Until(at), func() {
			a.rang.Store(true)
			t.wake()
		})
	default:
		a.t.Reset(time.Until(at))
	}
}

// due reports whether the time has come, and if so turns the alarm off.
func (a *alarm) due(now time.Time) bool {
	if a.at.IsZero() || now.Before(a.at) {
		return false
	}
	a.at = time.Time{}
	return true
}
