package client

import (
	"context"
	"net/netip"

	"goppptp/routing"
)

// A networkPlatform is a Platform that knows how this machine's network
// changes. On one that does not a session finds out by the keepalive that its
// network is another.
type networkPlatform interface {
	// WatchNetwork begins to collect changes. run calls look after they have
	// settled, until ctx is done; look reports whether it had to put right what
	// somebody else had undone.
	WatchNetwork() (run func(ctx context.Context, look func() (mended bool)) error, err error)
	// WatchSleep calls changed before this machine is suspended, with true, and
	// after it has been resumed, with false, until ctx is done or it cannot know.
	WatchSleep(ctx context.Context, changed func(sleeping bool)) error
	// Path returns how packets to remote leave this machine now; a
	// *routing.NoPathError where they do not.
	Path(remote netip.Addr) (routing.Path, error)
	// HasAddress reports whether local is an address of this machine.
	HasAddress(local netip.Addr) (bool, error)
}

// WatchNetwork watches the kernel's links, addresses, routes and rules.
func (Linux) WatchNetwork() (run func(context.Context, func() bool) error, err error) {
	w, err := routing.NewWatcher()
	if err != nil {
		return nil, err
	}
	return w.Run, nil
}

// WatchSleep listens to systemd-logind.
func (Linux) WatchSleep(ctx context.Context, changed func(sleeping bool)) error {
	return routing.WatchSleep(ctx, "", nil, changed)
}

// Path asks the kernel.
func (Linux) Path(remote netip.Addr) (routing.Path, error) { return routing.FindPath(remote) }

// HasAddress asks the kernel.
func (Linux) HasAddress(local netip.Addr) (bool, error) { return routing.HasAddress(local) }
