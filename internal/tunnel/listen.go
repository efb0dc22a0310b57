package tunnel

import (
	"net"
	"sync"
	"time"
)

// A patient connection is read without a goroutine that waits for it;
// *osnet.Conn is one.
type patient interface {
	// TryRead reads what there is; 0 and no error: nothing.
	TryRead(b []byte) (int, error)
	// WhenReadable has ready called once, as soon as TryRead has something or an
	// error. ready does not block.
	WhenReadable(ready func()) error
}

const (
	// inputSize is how much is read at once: a control message and some.
	inputSize = 512
	// inputsMax is how much is taken in before others have their turn.
	inputsMax = 16
)

// listen takes in what has come.
func (c *Control) listen() (closed bool, err error) {
	if c.reader != nil {
		return c.hear(c.reader.take())
	}
	var buf [inputSize]byte
	for range inputsMax {
		n, err := c.patient.TryRead(buf[:])
		if n == 0 && err == nil {
			if err = c.patient.WhenReadable(c.loop.wake); err == nil {
				return false, nil
			}
		}
		if closed, cerr := c.hear(buf[:n], err); closed || err != nil {
			return closed, cerr
		}
	}
	c.loop.wake()
	return false, nil
}

// hear has the core take what was read.
func (c *Control) hear(data []byte, err error) (closed bool, _ error) {
	now := time.Now()
	if len(data) > 0 {
		c.core.Handle(now, data)
	}
	if err != nil {
		c.core.ConnectionLost(now, err)
	}
	return c.drain()
}

// A reader reads a connection that is not patient, and some way ahead of what
// is taken.
type reader struct {
	conn net.Conn
	wake func()
	next chan struct{} // something was taken
	end  chan struct{}
	wg   sync.WaitGroup

	mu   sync.Mutex
	data []byte // mu guards; read and not taken
	err  error  // mu guards; how reading ended
}

func newReader(conn net.Conn, wake func()) *reader {
	return &reader{conn: conn, wake: wake, next: make(chan struct{}, 1), end: make(chan struct{})}
}

func (r *reader) start() { r.wg.Go(r.read) }

func (r *reader) read() {
	var buf [inputSize]byte
	for {
		n, err := r.conn.Read(buf[:])
		r.mu.Lock()
		r.data, r.err = append(r.data, buf[:n]...), err
		full := len(r.data) >= inputSize*inputsMax
		r.mu.Unlock()
		r.wake()
		if err != nil {
			return
		}
		for full {
			select {
			case <-r.next:
			case <-r.end:
				return
			}
			r.mu.Lock()
			full = len(r.data) >= inputSize*inputsMax
			r.mu.Unlock()
		}
	}
}

// take returns what was read and not taken yet, and once how reading ended.
func (r *reader) take() (data []byte, err error) {
	r.mu.Lock()
	data, err = r.data, r.err
	r.data, r.err = nil, nil
	r.mu.Unlock()
	select {
	case r.next <- struct{}{}:
	default:
	}
	return data, err
}

// stop waits for the goroutine; conn is closed.
func (r *reader) stop() {
	close(r.end)
	r.wg.Wait()
}
