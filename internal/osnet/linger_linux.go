package osnet

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hot is the interface's descriptor a second time, in the care of Go's runtime:
// a goroutine that waits for it is woken without another in between.
type hot struct {
	file *os.File
	raw  syscall.RawConn
}

// readable tells whether there is something to read, or an error.
func readable(fd uintptr) bool {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	var none unix.Timespec
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&none)), 0, 0, 0)
		if errno != unix.EINTR {
			return n != 0 // also in error: what it is shows when it is read
		}
	}
}

// Linger waits up to d for a frame, or for the interface to be deleted, and
// reports whether it is so. It wakes up sooner than what WhenReadable calls, and
// costs a goroutine, a descriptor and some memory, which it gives back when there
// was nothing for so long. One goroutine at a time calls it. ErrClosed after
// Close.
func (t *TUN) Linger(d time.Duration) (bool, error) {
	h, err := t.heat()
	if err != nil {
		return false, err
	}
	h.file.SetReadDeadline(time.Now().Add(d))
	err = h.raw.Read(readable)
	if err == nil {
		return true, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fd < 0:
		return false, ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.hot = nil
		h.file.Close()
		return false, nil
	}
	return false, fmt.Errorf("osnet: wait for %s: %w", t.name, err)
}

// heat makes hot unless it is there.
func (t *TUN) heat() (*hot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fd < 0:
		return nil, ErrClosed
	case t.hot != nil:
		return t.hot, nil
	}
	fd, err := unix.FcntlInt(uintptr(t.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("osnet: wait for %s: %w", t.name, err)
	}
	h := &hot{file: os.NewFile(uintptr(fd), t.name)}
	if h.raw, err = h.file.SyscallConn(); err != nil {
		h.file.Close()
		return nil, fmt.Errorf("osnet: wait for %s: %w", t.name, err)
	}
	t.hot = h
	return h, nil
}
