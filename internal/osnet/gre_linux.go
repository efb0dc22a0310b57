package osnet

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// BatchSize is the most packets that one ReadBatch returns.
const BatchSize = 64

// The kernel's socket buffers. A TCP burst of a few hundred packets must not
// overflow the receiver; the default of 208 kB holds about 90 of full size.
const (
	receiveBuffer = 8 << 20
	sendBuffer    = 4 << 20
)

// A Path is where a GRE packet came from and which of our addresses it was sent
// to; the answer goes back the same way.
type Path struct{ Local, Remote netip.Addr }

// A Packet is one GRE packet as ReadBatch fills it.
type Packet struct {
	Buf  []byte // the caller's room, 2 kB or more: it takes the IP header too
	Data []byte // inside Buf: the packet from its GRE header on
	Path Path
}

// A GRE is a raw socket for enhanced GRE. One goroutine reads at a time; any
// number may write.
type GRE struct {
	file      *os.File
	raw       syscall.RawConn
	connected bool
	path      Path // connected: ours and the peer's address
	closed    atomic.Bool
	txDropped atomic.Uint64

	readMu sync.Mutex
	reader reader // readMu guards
}

// DialGRE opens a socket for GRE to and from remote only (an IPv4 address).
// The local address is the one that the route to remote now prefers, and stays.
// What routers and the peer say by ICMP comes out of ReadBatch as *ICMPError.
func DialGRE(remote netip.Addr) (*GRE, error) { return DialGREFrom(netip.Addr{}, remote) }

// DialGREFrom is DialGRE with the local address chosen: that of the control
// connection, so that a NAT or a server sees both come from one host. The zero
// Addr leaves it to the route.
func DialGREFrom(local, remote netip.Addr) (*GRE, error) {
	remote, local = remote.Unmap(), local.Unmap()
	if !remote.Is4() {
		return nil, fmt.Errorf("osnet: GRE to %v: not an IPv4 address", remote)
	}
	return openGRE(func(fd int) (Path, error) {
		// With IP_RECVERR the socket also hears of "soft" errors, host
		// unreachable among them, and who complained.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1); err != nil {
			return Path{}, os.NewSyscallError("setsockopt IP_RECVERR", err)
		}
		if local.IsValid() {
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: local.As4()}); err != nil {
				return Path{}, fmt.Errorf("osnet: GRE from %s: %w", local, err)
			}
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: remote.As4()}); err != nil {
			return Path{}, fmt.Errorf("osnet: GRE to %s: %w", remote, err)
		}
		p := Path{Remote: remote}
		if sa, err := unix.Getsockname(fd); err == nil {
			if sa, ok := sa.(*unix.SockaddrInet4); ok {
				p.Local = netip.AddrFrom4(sa.Addr)
			}
		}
		return p, nil
	})
}

// ListenGRE opens a socket for GRE from everybody to any of our addresses: the
// server's, one for all sessions (the kernel hands each packet to every raw
// socket, so a socket a session would cost time for every packet of all).
func ListenGRE() (*GRE, error) {
	return openGRE(func(int) (Path, error) { return Path{}, nil })
}

func openGRE(attach func(fd int) (Path, error)) (*GRE, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_GRE)
	if err != nil {
		if err == unix.EPERM || err == unix.EACCES {
			return nil, &PrivilegeError{Missing: []string{"CAP_NET_RAW"}}
		}
		return nil, fmt.Errorf("osnet: open a GRE socket: %w", err)
	}
	if err := setGREOptions(fd); err != nil {
		unix.Close(fd)
		return nil, err
	}
	path, err := attach(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	g := &GRE{file: os.NewFile(uintptr(fd), "gre"), connected: path.Remote.IsValid(), path: path}
	if g.raw, err = g.file.SyscallConn(); err != nil {
		g.file.Close()
		return nil, fmt.Errorf("osnet: GRE socket: %w", err)
	}
	g.reader.init(g)
	return g, nil
}

func setGREOptions(fd int) error {
	// The filter first: nothing foreign is queued between opening and here
	// that the reader would not also sort out.
	if err := attachFilter(fd, anyCall); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT); err != nil {
		return os.NewSyscallError("setsockopt IP_MTU_DISCOVER", err)
	}
	// Past net.core.[rw]mem_max with CAP_NET_ADMIN, up to it without: a
	// smaller buffer is no reason to fail.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	return nil
}

// Accept has the socket receive the packets of one call alone: callID is what
// the peer puts into those for us. The kernel hands every GRE packet of a host
// to every socket that is connected to it, so several sessions with one gateway
// would each read, and discard, what is the others'.
func (g *GRE) Accept(callID uint16) error {
	var err error
	if cerr := g.raw.Control(func(fd uintptr) { err = attachFilter(int(fd), int(callID)) }); cerr != nil {
		return ErrClosed
	}
	return err
}

// anyCall is attachFilter's call ID of a socket for all calls.
const anyCall = -1

// attachFilter has the kernel drop whatever is not enhanced GRE carrying PPP,
// of the given call, before it takes room in the socket's buffer: version 1,
// protocol type 0x880b (RFC 2637, Section 4.1). A raw socket's filter sees the
// IP header too.
func attachFilter(fd, callID int) error {
	ins := []bpf.Instruction{
		bpf.LoadMemShift{Off: 0},          // X = length of the IP header
		bpf.LoadIndirect{Off: 2, Size: 2}, // protocol type
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x880b, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadIndirect{Off: 1, Size: 1}, // A flag, reserved flags, version
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 7},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 1, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
	if callID != anyCall {
		ins = append(ins,
			bpf.LoadIndirect{Off: 6, Size: 2}, // the low half of the key
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(callID), SkipTrue: 1},
			bpf.RetConstant{Val: 0})
	}
	prog, err := bpf.Assemble(append(ins, bpf.RetConstant{Val: 0x40000}))
	if err != nil {
		return fmt.Errorf("osnet: GRE filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(prog))
	for i, ins := range prog {
		filter[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog); err != nil {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
	}
	return nil
}

// Path gives the two addresses of a dialled socket; the zero Path of a
// listening one.
func (g *GRE) Path() Path { return g.path }

// Close closes the socket and wakes up whoever reads or writes with ErrClosed.
func (g *GRE) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	return g.file.Close()
}

// GREStats counts packets that got no further than the socket.
type GREStats struct {
	ReceiveDropped uint64 // the kernel had no room left in the receive buffer
	SendDropped    uint64 // the interface's queue was full
	Truncated      uint64 // larger than the caller's Buf
	Malformed      uint64 // no whole IP header, or sent to no unicast address
}

// Stats tells what was lost here.
func (g *GRE) Stats() GREStats {
	s := GREStats{SendDropped: g.txDropped.Load(),
		Truncated: g.reader.truncated.Load(), Malformed: g.reader.malformed.Load()}
	g.raw.Control(func(fd uintptr) {
		var mem [16]uint32
		size := uint32(unsafe.Sizeof(mem))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&mem)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 && size > 4*unix.SK_MEMINFO_DROPS {
			s.ReceiveDropped = uint64(mem[unix.SK_MEMINFO_DROPS])
		}
	})
	return s
}
