package osnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// ErrClosed is what ReadBatch, WriteBatch, Read and Write say after Close;
// errors.Is also finds os.ErrClosed and net.ErrClosed in it.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string { return "osnet: closed" }

func (closedError) Is(target error) bool {
	return target == os.ErrClosed || target == net.ErrClosed
}

// ErrTUNGone says that somebody else deleted the interface.
var ErrTUNGone = fmt.Errorf("osnet: the tunnel's interface was deleted")

// An ICMPError is what a router or the peer said about a GRE packet of ours.
// It is transient: the socket is as good as before. Unwrap gives the errno
// that Linux makes of it, so errors.Is(err, syscall.ENOPROTOOPT) works.
type ICMPError struct {
	Remote     netip.Addr // where the packet went
	From       netip.Addr // who complained; the zero Addr if not told
	Type, Code uint8      // RFC 792
	MTU        int        // of the next hop, for "fragmentation needed"; otherwise 0
	Errno      syscall.Errno
}

// NoGRE tells whether the complaint means that nobody takes GRE there:
// protocol or port unreachable, or administratively prohibited.
func (e *ICMPError) NoGRE() bool {
	const unreachable, protocol, port, netProhibited, hostProhibited, prohibited = 3, 2, 3, 9, 10, 13
	if e.Type != unreachable {
		return e.Type == 0 && e.Errno == syscall.ENOPROTOOPT
	}
	switch e.Code {
	case protocol, port, netProhibited, hostProhibited, prohibited:
		return true
	}
	return false
}

func (e *ICMPError) Error() string {
	who := "the network"
	switch {
	case e.From == e.Remote && e.From.IsValid():
		who = "the peer"
	case e.From.IsValid():
		who = e.From.String()
	}
	s := fmt.Sprintf("osnet: GRE to %s: %s answers %s", e.Remote, who, e.meaning())
	if e.NoGRE() {
		s += ": GRE (IP protocol 47) is not accepted there"
	}
	return s
}

func (e *ICMPError) meaning() string {
	codes := [...]string{"network unreachable", "host unreachable", "protocol unreachable", "port unreachable",
		"fragmentation needed", "source route failed", "network unknown", "host unknown", "host isolated",
		"network prohibited", "host prohibited", "network unreachable for this service",
		"host unreachable for this service", "prohibited by a filter"}
	switch {
	case e.Type == 3 && e.Code == 4 && e.MTU > 0:
		return fmt.Sprintf("fragmentation needed (MTU %d)", e.MTU)
	case e.Type == 3 && int(e.Code) < len(codes):
		return codes[e.Code]
	case e.Type == 11:
		return "time to live exceeded"
	case e.Type == 0:
		return e.Errno.Error()
	}
	return fmt.Sprintf("ICMP type %d code %d", e.Type, e.Code)
}

// Unwrap gives the errno.
func (e *ICMPError) Unwrap() error { return e.Errno }

// A SendError is why the kernel did not take a GRE packet.
type SendError struct {
	Path  Path
	Sent  int // packets of the batch that went out before it
	Errno syscall.Errno
}

func (e *SendError) Error() string {
	s := fmt.Sprintf("osnet: send GRE to %s: %v", e.Path.Remote, e.Errno)
	switch e.Errno {
	case syscall.EPERM:
		s += ": a firewall on this machine drops outgoing GRE (IP protocol 47)"
	case syscall.EACCES:
		s += ": the route forbids it"
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH:
		s += ": there is no route to it"
	case syscall.ENETDOWN:
		s += ": the interface to it is down"
	case syscall.EINVAL, syscall.EADDRNOTAVAIL:
		s += fmt.Sprintf(": the local address %s may be gone", e.Path.Local)
	}
	return s
}

// Unwrap gives the errno.
func (e *SendError) Unwrap() error { return e.Errno }

// Transient tells whether trying again later can work: the network is away for
// now. A firewall's no is not transient.
func (e *SendError) Transient() bool {
	switch e.Errno {
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EINVAL,
		syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENODEV:
		return true
	}
	return false
}
