package generator

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"goppptp/internal/mschap"
	"goppptp/internal/osnet"
)

// GRE is the raw socket of all sessions; *osnet.GRE is one.
type GRE interface {
	ReadBatch(pkts []osnet.Packet) (int, error)
	WriteBatch(pkts [][]byte, p osnet.Path) error
	Close() error
}

// Config says whom to call, and as whom.
type Config struct {
	Server netip.Addr // IPv4
	// Dial opens a control connection. source is what Source gave.
	Dial func(ctx context.Context, source netip.Addr) (net.Conn, error)
	// GRE is closed by Close.
	GRE GRE
	// Source is the address session i comes from; nil, or the zero Addr: whatever
	// Dial makes of that.
	Source func(i int) netip.Addr
	// User is the name and the secret of session i.
	User func(i int) (name string, hash mschap.NTHash)
	// Pending is how many sessions are set up, or ended, at a time; 0: 32.
	Pending int
	// Timeout is how long the set-up of a session may take; 0: 30 s.
	Timeout time.Duration
}

// MaxSessions is how many sessions a generator has at most: their call IDs are
// all different.
const MaxSessions = 1<<16 - 1

// A Generator is the clients. Its methods may be called from any goroutine, but
// Up and Down not at the same time.
type Generator struct {
	cfg     Config
	calls   [1 << 16]atomic.Pointer[session] // by our call ID
	stop    chan struct{}
	workers sync.WaitGroup // reader and ticker
	conns   sync.WaitGroup // readers of control connections

	heard   atomic.Uint64    // GRE packets, all
	traffic [8]atomic.Uint64 // what was wrong with them, by counter

	mu       sync.Mutex
	sessions []*session     // mu guards; those that came up, in order; replaced, not changed
	next     int            // mu guards; number of the next session
	failures map[string]int // mu guards
}

// New makes a generator without sessions.
func New(cfg Config) *Generator {
	if cfg.Pending == 0 {
		cfg.Pending = 32
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Source == nil {
		cfg.Source = func(int) netip.Addr { return netip.Addr{} }
	}
	g := &Generator{cfg: cfg, stop: make(chan struct{}), failures: map[string]int{}}
	g.workers.Go(g.read)
	g.workers.Go(g.tick)
	return g
}

// Close ends what is left without a word, and the socket.
func (g *Generator) Close() {
	close(g.stop)
	for i := range g.calls {
		if s := g.calls[i].Load(); s != nil {
			s.abandon()
		}
	}
	g.cfg.GRE.Close()
	g.workers.Wait()
	g.conns.Wait()
}

// An UpReport is what became of set-ups.
type UpReport struct {
	Up, Failed int
	Took       time.Duration   // from the first to the last
	Each       []time.Duration // of those that are up, unsorted: from the dial to the addresses
}

// Up sets n more sessions up, as fast as the server lets it, and returns when
// each of them is up or has failed. The error is ctx's.
func (g *Generator) Up(ctx context.Context, n int) (UpReport, error) {
	start := time.Now()
	g.mu.Lock()
	first := g.next
	n = min(n, MaxSessions-first)
	g.next += n
	g.mu.Unlock()

	var next atomic.Int64
	made := make([]*session, n)
	var workers sync.WaitGroup
	for range min(g.cfg.Pending, n) {
		workers.Go(func() {
			for ctx.Err() == nil {
				k := int(next.Add(1)) - 1
				if k >= n {
					return
				}
				s := g.newSession(first + k)
				if err := s.setUp(ctx); err != nil {
					g.fail("set-up", err)
					continue
				}
				made[k] = s
			}
		})
	}
	workers.Wait()
	r := UpReport{Took: time.Since(start)}
	g.mu.Lock()
	defer g.mu.Unlock()
	all := append([]*session(nil), g.sessions...)
	for _, s := range made {
		if s == nil {
			r.Failed++
			continue
		}
		r.Up++
		r.Each = append(r.Each, s.took)
		all = append(all, s)
	}
	g.sessions = all
	return r, ctx.Err()
}

// Down ends all sessions in an orderly way, as clients do: the link, the call,
// the control connection. It returns how many ended so; the rest is among the
// failures.
func (g *Generator) Down(ctx context.Context) (orderly int) {
	g.mu.Lock()
	all := g.sessions
	g.sessions = nil
	g.mu.Unlock()
	var next, good atomic.Int64
	var workers sync.WaitGroup
	for range g.cfg.Pending {
		workers.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(all) {
					return
				}
				if err := all[k].tearDown(ctx); err != nil {
					g.fail("tear-down", err)
					continue
				}
				good.Add(1)
			}
		})
	}
	workers.Wait()
	return int(good.Load())
}

// A Target is a session that is up, as others see it.
type Target struct {
	Addr    netip.Addr // inside the tunnel
	Session uint32     // its number
}

// Targets returns the sessions that are up now, in order.
func (g *Generator) Targets() []Target {
	var out []Target
	for _, s := range g.all() {
		s.mu.Lock()
		if s.state == up {
			out = append(out, Target{s.local, uint32(s.index)})
		}
		s.mu.Unlock()
	}
	return out
}

// Alive returns how many sessions are up now.
func (g *Generator) Alive() int { return len(g.Targets()) }

func (g *Generator) all() []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sessions
}

// Failures returns what went wrong, by name, and how often: of set-ups, of
// sessions that were up, of tear-downs.
func (g *Generator) Failures() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[string]int, len(g.failures))
	for k, v := range g.failures {
		out[k] = v
	}
	return out
}

// fail counts err.
func (g *Generator) fail(when string, err error) {
	name := when + ": " + err.Error()
	var op *net.OpError // its text names a port, which is another each time
	if errors.As(err, &op) {
		name = when + ": " + op.Op + ": " + op.Err.Error()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures[name]++
}

// tick sees to what is due: repetitions, acknowledgements.
func (g *Generator) tick() {
	// Half of what an acknowledgement may wait, and little work at rest.
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-g.stop:
			return
		case now := <-t.C:
			g.mu.Lock()
			top := g.next
			g.mu.Unlock()
			nanos := now.UnixNano()
			for id := 1; id <= top; id++ {
				if s := g.calls[id].Load(); s != nil {
					if at := s.deadline.Load(); at != 0 && at <= nanos {
						s.advance(now)
					}
				}
			}
		}
	}
}
