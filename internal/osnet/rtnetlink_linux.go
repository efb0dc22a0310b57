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

// An rtnetlink is a socket through which one thing is configured or asked for: a
// message is built and sent, and the answers are read. It is for what a server does
// for each session; package netlink would take more memory for that, in buffers,
// than all the rest of a session.
type rtnetlink struct {
	fd  int
	seq uint32
	b   []byte // the message; the answers come to the same place
	buf *[32 << 10]byte
}

var rtnetlinkBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// openRTNetlink opens a socket in the thread's namespace.
func openRTNetlink() (*rtnetlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &rtnetlink{fd: fd, buf: rtnetlinkBuffers.Get().(*[32 << 10]byte)}, nil
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

// do sends the message and gives the kernel's verdict: nil or an errno. Before that
// each, if not nil, is shown what the kernel answers besides.
func (r *rtnetlink) do(each func(kind uint16, body []byte)) error {
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
		if done, err := answers(r.buf[:n], r.seq, each); done {
			return err
		}
	}
}

// answers goes through what the kernel sent at once. done is true if the message
// with that number is answered completely, err what the kernel says of it.
func answers(b []byte, seq uint32, each func(kind uint16, body []byte)) (done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return true, errors.New("an answer that is cut off")
		}
		kind, number, body := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint32(b[8:]), b[unix.SizeofNlMsghdr:length]
		b = b[min((length+3)&^3, len(b)):]
		switch {
		case number != seq: // to nothing we still wait for
		case kind == unix.NLMSG_DONE || kind == unix.NLMSG_ERROR && len(body) < 4:
			return true, nil
		case kind == unix.NLMSG_ERROR:
			if e := int32(binary.NativeEndian.Uint32(body)); e != 0 {
				return true, unix.Errno(-e)
			}
			return true, nil
		case each != nil:
			each(kind, body)
		}
	}
	return false, nil
}

// attributes goes through what follows the header of an answer.
func attributes(b []byte, each func(kind uint16, data []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return
		}
		const kind = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		each(binary.NativeEndian.Uint16(b[2:])&kind, b[unix.SizeofRtAttr:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

// ask opens a socket, sends one message and closes it.
func ask(kind, flags uint16, header []byte, attrs func(r *rtnetlink), each func(kind uint16, body []byte)) error {
	r, err := openRTNetlink()
	if err != nil {
		return err
	}
	defer r.close()
	r.begin(kind, flags, header)
	if attrs != nil {
		attrs(r)
	}
	return r.do(each)
}

// link begins a change of an interface: of those of its flags that are in change,
// and what attributes follow.
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
	return r.do(nil)
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
	return r.do(nil)
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
	return r.do(nil)
}
