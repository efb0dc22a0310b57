package server

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Limits bound what strangers can make the server hold.
type Limits struct {
	// Pending and PendingPerPeer are how many control connections without an
	// authenticated session there are at most, in total and from one address
	// (behind which may be many clients, where there is NAT).
	Pending, PendingPerPeer int
	// PendingCalls is how many calls that are not authenticated yet one control
	// connection may have.
	PendingCalls int
	// Handshake is how long a control connection may go without an authenticated
	// session.
	Handshake time.Duration
	// Stop is how long an orderly end of all sessions may take, and of all control
	// connections after them.
	Stop time.Duration
}

func (l Limits) withDefaults() Limits {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&l.Pending, 1024)
	or(&l.PendingPerPeer, 64)
	or(&l.PendingCalls, 4)
	if l.Handshake == 0 {
		l.Handshake = time.Minute
	}
	if l.Stop == 0 {
		l.Stop = 3 * time.Second
	}
	return l
}

// gate counts the control connections that are not authenticated.
type gate struct {
	limits Limits

	mu      sync.Mutex
	total   int                // mu guards
	perPeer map[netip.Addr]int // mu guards
}

func newGate(l Limits) *gate { return &gate{limits: l, perPeer: map[netip.Addr]int{}} }

// enter counts one of peer's, or says why it is too many.
func (g *gate) enter(peer netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.limits.Pending {
		return fmt.Errorf("%d control connections are not authenticated yet", g.total)
	}
	if n := g.perPeer[peer]; n >= g.limits.PendingPerPeer {
		return fmt.Errorf("%d control connections from this address are not authenticated yet", n)
	}
	g.total++
	g.perPeer[peer]++
	return nil
}

// reenter counts one of peer's that was let in before.
func (g *gate) reenter(peer netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total++
	g.perPeer[peer]++
}

func (g *gate) leave(peer netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.perPeer[peer]--; g.perPeer[peer] == 0 {
		delete(g.perPeer, peer)
	}
}

// logLimit lets one line through a second, with the number of those that were
// not, so that a flood does not fill the log.
type logLimit struct {
	mu         sync.Mutex
	next       time.Time // mu guards
	suppressed int       // mu guards
}

func (l *logLimit) warn(log *slog.Logger, now time.Time, msg string, args ...any) {
	l.mu.Lock()
	if now.Before(l.next) {
		l.suppressed++
		l.mu.Unlock()
		return
	}
	l.next = now.Add(time.Second)
	n := l.suppressed
	l.suppressed = 0
	l.mu.Unlock()
	if n > 0 {
		args = append(args, "and_more_like_it", n)
	}
	log.Warn(msg, args...)
}
