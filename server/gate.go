package server

import (
	"context"
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

// logLimit lets a number of lines through a second and then tells how many it
// did not, so that strangers cannot fill the log.
type logLimit struct {
	mu         sync.Mutex
	until      time.Time // mu guards, as all that follows; the end of this second
	lines      int       // in it
	suppressed int
}

// linesPerSecond is how many lines strangers cause at most.
const linesPerSecond = 20

func (l *logLimit) log(log *slog.Logger, level slog.Level, msg string, args ...any) {
	now := time.Now()
	l.mu.Lock()
	if !now.Before(l.until) {
		l.until, l.lines = now.Add(time.Second), 0
	}
	l.lines++
	if l.lines > linesPerSecond {
		l.suppressed++
		l.mu.Unlock()
		return
	}
	n := l.suppressed
	l.suppressed = 0
	l.mu.Unlock()
	if n > 0 {
		args = append(args, "lines_left_out_before", n)
	}
	log.Log(context.Background(), level, msg, args...)
}

func (l *logLimit) info(log *slog.Logger, msg string, args ...any) {
	l.log(log, slog.LevelInfo, msg, args...)
}

func (l *logLimit) warn(log *slog.Logger, msg string, args ...any) {
	l.log(log, slog.LevelWarn, msg, args...)
}
