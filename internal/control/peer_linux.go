package control

import (
	"fmt"
	"net"
	"os/user"
	"slices"
	"strconv"
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
	return p, nil
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
