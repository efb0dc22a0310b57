package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// firstActivationFD is the first descriptor systemd hands over (sd_listen_fds).
const firstActivationFD = 3

// Listen returns the control socket's listener: the one systemd handed over
// (socket activation) where there is one, else a new one at path, in a folder
// that is made when missing. The socket may be connected to by anybody: who
// may do what is decided for each request. A socket left behind by a dead
// process is replaced; one that is answered at is an error.
func Listen(path string) (net.Listener, error) {
	ls, err := activationListeners(firstActivationFD)
	if err != nil {
		return nil, err
	}
	if len(ls) > 0 {
		for _, l := range ls[1:] {
			l.Close()
		}
		return ls[0], nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if fi, err := os.Lstat(path); err == nil {
		if fi.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("control: %s exists and is not a socket", path)
		}
		c, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("control: %s: %w", path, syscall.EADDRINUSE)
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			os.Remove(path)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("control: %w", err)
	}
	return l, nil
}

// Activated reports whether systemd started this process for its socket.
func Activated() bool {
	return os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") != ""
}

// activationListeners takes the descriptors that systemd handed over, from
// first on, and forgets them, so that children do not see them.
func activationListeners(first int) ([]net.Listener, error) {
	if !Activated() {
		return nil, nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	for _, k := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(k)
	}
	if err != nil || n < 0 || n > 64 {
		return nil, errors.New("control: LISTEN_FDS is not a small number")
	}
	var ls []net.Listener
	for fd := first; fd < first+n; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "activation-"+strconv.Itoa(fd))
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("control: descriptor %d from systemd: %w", fd, err)
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the socket is systemd's
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// Limits on connections at one time: anybody may connect, so that nobody may
// use up what others need.
const (
	maxConns       = 256
	maxConnsPerUID = 32
)

// peerConn is a connection with what the kernel said of its other end.
type peerConn struct {
	net.Conn
	peer  Peer
	close func()
}

func (c *peerConn) Close() error {
	err := c.Conn.Close()
	c.close()
	return err
}

// peerListener accepts connections whose other end is known, up to the limits.
type peerListener struct {
	net.Listener
	peerOf func(net.Conn) (Peer, error)

	mu    sync.Mutex
	total int            // mu guards
	byUID map[uint32]int // mu guards
}

func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p, err := l.peerOf(c)
		if err != nil || !l.take(p.UID) {
			c.Close()
			continue
		}
		return &peerConn{Conn: c, peer: p, close: sync.OnceFunc(func() { l.release(p.UID) })}, nil
	}
}

func (l *peerListener) take(uid uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Root is never locked out by others.
	if uid != 0 && (l.total >= maxConns || l.byUID[uid] >= maxConnsPerUID) {
		return false
	}
	l.total++
	l.byUID[uid]++
	return true
}

func (l *peerListener) release(uid uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.byUID[uid]--; l.byUID[uid] == 0 {
		delete(l.byUID, uid)
	}
}
