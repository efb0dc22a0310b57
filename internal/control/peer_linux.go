package control

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// Peer is the process at the other end of the socket, as the kernel knew it
// when it connected.
type Peer struct {
	PID    int
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary
	// Start is when the process started, in clock ticks after boot: with PID it
	// names the process for good. 0: not known, as it has ended.
	Start uint64
}

// soPeerGroups is SO_PEERGROUPS, which package syscall does not name.
const soPeerGroups = 59

// PeerOf asks the kernel who is at the other end of conn.
func PeerOf(conn *net.UnixConn) (Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("control: peer credentials: %w", err)
	}
	var p Peer
	var inner error
	err = raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err != nil {
			inner = err
			return
		}
		p.PID, p.UID, p.GID = int(cred.Pid), cred.Uid, cred.Gid
		p.Groups = peerGroups(fd)
	})
	if err == nil {
		err = inner
	}
	if err != nil {
		return Peer{}, fmt.Errorf("control: peer credentials: %w", err)
	}
	p.Start = startTime(p.PID)
	return p, nil
}

// startTime returns field 22 of /proc/PID/stat (proc(5)), 0 where it cannot be
// read.
func startTime(pid int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is the name in parentheses, and may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return 0
	}
	n, _ := strconv.ParseUint(fields[19], 10, 64)
	return n
}

// peerGroups returns the supplementary groups of the process that connected;
// none where the kernel cannot tell (before Linux 4.13): then nobody gains.
func peerGroups(fd uintptr) []uint32 {
	for n := 64; n <= 65536; n *= 8 {
		groups := make([]uint32, n)
		size := uint32(n * 4)
		_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.SOL_SOCKET, soPeerGroups,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4]
		case syscall.ERANGE:
			continue // more groups than room
		}
		return nil
	}
	return nil
}

// MayChange is the usual rule of who may change things: root, and the members
// of the group [Group].
func MayChange(p Peer) bool {
	if p.UID == 0 {
		return true
	}
	g, err := user.LookupGroup(Group)
	if err != nil {
		return false
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	if err != nil {
		return false
	}
	return p.GID == uint32(gid) || slices.Contains(p.Groups, uint32(gid))
}
