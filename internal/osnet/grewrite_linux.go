package osnet

import (
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.hdrs[w.first])),
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
