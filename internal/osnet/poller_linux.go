package osnet

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Poller tells when descriptors become readable: any number of them with one
// goroutine, where a goroutine for each would keep a stack. It has an epoll
// descriptor of its own, for which the goroutine waits as for a socket, so no
// thread is held either.
type Poller struct {
	file *os.File
	raw  syscall.RawConn
	epfd int
	done chan struct{} // closed when the goroutine is gone

	mu     sync.RWMutex // also keeps epfd from being closed under epoll_ctl
	closed bool         // mu guards this and the rest
	slots  []slot       // a Watch's number is its index
	free   []int32      // slots without one

	// The goroutine's own.
	events [64]unix.EpollEvent
	fired  [64]*Watch
}

// A slot holds a Watch. Its generation is part of what the kernel reports, so
// an event for one that has been closed is not taken for its successor's.
type slot struct {
	watch *Watch
	gen   int32
}

// A Watch is one descriptor that a Poller looks after. Any goroutine may use it.
type Watch struct {
	p    *Poller
	conn syscall.RawConn // holds the descriptor open during a call; nil: its owner does

	mu     sync.Mutex // guards the rest; may be taken before p.mu, not after
	fd     int32      // -1: closed
	number int32
	gen    int32
	added  bool   // the kernel knows of it
	ready  func() // what is called next; nil: it is not armed
}

// NewPoller makes a Poller and starts its goroutine.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("osnet: make a poller: %w", err)
	}
	// Non-blocking, so that os.NewFile has the runtime wait for it.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("osnet: make a poller: %w", err)
	}
	p := &Poller{file: os.NewFile(uintptr(fd), "epoll"), epfd: fd, done: make(chan struct{})}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, fmt.Errorf("osnet: make a poller: %w", err)
	}
	go p.run()
	return p, nil
}

// Close ends the poller and waits for its goroutine; a ready function must not
// call it. What is armed is forgotten.
func (p *Poller) Close() error {
	p.mu.Lock()
	var err error
	if !p.closed {
		p.closed = true
		p.slots, p.free = nil, nil
		err = p.file.Close()
	}
	p.mu.Unlock()
	<-p.done
	return err
}

// run calls ready functions until Close.
func (p *Poller) run() {
	defer close(p.done)
	n := 0
	poll := func(fd uintptr) bool {
		for {
			r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), 0, 0, 0)
			if errno != unix.EINTR {
				n = int(r)
				return n != 0 // -1, an error, ends the loop below
			}
		}
	}
	for p.raw.Read(poll) == nil && n > 0 {
		p.dispatch(p.events[:n], p.fired[:n])
	}
}

// dispatch calls what events are for; fired is as long, and scratch.
func (p *Poller) dispatch(events []unix.EpollEvent, fired []*Watch) {
	p.mu.RLock()
	for i, e := range events {
		// Fd and Pad are what Arm had the kernel keep.
		if int(e.Fd) < len(p.slots) && p.slots[e.Fd].gen == e.Pad {
			fired[i] = p.slots[e.Fd].watch
		}
	}
	p.mu.RUnlock()
	for i, w := range fired {
		if w != nil {
			w.fire(events[i].Pad)
		}
	}
	clear(fired)
}

// Add has the poller look after a connection's descriptor, from the first Arm
// on. Close the Watch no later than the connection.
func (p *Poller) Add(conn syscall.Conn) (*Watch, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("osnet: watch a connection: %w", err)
	}
	w := &Watch{conn: raw}
	var fd int
	if err := raw.Control(func(d uintptr) { fd = int(d) }); err != nil {
		return nil, fmt.Errorf("osnet: watch a connection: %w", err)
	}
	if err := p.add(w, fd); err != nil {
		return nil, err
	}
	return w, nil
}

// add gives w a slot.
func (p *Poller) add(w *Watch, fd int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if n := len(p.free); n > 0 {
		w.number = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		w.number = int32(len(p.slots))
		p.slots = append(p.slots, slot{})
	}
	s := &p.slots[w.number]
	s.watch = w
	w.p, w.fd, w.gen = p, int32(fd), s.gen
	return nil
}

// Arm has ready called once, from the poller's goroutine, as soon as there is
// something to read or an error to be met; at once if there is already. It may
// also be called without need, so what it starts must be able to find nothing.
// ready must not block: all others wait for it. It takes the place of one that
// has not been called yet. ErrClosed after Close, and after the poller's.
func (w *Watch) Arm(ready func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return ErrClosed
	}
	w.ready = ready
	op := unix.EPOLL_CTL_MOD
	if !w.added {
		op = unix.EPOLL_CTL_ADD
	}
	// After one event the kernel is silent until it is asked again.
	if err := w.control(op, unix.EPOLLIN|unix.EPOLLONESHOT); err != nil {
		w.ready = nil
		return err
	}
	w.added = true
	return nil
}

// Close ends the watch; the descriptor is left as it is. An armed ready is not
// called any more, unless it is being called just now.
func (w *Watch) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.p == nil || w.fd < 0 {
		return nil
	}
	if w.added {
		w.control(unix.EPOLL_CTL_DEL, 0)
	}
	w.fd, w.ready = -1, nil
	w.p.remove(w.number)
	return nil
}

// control is epoll_ctl. w.mu is held.
func (w *Watch) control(op int, events uint32) error {
	w.p.mu.RLock()
	defer w.p.mu.RUnlock()
	if w.p.closed {
		return ErrClosed
	}
	if w.conn == nil {
		return w.epollCtl(op, int(w.fd), events)
	}
	var err error
	if e := w.conn.Control(func(fd uintptr) { err = w.epollCtl(op, int(fd), events) }); e != nil {
		return ErrClosed
	}
	return err
}

func (w *Watch) epollCtl(op, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: w.number, Pad: w.gen}
	if err := unix.EpollCtl(w.p.epfd, op, fd, &e); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// remove empties a slot.
func (p *Poller) remove(number int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.slots[number].watch = nil
		p.slots[number].gen++
		p.free = append(p.free, number)
	}
}

// fire calls what w is armed with, if an event of this generation is still for it.
func (w *Watch) fire(gen int32) {
	w.mu.Lock()
	var ready func()
	if w.gen == gen {
		ready, w.ready = w.ready, nil
	}
	w.mu.Unlock()
	if ready != nil {
		ready()
	}
}

// TryRead reads from a TCP connection what is there, without waiting: 0, nil if
// nothing is, and io.EOF at the end. No read deadline applies.
func TryRead(conn syscall.Conn, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var rerr error
	if err := raw.Control(func(fd uintptr) {
		for {
			if n, rerr = unix.Read(int(fd), b); rerr != unix.EINTR {
				return
			}
		}
	}); err != nil {
		return 0, err
	}
	switch {
	case rerr == unix.EAGAIN:
		return 0, nil
	case rerr != nil:
		return 0, os.NewSyscallError("read", rerr)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
