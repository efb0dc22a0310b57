package osnet

import (
	"sync"

	"golang.org/x/sys/unix"
)

// closing bounds how many threads are busy taking interfaces away.
var closing = make(chan struct{}, 32)

// Close takes the interface away, with its addresses and the routes through it.
// Reading and writing say ErrClosed from then on. It takes some 20 ms; many at once
// take less than as many one after the other.
func (t *TUN) Close() error {
	t.mu.Lock()
	fd, h := t.fd, t.hot
	t.fd, t.hot = -1, nil
	t.mu.Unlock()
	if fd < 0 {
		return nil
	}
	if h != nil {
		h.file.Close() // wakes up who lingers
	}
	t.watch.Close()
	// The kernel takes its time, and the thread's: it waits until no processor
	// can be using the interface any more. Waits of several overlap.
	closing <- struct{}{}
	err := unix.Close(fd)
	<-closing
	if t.space != nil {
		t.space.release(int(t.number))
	}
	t.release()
	return err
}

// shared is the poller of TUNs that were given none. It runs while there are any.
var shared struct {
	mu sync.Mutex
	p  *Poller // mu guards both
	n  int     // TUNs that use it
}

func sharedPoller() (*Poller, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.p == nil {
		p, err := NewPoller()
		if err != nil {
			return nil, err
		}
		shared.p = p
	}
	shared.n++
	return shared.p, nil
}

func releaseShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.n--; shared.n == 0 {
		shared.p.Close()
		shared.p = nil
	}
}
