package netlab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// The lab's addresses.
var (
	ClientAddr  = netip.MustParseAddr("10.250.166.10")
	GatewayAddr = netip.MustParseAddr("10.250.166.1")    // the router, as the client sees it
	PublicAddr  = netip.MustParseAddr("203.235.199.133") // what the client dials
	RouterAddr  = netip.MustParseAddr("192.168.13.1")    // the router inside
	ServerAddr  = netip.MustParseAddr("192.168.13.3")
	InnerAddr   = netip.MustParseAddr("192.168.13.50")
	BehindAddrs = []netip.Addr{netip.MustParseAddr("172.16.0.10"), netip.MustParseAddr("192.168.14.10")} // the inner host's too
	OutsideAddr = netip.MustParseAddr("198.51.100.10")

	outsideRouter = netip.MustParseAddr("198.51.100.1")
)

// The closed network, and the subnets behind its inner host.
var (
	ClosedNet  = netip.MustParsePrefix("192.168.13.0/24")
	BehindNets = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/16"), netip.MustParsePrefix("192.168.14.0/24")}
)

// A NAT says how the public address leads to the server.
type NAT string

// The kinds of NAT.
const (
	Translated NAT = "nftables" // the router translates addresses
	Routed     NAT = "routed"   // the kernel cannot: the server owns the public address too
)

// ErrBusy says that a living process has a persistent lab of that prefix.
var ErrBusy = errors.New("netlab: another process runs a lab of this name")

// Options say what lab New makes.
type Options struct {
	Prefix  string // of the names of a persistent lab's namespaces; "": "lab"
	MTU     int    // of the link between client and router; 0: 1500
	Persist bool   // name the namespaces under /run/netns, so that `ip netns` sees them
	NoNAT   bool   // Routed, also where the kernel can translate
}

// A Lab is the network, up and running.
type Lab struct {
	Client, Router, Server, Inner, Outside *Namespace

	NAT  NAT
	lock *os.File // held by the living owner of a persistent lab
}

// New builds a lab. A persistent one takes the place of an earlier one with the
// same prefix whose owner is dead or has detached; if it lives, ErrBusy. Without
// root the error satisfies errors.Is(err, fs.ErrPermission).
func New(ctx context.Context, opts Options) (_ *Lab, err error) {
	if opts.Prefix == "" {
		opts.Prefix = "lab"
	}
	if opts.MTU == 0 {
		opts.MTU = 1500
	}
	l := &Lab{}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if opts.Persist {
		if l.lock, err = lockPrefix(opts.Prefix); err != nil {
			return nil, err
		}
		if err := removeNamed(opts.Prefix); err != nil {
			return nil, err
		}
	}
	for _, h := range l.hosts() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name := h.name
		if opts.Persist {
			name = opts.Prefix + "-" + name
		}
		if *h.ns, err = newNamespace(name, opts.Persist); err != nil {
			return nil, err
		}
	}
	if err := l.cable(opts); err != nil {
		return nil, err
	}
	if !opts.NoNAT {
		if err = l.translate(); err == nil {
			l.NAT = Translated
			return l, nil
		}
	}
	if e := l.route(); e != nil {
		return nil, errors.Join(e, err)
	}
	l.NAT = Routed
	return l, nil
}

type host struct {
	name string
	ns   **Namespace
}

func (l *Lab) hosts() []host {
	return []host{{"client", &l.Client}, {"router", &l.Router}, {"server", &l.Server},
		{"inner", &l.Inner}, {"outside", &l.Outside}}
}

func (l *Lab) namespaces() (list []*Namespace) {
	for _, h := range l.hosts() {
		if *h.ns != nil {
			list = append(list, *h.ns)
		}
	}
	return list
}

// Close ends the processes that still run in the lab and takes it away.
func (l *Lab) Close() error {
	list := l.namespaces()
	errs := []error{endProcesses(list)}
	for _, n := range list {
		errs = append(errs, n.remove())
	}
	for _, h := range l.hosts() {
		*h.ns = nil
	}
	if l.lock != nil {
		l.lock.Close()
		l.lock = nil
	}
	return errors.Join(errs...)
}

// Detach leaves a persistent lab standing, with the processes in it, when this
// process ends; Remove or the next New takes it away. A lab that is not
// persistent ends with its processes.
func (l *Lab) Detach() {
	for _, h := range l.hosts() {
		if *h.ns != nil {
			(*h.ns).file.Close()
			*h.ns = nil
		}
	}
	if l.lock != nil {
		l.lock.Close()
		l.lock = nil
	}
}

// Remove takes away a persistent lab whose owner is dead or has detached, with
// the processes that run in it. None there: nothing to do. ErrBusy if its owner
// lives.
func Remove(prefix string) error {
	lock, err := lockPrefix(prefix)
	if err != nil {
		return err
	}
	defer lock.Close()
	return removeNamed(prefix)
}

var prefixSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)

// lockPrefix takes the lock that tells a living owner from a dead one. The
// kernel drops it with the owner.
func lockPrefix(prefix string) (*os.File, error) {
	if !prefixSyntax.MatchString(prefix) {
		return nil, fmt.Errorf("netlab: prefix %q: letters, digits, - and _ only", prefix)
	}
	const dir = "/run/goppptp"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lab-"+prefix+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("netlab: lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// removeNamed takes away what an earlier lab of this prefix left.
func removeNamed(prefix string) error {
	var errs []error
	var list []*Namespace
	for _, h := range (&Lab{}).hosts() {
		n := &Namespace{Name: prefix + "-" + h.name, named: true}
		f, err := os.Open(filepath.Join(runDir, n.Name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("netlab: %w", err))
			continue
		}
		n.file = f
		list = append(list, n)
	}
	errs = append(errs, endProcesses(list))
	for _, n := range list {
		errs = append(errs, n.remove())
	}
	return errors.Join(errs...)
}
