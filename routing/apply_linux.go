package routing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// Netlink is the Applier that changes the kernel's table. It belongs to the
// network namespace of the thread that called NewNetlink.
type Netlink struct {
	log    *slog.Logger
	runDir string
	ns     string
	before func(Op) error // called ahead of each operation; nil: nothing. Tests fail it.

	mu      sync.Mutex // guards what follows
	kernel  *kernel    // nil once closed
	openErr error
	journal *journal // nil before the first Set
	record  record
	last    *Plan
}

var (
	errClosed         = errors.New("routing: the session's routes have been taken back already")
	_         Applier = (*Netlink)(nil)
)

// NewNetlink returns the Applier of one session. runDir, usually
// "/run/goppptp", holds the journals of all sessions of the machine. log may be
// nil.
func NewNetlink(log *slog.Logger, runDir string) *Netlink {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	n := &Netlink{log: log, runDir: runDir, ns: namespace()}
	n.kernel, n.openErr = openKernel()
	return n
}

// Plan returns what Set would do for cfg now, and changes nothing.
func (n *Netlink) Plan(ctx context.Context, cfg *Config) (*Plan, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	plan, _, unlock, err := n.planLocked(ctx, cfg)
	if err != nil {
		return nil, err
	}
	unlock()
	return plan, nil
}

// planLocked plans with the table locked; the caller unlocks it.
func (n *Netlink) planLocked(ctx context.Context, cfg *Config) (*Plan, *linkTable, func(), error) {
	if n.kernel == nil {
		if n.openErr != nil {
			return nil, nil, nil, n.openErr
		}
		return nil, nil, nil, errClosed
	}
	unlock, err := lockTable(ctx, n.runDir)
	if err != nil {
		return nil, nil, nil, err
	}
	if n.journal == nil {
		n.journal = newJournal(n.runDir, cfg.Name)
	}
	st, table, err := n.stateLocked()
	if err != nil {
		unlock()
		return nil, nil, nil, err
	}
	return NewPlan(cfg, st), table, unlock, nil
}

// stateLocked reads the kernel's state and the other sessions' claims.
func (n *Netlink) stateLocked() (*State, *linkTable, error) {
	st, table, err := n.kernel.state()
	if err != nil {
		return nil, nil, err
	}
	list, err := others(n.runDir, n.journal.path)
	defer closeAll(list)
	if err != nil {
		return nil, nil, err
	}
	st.Mine, st.Others = n.record.Routes, claims(list, n.ns)
	return st, table, nil
}

// Set implements Applier. What forbids the plan is a *ConflictError or a
// *NoPathError, what the kernel refuses an *OpError.
func (n *Netlink) Set(ctx context.Context, cfg *Config) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	plan, table, unlock, err := n.planLocked(ctx, cfg)
	if err != nil {
		return err
	}
	defer unlock()
	n.last = plan
	if err := plan.Err(cfg.OnConflict); err != nil {
		return err
	}
	next := record{Profile: cfg.Name, PID: pid(), Namespace: n.ns, Gateway: cfg.Gateway, Link: cfg.Link, Routes: plan.Own}
	return n.carryOut(ctx, table, plan.Ops, next)
}

// carryOut does ops or nothing of them, with the journal ahead of the table.
func (n *Netlink) carryOut(ctx context.Context, table *linkTable, ops []Op, next record) error {
	was := n.record
	both := next
	both.Routes = union(was.Routes, next.Routes)
	if err := n.writeLocked(both); err != nil {
		return err
	}
	done, err := n.do(ctx, table, ops)
	if err != nil {
		left := n.undo(table, done)
		was.Routes = union(was.Routes, left)
		if was.Profile == "" { // the first Set: nothing was there before
			was.Profile, was.PID, was.Namespace, was.Gateway = next.Profile, next.PID, next.Namespace, next.Gateway
		}
		return errors.Join(err, n.writeLocked(was))
	}
	return n.writeLocked(next)
}

// writeLocked makes r the journal's content, unless it is already.
func (n *Netlink) writeLocked(r record) error {
	if n.journal.file != nil && equal(&n.record, &r) {
		return nil
	}
	if err := n.journal.write(&r); err != nil {
		return err
	}
	n.record = r
	return nil
}

func equal(a, b *record) bool {
	if a.Profile != b.Profile || a.Gateway != b.Gateway || a.Link != b.Link || len(a.Routes) != len(b.Routes) {
		return false
	}
	for i := range a.Routes {
		if a.Routes[i].key() != b.Routes[i].key() {
			return false
		}
	}
	return true
}

// union is a followed by what b has besides.
func union(a, b []Entry) []Entry {
	out := append([]Entry(nil), a...)
	have := map[routeKey]bool{}
	for i := range a {
		have[a[i].key()] = true
	}
	for i := range b {
		if !have[b[i].key()] {
			out = append(out, b[i])
		}
	}
	return out
}

// do carries out ops and returns those that succeeded.
func (n *Netlink) do(ctx context.Context, table *linkTable, ops []Op) (done []Op, err error) {
	for _, op := range ops {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		if n.before != nil {
			if err := n.before(op); err != nil {
				return done, &OpError{Op: op, Err: err}
			}
		}
		err := n.kernel.do(table, op)
		if err != nil && op.Verb == Delete && gone(err) {
			continue
		}
		if err != nil {
			return done, err
		}
		n.log.Debug(op.String())
		done = append(done, op)
	}
	return done, nil
}

// undo takes done back, the last first, and returns the routes that could not
// be taken away again.
func (n *Netlink) undo(table *linkTable, done []Op) (left []Entry) {
	for i := len(done) - 1; i >= 0; i-- {
		op := done[i]
		if op.Verb == Delete {
			op.Verb = Append
		} else {
			op.Verb = Delete
		}
		err := n.kernel.do(table, op)
		if err != nil && !(op.Verb == Delete && gone(err)) {
			n.log.Error("cannot undo a change of the route table", "err", err)
			if op.Verb == Delete {
				left = append(left, op.Route)
			}
			continue
		}
		n.log.Debug(op.String())
	}
	return left
}

// Last returns the plan of the latest Set, nil before the first: what it
// found, and, where Set returned nil, what it did.
func (n *Netlink) Last() *Plan {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// Close implements Applier. Routes that went with their link, or that somebody
// else has taken away, are no error. After Close, Set is one.
func (n *Netlink) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kernel == nil {
		return nil
	}
	err := n.takeBackLocked()
	n.kernel.close()
	n.kernel = nil
	return err
}

func (n *Netlink) takeBackLocked() error {
	if n.journal == nil || n.journal.file == nil {
		return nil
	}
	unlock, err := lockTable(context.Background(), n.runDir)
	if err != nil {
		return err
	}
	defer unlock()
	st, table, err := n.stateLocked()
	if err != nil {
		return err
	}
	var failed []error
	var left []Entry
	for _, op := range takeBack(st) {
		if err := n.kernel.do(table, op); err != nil && !gone(err) {
			failed = append(failed, err)
			left = append(left, op.Route)
			continue
		}
		n.log.Debug(op.String())
	}
	if len(failed) > 0 {
		// The file stays behind, for Repair.
		n.record.Routes = left
		failed = append(failed, n.journal.write(&n.record))
		return fmt.Errorf("routing: not all routes could be taken back: %w", errors.Join(failed...))
	}
	return n.journal.remove()
}

// takeBack lists what is to be deleted for a session that ends: what is its
// own, carries our tag, and no other session has too.
func takeBack(st *State) []Op {
	p := newPlanner(&Config{}, st)
	p.diff()
	return p.out.Ops
}
