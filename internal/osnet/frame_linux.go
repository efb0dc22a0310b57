package osnet

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FrameSize is room for the largest frame that a TUN reads: a header of 10
// octets and an IP packet.
const FrameSize = 10 + 65535

// maxParts is UIO_MAXIOV of linux/uio.h.
const maxParts = 1024

// iovecs are arrays for writev.
var iovecs = sync.Pool{New: func() any { return new([maxParts]unix.Iovec) }}

// use keeps the descriptor open until t.mu.RUnlock, which is the caller's to call
// if it is true; false after Close.
func (t *TUN) use() bool {
	t.mu.RLock()
	if t.fd < 0 {
		t.mu.RUnlock()
		return false
	}
	return true
}

// ReadFrame reads one frame from the host into b: the virtio header and an IP
// packet, which may be a large one to be cut up (package offload). b has to have
// FrameSize octets, or the frame may be cut off. It does not wait: 0, nil if there
// is none. ErrClosed after Close, ErrTUNGone when the interface was deleted.
func (t *TUN) ReadFrame(b []byte) (int, error) {
	if !t.use() {
		return 0, ErrClosed
	}
	defer t.mu.RUnlock()
	for {
		n, _, err := unix.RawSyscall(unix.SYS_READ, uintptr(t.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch err {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil
		}
		if err == unix.EBADFD || t.detached() {
			return 0, ErrTUNGone
		}
		return 0, fmt.Errorf("osnet: read %s: %w", t.name, err)
	}
}

// WriteFrame gives the host a frame, in up to 1,024 parts that follow each other:
// the virtio header and an IP packet. One that the host
// refuses, being no IP packet or the interface being down, is lost as on any link;
// Refused counts them. ErrClosed after Close, ErrTUNGone when the interface was
// deleted.
func (t *TUN) WriteFrame(parts [][]byte) error {
	if !t.use() {
		return ErrClosed
	}
	defer t.mu.RUnlock()
	if len(parts) == 0 || len(parts) > maxParts {
		t.refused.Add(1)
		return nil
	}
	iov := iovecs.Get().(*[maxParts]unix.Iovec)
	for i, p := range parts {
		iov[i].Base = unsafe.SliceData(p)
		iov[i].SetLen(len(p))
	}
	var errno syscall.Errno
	var written uintptr
	for {
		written, _, errno = unix.RawSyscall(unix.SYS_WRITEV, uintptr(t.fd), uintptr(unsafe.Pointer(iov)), uintptr(len(parts)))
		if errno != unix.EINTR {
			break
		}
	}
	runtime.KeepAlive(parts)
	clear(iov[:len(parts)])
	iovecs.Put(iov)
	switch {
	case errno == 0 && written > 0:
		return nil
	case errno == unix.EBADFD:
		return ErrTUNGone
	}
	t.refused.Add(1)
	return nil
}

// Offload tells what the host takes joined, and gives large: segments of TCP,
// datagrams of UDP.
func (t *TUN) Offload() (tcp, udp bool) { return t.tcp, t.udp }

// WhenReadable has ready called once as soon as there is a frame to read or the
// interface has been deleted, as Watch.Arm does: from the poller's goroutine, at
// once if there is something already, and perhaps without need. ready must not
// block. Call it again after ReadFrame has found nothing. Close does not call it.
func (t *TUN) WhenReadable(ready func()) error { return t.watch.Arm(ready) }

// Refused counts the frames that the host refused.
func (t *TUN) Refused() uint64 { return t.refused.Load() }

// detached tells whether the descriptor has lost its interface. t.mu is held.
func (t *TUN) detached() bool {
	ifr, err := unix.NewIfreq(t.name)
	return err == nil && unix.IoctlIfreq(t.fd, unix.TUNGETIFF, ifr) == unix.EBADFD
}
