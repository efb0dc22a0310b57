package osnet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An rtnetlink is a socket through which one interface is configured: a message
// is built and sent, and the kernel's answer is an errno. What package netlink
// offers besides costs a server with many sessions more than the rest of a
// session's memory, in buffers.
type rtnetlink struct {
	fd  int
	seq uint32
	b   []byte // the message; answers are read behind it
	buf *[2048]byte
}

var rtnetlinkBuffers = sync.Pool{New: func() any { return new([2048]byte) }}

// openRTNetlink opens a socket in the thread's namespace.
func openRTNetlink() (*rtnetlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &rtnetlink{fd: fd, buf: rtnetlinkBuffers.Get().(*[2048]byte)}, nil
}

func (r *rtnetlink) close() {
	unix.Close(r.fd)
	rtnetlinkBuffers.Put(r.buf)
}

// begin starts a message; header is what follows struct nlmsghdr.
func (r *rtnetlink) begin(kind, flags uint16, header []byte) {
	r.seq++
	r.b = append(r.buf[:0], make([]byte, unix.SizeofNlMsghdr)...)
	binary.NativeEndian.PutUint16(r.b[4:], kind)
	binary.NativeEndian.PutUint16(r.b[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(r.b[8:], r.seq)
	r.b = append(r.b, header...)
}

// attr appends an attribute, and the octets to the next multiple of four.
func (r *rtnetlink) attr(kind uint16, data []byte) {
	r.b = binary.NativeEndian.AppendUint16(r.b, uint16(unix.SizeofRtAttr+len(data)))
	r.b = binary.NativeEndian.AppendUint16(r.b, kind)
	r.b = append(r.b, data...)
	r.b = append(r.b, 0, 0, 0)[:(len(r.b)+3)&^3]
}

func (r *rtnetlink) attr32(kind uint16, v uint32) {
	r.attr(kind, binary.NativeEndian.AppendUint32(nil, v))
}

// do sends the message and gives the kernel's answer: nil or an errno.
func (r *rtnetlink) do() error {
	binary.NativeEndian.PutUint32(r.b, uint32(len(r.b)))
	if err := unix.Sendto(r.fd, r.b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for {
		n, _, err := unix.Recvfrom(r.fd, r.buf[:], 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("recvfrom", err)
		}
		a := r.buf[:n]
		if len(a) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(a[4:]) != unix.NLMSG_ERROR {
			return errors.New("rtnetlink: an answer of another kind")
		}
		if binary.NativeEndian.Uint32(a[8:]) != r.seq {
			continue
		}
		if e := int32(binary.NativeEndian.Uint32(a[unix.SizeofNlMsghdr:])); e != 0 {
			return unix.Errno(-e)
		}
		return nil
	}
}

// link begins a change of an interface; up sets it up as well, or down.
func (r *rtnetlink) link(index int, change, flags uint32) {
	m := unix.IfInfomsg{Family: unix.AF_UNSPEC, Index: int32(index), Change: change, Flags: flags}
	r.begin(unix.RTM_SETLINK, 0, (*[unix.SizeofIfInfomsg]byte)(unsafe.Pointer(&m))[:])
}

// addrGenModeNone has the kernel make no link-local address of its own.
func (r *rtnetlink) addrGenModeNone(index int) error {
	const none = 1 // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h
	nested := func(kind uint16, data []byte) []byte {
		b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(data)))
		b = append(binary.NativeEndian.AppendUint16(b, kind), data...)
		return append(b, make([]byte, -len(b)&3)...)
	}
	r.link(index, 0, 0)
	r.attr(unix.IFLA_AF_SPEC, nested(unix.AF_INET6, nested(unix.IFLA_INET6_ADDR_GEN_MODE, []byte{none})))
	return r.do()
}

// noQueue gives an interface the queueing discipline that keeps nothing.
func (r *rtnetlink) noQueue(index int) error {
	const root = 0xffffffff // TC_H_ROOT of linux/pkt_sched.h
	m := struct {
		family                byte
		_                     [3]byte
		index                 int32
		handle, parent, _info uint32
	}{index: int32(index), parent: root}
	r.begin(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, (*[20]byte)(unsafe.Pointer(&m))[:])
	r.attr(unix.TCA_KIND, []byte("noqueue\x00"))
	return r.do()
}

// address gives an interface "local peer PEER" with these flags; an invalid peer
// is none.
func (r *rtnetlink) address(index int, local, peer netip.Addr, bits int, scope byte, flags uint32) error {
	m := unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: uint8(bits), Scope: scope, Index: uint32(index)}
	if local.Is6() {
		m.Family = unix.AF_INET6
	}
	r.begin(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, (*[unix.SizeofIfAddrmsg]byte)(unsafe.Pointer(&m))[:])
	if !peer.IsValid() {
		peer = local
	}
	r.attr(unix.IFA_LOCAL, local.AsSlice())
	r.attr(unix.IFA_ADDRESS, peer.AsSlice())
	r.attr32(unix.IFA_FLAGS, flags)
	return r.do()
}
