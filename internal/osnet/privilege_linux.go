package osnet

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// A PrivilegeError names what this process may not do; errors.Is finds
// fs.ErrPermission in it.
type PrivilegeError struct {
	Missing []string // capabilities, or a file that cannot be opened
}

func (e *PrivilegeError) Error() string {
	return fmt.Sprintf("osnet: no permission: %s missing: run as root, or give the program these capabilities",
		strings.Join(e.Missing, " and "))
}

// Unwrap gives fs.ErrPermission.
func (e *PrivilegeError) Unwrap() error { return fs.ErrPermission }

// ErrNoTUN says that the kernel has no TUN driver.
var ErrNoTUN = errors.New("osnet: /dev/net/tun is missing: load the kernel's tun module (modprobe tun)")

// CheckPrivileges tells whether this process can open tunnels: CAP_NET_ADMIN
// and CAP_NET_RAW (else a *PrivilegeError), and a TUN driver (else ErrNoTUN).
func CheckPrivileges() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("osnet: read our capabilities: %w", err)
	}
	var missing []string
	for _, c := range []struct {
		bit  uint
		name string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_NET_RAW, "CAP_NET_RAW"}} {
		if sets[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			missing = append(missing, c.name)
		}
	}
	if missing != nil {
		return &PrivilegeError{Missing: missing}
	}
	fd, err := openTUNDevice()
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// openTUNDevice opens the clone device, which makes no interface yet.
func openTUNDevice() (int, error) {
	const device = "/dev/net/tun"
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
		return fd, nil
	case unix.ENOENT, unix.ENODEV, unix.ENXIO:
		return -1, ErrNoTUN
	case unix.EPERM, unix.EACCES:
		return -1, &PrivilegeError{Missing: []string{"access to " + device}}
	}
	return -1, fmt.Errorf("osnet: open %s: %w", device, err)
}
