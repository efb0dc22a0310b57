package osnet

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// isICMPErrno tells whether Linux makes such an errno from an ICMP error
// (its table icmp_err_convert). Some of them are also said of a local route.
func isICMPErrno(e syscall.Errno) bool {
	switch e {
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENOPROTOOPT, unix.ECONNREFUSED,
		unix.EOPNOTSUPP, unix.EHOSTDOWN, unix.ENONET, unix.EPROTO, unix.EMSGSIZE:
		return true
	}
	return false
}

// errorQueue reads what routers and the peer say by ICMP of a socket's packets.
// It is asked whenever there is nothing else to read, so it waits for nothing,
// allocates nothing, and bothers no scheduler.
type errorQueue struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	packet  [64]byte
	control [128]byte
}

// next takes the oldest ICMP error off a socket with IP_RECVERR, nil if there is
// none. Local errors (a packet too large) are told by the send itself and skipped
// here.
func (q *errorQueue) next(fd uintptr, remote netip.Addr) *ICMPError {
	for {
		q.iov.Base = &q.packet[0]
		q.iov.SetLen(len(q.packet))
		q.hdr = unix.Msghdr{Iov: &q.iov, Control: &q.control[0]}
		q.hdr.SetIovlen(1)
		q.hdr.SetControllen(len(q.control))
		_, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&q.hdr)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return nil
		}
		if e := parseErrorQueue(q.control[:min(int(q.hdr.Controllen), len(q.control))], remote); e != nil {
			return e
		}
	}
}

// parseErrorQueue finds the struct sock_extended_err (ip(7), IP_RECVERR) among
// control messages; nil if there is none of ICMP origin.
func parseErrorQueue(control []byte, remote netip.Addr) *ICMPError {
	const (
		originICMP = 2
		size       = 16 // errno, origin, type, code, pad, info, data
	)
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if m.Header.Level != unix.IPPROTO_IP || m.Header.Type != unix.IP_RECVERR || len(m.Data) < size {
			continue
		}
		if m.Data[4] != originICMP {
			continue
		}
		e := &ICMPError{Remote: remote, Type: m.Data[5], Code: m.Data[6],
			Errno: syscall.Errno(binary.NativeEndian.Uint32(m.Data))}
		if e.Type == 3 && e.Code == 4 {
			e.MTU = int(binary.NativeEndian.Uint32(m.Data[8:]))
		}
		// The offender's sockaddr_in follows.
		if s := m.Data[size:]; len(s) >= 8 && binary.NativeEndian.Uint16(s) == unix.AF_INET {
			e.From = netip.AddrFrom4([4]byte(s[4:8]))
		}
		return e
	}
	return nil
}
