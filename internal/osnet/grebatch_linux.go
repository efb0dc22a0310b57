package osnet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
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

	truncated, malformed atomic.Uint64
}

func (r *reader) init(g *GRE) {
	for i := range r.hdrs {
		r.hdrs[i].hdr.Iov = &r.iovs[i]
		r.hdrs[i].hdr.SetIovlen(1)
	}
	r.try = func(fd uintptr) bool {
		for {
			n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])),
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
				if e := readErrorQueue(int(fd), g.path.Remote); e != nil {
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

// writer is the state of one sendmmsg; they are pooled, as many sessions may
// send at once.
type writer struct {
	hdrs  [BatchSize]mmsghdr
	iovs  [BatchSize]unix.Iovec
	name  unix.RawSockaddrInet4
	cmsg  pktinfo
	first int // next of hdrs to go out
	count int
	errno syscall.Errno
	g     *GRE
	try   func(fd uintptr) bool // all gone out or failed: true; the socket is full: false
	once  func(fd uintptr)      // try, for RawConn.Control
}

// pktinfo is a control message that chooses the source address (ip(7)).
type pktinfo struct {
	hdr  unix.Cmsghdr
	info unix.Inet4Pktinfo
}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	for i := range w.hdrs {
		w.hdrs[i].hdr.Iov = &w.iovs[i]
		w.hdrs[i].hdr.SetIovlen(1)
	}
	w.name.Family = unix.AF_INET
	w.cmsg.hdr.Level = unix.IPPROTO_IP
	w.cmsg.hdr.Type = unix.IP_PKTINFO
	w.cmsg.hdr.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	w.try = w.send
	w.once = func(fd uintptr) { w.send(fd) }
	return w
}}

// WriteBatch sends GRE packets, each from its GRE header on, in order. A
// listening socket sends them to p.Remote from p.Local; a dialled one to its
// peer, whatever p. It waits while the socket's buffer is full. A packet that
// the interface's queue has no room for is counted and lost, as on any link.
// Other refusals come as *SendError, and ErrClosed after Close.
//
// The buffers are the caller's again when it returns.
func (g *GRE) WriteBatch(pkts [][]byte, p Path) error {
	// 0.0.0.0 would be this host itself.
	if r := p.Remote.Unmap(); !g.connected && (!r.Is4() || r.IsUnspecified()) {
		return &SendError{Path: p, Errno: unix.EDESTADDRREQ}
	}
	w := writers.Get().(*writer)
	most := min(len(pkts), BatchSize)
	w.address(g, p, most)
	var err error
	for sent := 0; sent < len(pkts) && err == nil; sent += w.count {
		w.load(pkts[sent:min(len(pkts), sent+BatchSize)])
		err = w.flush()
		if e, ok := err.(*SendError); ok {
			e.Sent += sent
		}
	}
	runtime.KeepAlive(pkts)
	w.g = nil
	clear(w.iovs[:most])
	writers.Put(w)
	return err
}

// address prepares the first n messages.
func (w *writer) address(g *GRE, p Path, n int) {
	w.g = g
	var name *byte
	var namelen uint32
	var control *byte
	controllen := 0
	if !g.connected {
		w.name.Addr = p.Remote.Unmap().As4()
		name, namelen = (*byte)(unsafe.Pointer(&w.name)), unix.SizeofSockaddrInet4
		if l := p.Local.Unmap(); l.Is4() {
			w.cmsg.info = unix.Inet4Pktinfo{Spec_dst: l.As4()}
			control, controllen = (*byte)(unsafe.Pointer(&w.cmsg)), unix.CmsgSpace(unix.SizeofInet4Pktinfo)
		}
	}
	for i := range n {
		h := &w.hdrs[i].hdr
		h.Name, h.Namelen = name, namelen
		h.Control = control
		h.SetControllen(controllen)
	}
}

func (w *writer) load(pkts [][]byte) {
	for i, p := range pkts {
		w.iovs[i].Base = unsafe.SliceData(p)
		w.iovs[i].SetLen(len(p))
	}
	w.first, w.count = 0, len(pkts)
}

func (w *writer) flush() error {
	g := w.g
	w.errno = 0
	// Control lets senders of one socket run side by side; Write, which
	// waits, lets in one at a time.
	err := g.raw.Control(w.once)
	if err == nil && w.errno == unix.EAGAIN {
		err = g.raw.Write(w.try)
	}
	switch {
	case g.closed.Load():
		return ErrClosed
	case err != nil:
		return err
	case w.errno != 0:
		path := g.path
		if !g.connected {
			path = Path{Remote: netip.AddrFrom4(w.name.Addr)}
			if w.hdrs[0].hdr.Control != nil {
				path.Local = netip.AddrFrom4(w.cmsg.info.Spec_dst)
			}
		}
		return &SendError{Path: path, Sent: w.first, Errno: w.errno}
	}
	return nil
}

// send makes the system calls. On a dialled socket an earlier packet's ICMP
// error can take the place of a result: nothing was sent then, the complaint
// itself goes to the reader, and another try shows whether the way is open.
func (w *writer) send(fd uintptr) bool {
	w.errno = 0
	retries := 4
	for w.first < w.count {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.hdrs[w.first])),
			uintptr(w.count-w.first), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			w.first += int(n)
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			w.errno = errno
			return false
		case errno == unix.ENOBUFS:
			w.g.txDropped.Add(1)
			w.first++
		case w.g.connected && isICMPErrno(errno) && retries > 0:
			retries--
		default:
			w.errno = errno
			return true
		}
	}
	return true
}
