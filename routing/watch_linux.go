package routing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Watcher tells when links, addresses, routes or policy rules change. It
// belongs to the network namespace of the thread that called NewWatcher.
type Watcher struct {
	socket *nl.NetlinkSocket
	links  map[int32]uint32 // the flags last seen; owned by the reader
}

// NewWatcher begins to collect changes; Run tells of them, and closes the Watcher.
func NewWatcher() (*Watcher, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_NEXTHOP)
	if err != nil {
		return nil, fmt.Errorf("routing: watch the network: %w", err)
	}
	return &Watcher{socket: socket, links: map[int32]uint32{}}, nil
}

// Run calls look once things have settled after changes, until ctx is done.
// look reports whether it had to put right what somebody else had undone;
// where that repeats itself it is called less often, every 10 s at worst.
// Routes that are added with our tag do not count as changes.
func (w *Watcher) Run(ctx context.Context, look func() (mended bool)) error {
	changes, failed := make(chan struct{}, 1), make(chan error, 1)
	var reader sync.WaitGroup
	reader.Go(func() { failed <- w.read(changes) })
	defer reader.Wait()
	defer w.socket.Close()
	var s settler
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if d := s.Deadline(); !d.IsZero() {
			timer.Reset(time.Until(d))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("routing: watch the network: %w", err)
		case <-changes:
			s.Handle(time.Now())
		case <-due:
			start := time.Now()
			s.Advance(start)
			if s.Due() {
				mended := look()
				end := time.Now()
				s.Looked(end, end.Sub(start), mended)
			}
		}
	}
}

// read receives until the socket is closed or fails.
func (w *Watcher) read(changes chan<- struct{}) error {
	for {
		messages, from, err := w.socket.Receive()
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		// ENOBUFS: more came than the socket could hold.
		if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			return err
		}
		counts := err != nil
		if from != nil && from.Pid == nl.PidKernel {
			for i := range messages {
				counts = w.counts(&messages[i]) || counts
			}
		}
		if counts {
			select {
			case changes <- struct{}{}:
			default: // one is waiting
			}
		}
	}
}

// counts reports whether a message can mean that a plan is out of date.
func (w *Watcher) counts(m *syscall.NetlinkMessage) bool {
	switch m.Header.Type {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(m.Data) < unix.SizeofRtMsg {
			return false
		}
		table, protocol, flags := m.Data[4], m.Data[5], nl.NativeEndian().Uint32(m.Data[8:])
		if flags&unix.RTM_F_CLONED != 0 || table == unix.RT_TABLE_LOCAL {
			return false // of one destination; or with an address, which is told as well
		}
		return m.Header.Type == unix.RTM_DELROUTE || protocol != Protocol
	case unix.RTM_NEWLINK:
		if len(m.Data) < unix.SizeofIfInfomsg {
			return false
		}
		index, flags := int32(nl.NativeEndian().Uint32(m.Data[4:])), nl.NativeEndian().Uint32(m.Data[8:])
		// A wireless link speaks up at every scan.
		flags &= unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
		before, known := w.links[index]
		w.links[index] = flags
		return !known || before != flags
	case unix.RTM_DELLINK:
		if len(m.Data) >= unix.SizeofIfInfomsg {
			delete(w.links, int32(nl.NativeEndian().Uint32(m.Data[4:])))
		}
		return true
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWRULE, unix.RTM_DELRULE, unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		return true
	}
	return false
}
