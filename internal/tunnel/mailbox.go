package tunnel

import "sync"

// A mailbox takes what any goroutine has for one turn, without blocking: its
// own side's requests, and what the network sends, which is bounded.
type mailbox[T any] struct {
	mu    sync.Mutex
	items []T // mu guards
}

// put adds an item, unless there are limit already; limit 0: there is none.
func (m *mailbox[T]) put(item T, limit int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if limit > 0 && len(m.items) >= limit {
		return false
	}
	m.items = append(m.items, item)
	return true
}

// take returns all items, oldest first. An empty mailbox holds no memory.
func (m *mailbox[T]) take() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}
