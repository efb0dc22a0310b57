package control

import (
	"context"
	"sync"
)

// hubBuffer is how many events a subscriber may lag behind.
const hubBuffer = 128

// Hub hands events to any number of subscribers. A subscriber that does not
// keep up loses the oldest events, and never holds anybody up. The zero value
// is ready.
type Hub struct {
	mu   sync.Mutex
	subs map[chan Event]struct{} // mu guards
}

// Publish hands e to every subscriber. It does not block.
func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		for {
			select {
			case ch <- e:
			default:
				// Full. Nobody else sends, so that dropping one makes room,
				// unless the reader just did.
				select {
				case <-ch:
				default:
				}
				continue
			}
			break
		}
	}
}

// Events returns a channel of what is published from now on. It is closed
// after ctx has ended.
func (h *Hub) Events(ctx context.Context) <-chan Event {
	ch := make(chan Event, hubBuffer)
	h.mu.Lock()
	if h.subs == nil {
		h.subs = map[chan Event]struct{}{}
	}
	h.subs[ch] = struct{}{}
	h.mu.Unlock()
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, ch)
		close(ch)
	})
	return ch
}
