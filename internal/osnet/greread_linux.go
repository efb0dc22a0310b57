package osnet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct mmsghdr; Go pads it as C does.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// reader is the state of recvmmsg, laid out once: nothing is allocated per
// batch. The closure is made once for the same reason.
type reader struct {
	hdrs [BatchSize]mmsghdr
	iovs [BatchSize]unix.Iovec
	want int // in: how many to ask for
	got  int // out
	err  error
	try  func(fd uintptr) bool

	complaints errorQueue

	truncated, malformed atomic.Uint64
}

func (r *reader) init(g *GRE) {
	for i := range r.hdrs {
		r.hdrs[i].hdr.Iov = &r.iovs[i]
		r.hdrs[i].hdr.SetIovlen(1)
	}
	r.try = func(fd uintptr) bool {
		for {
			n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])),
				uintptr(r.want), unix.MSG_DONTWAIT, 0, 0)
			switch errno {
			case 0:
				r.got, r.err = int(n), nil
				return true
			case unix.EINTR:
				continue
			}
			// A complaint by ICMP wakes us up and shows as an errno here, or
			// as nothing at all if a sender met that errno first; what it was
			// stands in the error queue either way.
			r.got, r.err = 0, nil
			if g.connected {
				if e := r.complaints.next(fd, g.path.Remote); e != nil {
					r.err = e
					return true
				}
			}
			if errno == unix.EAGAIN {
				return false
			}
			if !isICMPErrno(errno) {
				r.err = &SendError{Path: g.path, Errno: errno}
				return true
			}
		}
	}
}

// ReadBatch waits for packets and fills pkts from the front, at most BatchSize:
// n of them, 1 or more without an error. Data and Path are set; Buf may have
// changed places with that of another element, its content is valid until the
// caller passes it in again. An *ICMPError is transient: go on reading. After
// Close it returns ErrClosed.
func (g *GRE) ReadBatch(pkts []Packet) (n int, err error) {
	if len(pkts) == 0 {
		return 0, nil
	}
	g.readMu.Lock()
	defer g.readMu.Unlock()
	r := &g.reader
	r.want = min(len(pkts), BatchSize)
	for {
		for i := range r.want {
			buf := pkts[i].Buf
			if len(buf) == 0 {
				r.iovs[i].Base = nil
			} else {
				r.iovs[i].Base = &buf[0]
			}
			r.iovs[i].SetLen(len(buf))
		}
		err := g.raw.Read(r.try)
		if err != nil && !g.closed.Load() && !errors.Is(err, os.ErrDeadlineExceeded) {
			err = g.readPast()
		}
		runtime.KeepAlive(pkts)
		if g.closed.Load() {
			return 0, ErrClosed
		}
		if err == nil {
			err = r.err
		}
		if err != nil {
			return 0, err
		}
		if n := g.sort(pkts, r.got); n > 0 {
			return n, nil
		}
	}
}

// readPast reads where the poller will not wait. It refuses to wait on a
// descriptor that has an error and neither data nor room to send: a complaint
// by ICMP that comes while the send buffer is full. That takes no longer than
// the buffer takes to drain.
func (g *GRE) readPast() error {
	for !g.closed.Load() {
		done := false
		if err := g.raw.Control(func(fd uintptr) { done = g.reader.try(fd) }); err != nil || done {
			return err
		}
		time.Sleep(time.Millisecond)
		if err := g.raw.Read(g.reader.try); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return ErrClosed
}

// sort strips the IP headers and moves the good packets to the front.
func (g *GRE) sort(pkts []Packet, got int) (n int) {
	r := &g.reader
	for i := range got {
		m := &r.hdrs[i]
		if m.hdr.Flags&unix.MSG_TRUNC != 0 {
			r.truncated.Add(1)
			continue
		}
		data, path, ok := stripIPv4(pkts[i].Buf[:m.n])
		if !ok {
			r.malformed.Add(1)
			continue
		}
		if i != n {
			pkts[i].Buf, pkts[n].Buf = pkts[n].Buf, pkts[i].Buf
		}
		pkts[n].Data, pkts[n].Path = data, path
		n++
	}
	return n
}

// stripIPv4 parses an IPv4 header as a raw socket delivers it and returns what
// follows it, aliasing b. The destination must be unicast, as it becomes the
// source of the answer.
func stripIPv4(b []byte) (payload []byte, path Path, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return nil, Path{}, false
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || header > len(b) || total < header || total > len(b) {
		return nil, Path{}, false
	}
	path.Remote = netip.AddrFrom4([4]byte(b[12:16]))
	path.Local = netip.AddrFrom4([4]byte(b[16:20]))
	if b[16] >= 224 {
		return nil, Path{}, false
	}
	return b[header:total], path, true
}
