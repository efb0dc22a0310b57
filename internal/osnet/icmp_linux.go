package osnet

import (
	"encoding/binary"
	"net/netip"
	"syscall"

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

// readErrorQueue takes the oldest ICMP error off a socket with IP_RECVERR, nil
// if there is none. Local errors (a packet too large) are told by the send
// itself and skipped here.
func readErrorQueue(fd int, remote netip.Addr) *ICMPError {
	var packet [64]byte
	var control [128]byte
	for {
		_, n, _, _, err := unix.Recvmsg(fd, packet[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil
		}
		if e := parseErrorQueue(control[:n], remote); e != nil {
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
