package osnet

import (
	"fmt"
	"sync"

	"goppptp/internal/offload"
)

// TUNHeadroom is the least offset that TUN.Read and TUN.Write need.
const TUNHeadroom = offload.HeaderLen

// old is the state of Read and Write.
type old struct {
	closing  chan struct{} // closed by Close
	rmu      sync.Mutex
	frame    []byte // rmu guards
	splitter offload.Splitter
	wake     chan struct{}
	wmu      sync.Mutex
	joiner   offload.Joiner // wmu guards
}

// Read waits for IP packets from the host and puts each into bufs[i] from
// offset (TUNHeadroom or more) on, its length into sizes[i]; it returns how many.
// A large TCP segment comes cut to the MTU, so bufs should have BatchSize
// elements of offset+MTU octets. ErrClosed after Close, ErrTUNGone when the
// interface was deleted.
func (t *TUN) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	o := &t.old
	o.rmu.Lock()
	defer o.rmu.Unlock()
	if o.frame == nil {
		o.frame, o.wake = make([]byte, FrameSize), make(chan struct{}, 1)
	}
	ready := func() {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
	for {
		got := 0
		for got < len(bufs) {
			n, err := o.splitter.Next(bufs[got][offset:])
			if err != nil {
				continue // too large for the buffer: lost
			}
			if n == 0 {
				break
			}
			sizes[got] = n
			got++
		}
		if got > 0 {
			return got, nil
		}
		n, err := t.ReadFrame(o.frame)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			o.splitter.Load(o.frame[:n]) // in error there is nothing in it
			continue
		}
		if err := t.WhenReadable(ready); err != nil {
			return 0, err
		}
		select {
		case <-o.wake:
		case <-o.closing:
			return 0, ErrClosed
		}
	}
}

// Write gives IP packets, each in bufs[i] from offset (TUNHeadroom or more) on,
// to the host, TCP segments of one flow joined. A packet that the host refuses,
// being no IP packet or the interface being down, is lost as on any link; Refused
// counts them. ErrClosed after Close, ErrTUNGone when the interface was deleted.
func (t *TUN) Write(bufs [][]byte, offset int) (int, error) {
	if offset < TUNHeadroom {
		return 0, fmt.Errorf("osnet: write %s: no room for a header in front", t.name)
	}
	o := &t.old
	o.wmu.Lock()
	defer o.wmu.Unlock()
	o.joiner.TCP, o.joiner.UDP = t.Offload()
	for _, b := range bufs {
		o.joiner.Add(b[offset:])
	}
	if err := o.joiner.Flush(t.WriteFrame); err != nil {
		return 0, err
	}
	return len(bufs), nil
}

// BatchSize is the number of buffers that Read and Write work best with.
func (t *TUN) BatchSize() int { return 128 }
