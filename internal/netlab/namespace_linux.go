package netlab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// runDir is where iproute2 looks for named namespaces.
const runDir = "/run/netns"

// A Namespace is one host of a lab.
type Namespace struct {
	Name  string   // "client"; of a persistent lab the name that `ip netns` knows
	file  *os.File // keeps it alive
	named bool     // there is a file in runDir
}

// openOwn opens the namespace of the calling thread.
func openOwn() (*os.File, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("netlab: this thread's network namespace: %w", err)
	}
	return f, nil
}

// enter moves the calling thread to a namespace. The goroutine must be locked to it.
func enter(f *os.File) error {
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netlab: enter a network namespace: %w", err)
	}
	return nil
}

// away runs f on the calling goroutine with its thread free to change its
// namespace, and brings the thread back.
func away(f func() error) error {
	runtime.LockOSThread()
	home, err := openOwn()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	defer func() {
		// A thread that cannot come back must not go on with the caller's
		// work: it would act on the wrong network.
		if err := enter(home); err != nil {
			panic(err)
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

// newNamespace makes an empty namespace with its loopback up; a named one is
// bound to a file in runDir.
func newNamespace(name string, named bool) (*Namespace, error) {
	n := &Namespace{Name: name, named: named}
	err := away(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netlab: make a network namespace: %w", err)
		}
		var err error
		if n.file, err = openOwn(); err != nil {
			return err
		}
		if named {
			if err := bindName(name); err != nil {
				n.file.Close()
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

// bindName gives the calling thread's namespace a name, as `ip netns add` does.
func bindName(name string) error {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	// Shared, so that the name is seen, and its removal too, in all mount
	// namespaces.
	if unix.Mount("", runDir, "none", unix.MS_SHARED|unix.MS_REC, "") == unix.EINVAL {
		if err := unix.Mount(runDir, runDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("netlab: mount %s: %w", runDir, err)
		}
		if err := unix.Mount("", runDir, "none", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("netlab: share %s: %w", runDir, err)
		}
	}
	path := filepath.Join(runDir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return fmt.Errorf("netlab: name a network namespace: %w", err)
	}
	f.Close()
	if err := unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, ""); err != nil {
		os.Remove(path)
		return fmt.Errorf("netlab: name a network namespace %s: %w", name, err)
	}
	return nil
}

// unbindName takes a name away; one that is not there is fine.
func unbindName(name string) error {
	path := filepath.Join(runDir, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return fmt.Errorf("netlab: unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("netlab: %w", err)
	}
	return nil
}

// Do runs f on the calling goroutine, in the namespace, and returns its error.
// Sockets that f opens stay in the namespace and may be used anywhere
// afterwards; goroutines that f starts run outside.
func (n *Namespace) Do(f func() error) error {
	return away(func() error {
		if err := enter(n.file); err != nil {
			return err
		}
		return f()
	})
}

// Start starts a process in the namespace: cmd.Start there.
func (n *Namespace) Start(cmd *exec.Cmd) error { return n.Do(cmd.Start) }

// A Cmd is an exec.Cmd whose process runs in a namespace.
type Cmd struct {
	*exec.Cmd
	ns *Namespace
}

// Command is exec.CommandContext for a process in the namespace. It sees this
// one's files and its own network; of /sys it sees the host's.
func (n *Namespace) Command(ctx context.Context, name string, args ...string) *Cmd {
	return &Cmd{exec.CommandContext(ctx, name, args...), n}
}

// Start starts the process.
func (c *Cmd) Start() error { return c.ns.Start(c.Cmd) }

// Run starts the process and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the process and gives its standard output.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput runs the process and gives its output and diagnostics.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Dial is net.Dialer.DialContext from the namespace; the address is numeric.
func (n *Namespace) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.Do(func() error {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen is net.Listen in the namespace; the address is numeric.
func (n *Namespace) Listen(network, address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}

// SetLink sets a link of the namespace up or down.
func (n *Namespace) SetLink(name string, up bool) error {
	return n.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err == nil && up {
			err = netlink.LinkSetUp(link)
		} else if err == nil {
			err = netlink.LinkSetDown(link)
		}
		if err != nil {
			return fmt.Errorf("netlab: %s of %s: %w", name, n.Name, err)
		}
		return nil
	})
}

// sysctl writes a setting of the namespace, "net/ipv4/ip_forward".
func (n *Namespace) sysctl(name, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("netlab: %s: %w", n.Name, err)
		}
		return nil
	})
}

// remove ends the namespace: its name and our hold on it.
func (n *Namespace) remove() error {
	var err error
	if n.named {
		err = unbindName(n.Name)
	}
	n.file.Close()
	return err
}
