package tunnel

import (
	"sync"
	"time"
)

// A mailbox takes items from any goroutine without blocking and hands them to
// one loop. It is for the few requests of our own side; what the network sends
// goes through a bounded channel.
type mailbox[T any] struct {
	mu    *sync.Mutex
	items *[]T // mu guards
	wake  chan struct{}
}

func newMailbox[T any]() mailbox[T] {
	return mailbox[T]{mu: new(sync.Mutex), items: new([]T), wake: make(chan struct{}, 1)}
}

func (m mailbox[T]) put(item T) {
	m.mu.Lock()
	*m.items = append(*m.items, item)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// ready is readable when take may return something.
func (m mailbox[T]) ready() <-chan struct{} { return m.wake }

func (m mailbox[T]) take() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := *m.items
	*m.items = nil
	return items
}

// A timer is the one timer of a loop.
type timer struct{ t *time.Timer }

func newTimer() timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return timer{t}
}

// arm sets the timer to the given time, or off if that is zero.
func (t timer) arm(at time.Time) {
	if at.IsZero() {
		t.t.Stop()
		return
	}
	t.t.Reset(time.Until(at))
}

func (t timer) fired() <-chan time.Time { return t.t.C }

func (t timer) stop() { t.t.Stop() }
