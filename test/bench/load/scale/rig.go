package scale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"goppptp/test/bench/load/generator"
)

// Options say what a Rig is made of.
type Options struct {
	Program string   // goppptp
	Dir     string   // for files; each Rig has its own
	Clients int      // how many addresses there are
	Config  []string // more lines for server.yaml
}

// A Rig is a server with its clients.
type Rig struct {
	Place   *Place
	Server  *Server
	Clients *generator.Generator
	Outside *generator.Outside // on the server's host

	own    float64 // octets of the kernel's that one of our ends of TCP takes
	before Memory
}

// Start makes a Rig without sessions. It needs root.
func Start(ctx context.Context, o Options) (_ *Rig, err error) {
	r := &Rig{}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if err := RaiseFiles(); err != nil {
		return nil, err
	}
	if r.Place, err = NewPlace(o.Dir, o.Program); err != nil {
		return nil, err
	}
	if r.Server, err = r.Place.Serve(o.Clients, o.Config...); err != nil {
		return nil, err
	}
	if r.Clients, err = r.Place.Generator(); err != nil {
		return nil, err
	}
	if r.Outside, err = r.Place.Outside(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Close ends it, sessions and all. The error is that the server did not end well.
func (r *Rig) Close() error {
	if r.Clients != nil {
		r.Clients.Close()
	}
	if r.Outside != nil {
		r.Outside.Close()
	}
	var err error
	if r.Server != nil {
		err = r.Server.Stop()
	}
	r.Place.Close()
	return err
}

// Prepare takes note of the memory that is in use without sessions.
func (r *Rig) Prepare(ctx context.Context) error {
	if err := settleKernel(ctx, time.Second, 5*time.Second); err != nil {
		return err
	}
	var err error
	if r.own, err = r.Place.TCPCost(ctx, 500); err != nil {
		return err
	}
	if err := errors.Join(Settle(ctx, r.Server.Pid, time.Second, 5*time.Second), settleKernel(ctx, time.Second, 5*time.Second)); err != nil {
		return err
	}
	r.before, err = Measure(r.Server.Pid)
	return err
}

// A SetUp is how sessions came up.
type SetUp struct {
	Up, Failed int
	Rate       float64       // a second
	P50, P99   time.Duration // from the dial to the addresses
	CPU        time.Duration // the server's, for each
}

// Up sets n sessions up, as fast as the server lets it.
func (r *Rig) Up(ctx context.Context, n int) (SetUp, error) {
	cpu, err := CPU(r.Server.Pid)
	if err != nil {
		return SetUp{}, err
	}
	done, err := r.Clients.Up(ctx, n)
	if err != nil {
		return SetUp{}, err
	}
	after, err := CPU(r.Server.Pid)
	if err != nil {
		return SetUp{}, err
	}
	s := SetUp{Up: done.Up, Failed: done.Failed}
	if s.Up == 0 {
		return s, fmt.Errorf("no session came up: %s", Failures(r.Clients))
	}
	s.Rate = float64(s.Up) / done.Took.Seconds()
	s.CPU = seconds((after - cpu) / float64(s.Up))
	slices.Sort(done.Each)
	s.P50, s.P99 = done.Each[s.Up/2], done.Each[s.Up*99/100]
	return s, nil
}

// PerSession is what each session takes, in octets.
type PerSession struct {
	User      float64 // the server's resident memory
	Anonymous float64 // of that, what is no file's
	Kernel    float64 // what the kernel accounts for itself, without the generator's sockets
	All       float64 // User and Kernel
	Available float64 // what the machine has less, without the generator
}

// Memory waits until the server's memory does not change for quiet (at most ten
// times that), and says what the sessions take that are up. Prepare was called
// before they were.
func (r *Rig) Memory(ctx context.Context, quiet time.Duration) (PerSession, error) {
	if err := Settle(ctx, r.Server.Pid, quiet, 10*quiet); err != nil {
		return PerSession{}, err
	}
	after, err := Measure(r.Server.Pid)
	if err != nil {
		return PerSession{}, err
	}
	n := float64(r.Clients.Alive())
	if n == 0 {
		return PerSession{}, errors.New("no session is up")
	}
	b := r.before
	m := PerSession{
		User:      (after.Server - b.Server) / n,
		Anonymous: (after.ServerAnon - b.ServerAnon) / n,
		Kernel:    (after.Kernel-b.Kernel)/n - r.own,
		Available: (b.Available-after.Available-(after.Generator-b.Generator))/n - r.own,
	}
	m.All = m.User + m.Kernel
	return m, nil
}

// Traffic says what packets to measure the cost of.
type Traffic struct {
	Packets int
	Rate    float64 // a second
	Size    int     // octets of an IP packet
	Train   int     // how many go to one session before it is the next one's turn
	Spread  bool    // over all sessions; else all into the first
	Down    bool    // to the clients; else from them
}

func (t Traffic) String() string {
	where, way := "one", "up"
	if t.Spread {
		where = "all"
	}
	if t.Down {
		way = "down"
	}
	return way + "-" + where
}

// A Cost is what the server did for packets.
type Cost struct {
	CPU  time.Duration // of the server, for each that arrived
	Lost float64       // share of them that did not
}

// restTime is how long a server is watched at rest before traffic.
const restTime = 500 * time.Millisecond

// Rest measures how much of a processor the server takes while nothing passes:
// keepalives of idle sessions.
func (r *Rig) Rest(ctx context.Context, d time.Duration) (share float64, err error) {
	start := time.Now()
	before, err := CPU(r.Server.Pid)
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(d):
	}
	after, err := CPU(r.Server.Pid)
	return (after - before) / time.Since(start).Seconds(), err
}

// Cost measures traffic. What the server does anyway is taken off.
func (r *Rig) Cost(ctx context.Context, t Traffic) (Cost, error) {
	targets := r.Clients.Targets()
	if len(targets) == 0 {
		return Cost{}, errors.New("no session is up")
	}
	if !t.Spread {
		targets = targets[:1]
	}
	arrived := func() uint64 { c, _ := r.Outside.Count(); return c.Packets }
	if t.Down {
		arrived = func() uint64 { return r.Clients.Traffic().Packets }
	}
	rest, err := r.Rest(ctx, restTime)
	if err != nil {
		return Cost{}, err
	}
	start := time.Now()
	cpu, err := CPU(r.Server.Pid)
	if err != nil {
		return Cost{}, err
	}
	before := arrived()
	if t.Down {
		r.Outside.Send(targets, t.Packets, t.Train, t.Size, t.Rate)
	} else {
		_, err := r.Clients.Send(ctx, generator.Load{Count: len(targets), Packets: t.Packets, Rate: t.Rate, Train: t.Train, Size: t.Size, To: outside})
		if err != nil {
			return Cost{}, err
		}
	}
	waitStill(ctx, arrived)
	after, err := CPU(r.Server.Pid)
	if err != nil {
		return Cost{}, err
	}
	n := arrived() - before
	if n == 0 {
		return Cost{}, fmt.Errorf("%v: nothing arrived: %v", t, r.Clients.Traffic().Bad)
	}
	cpu = after - cpu - rest*time.Since(start).Seconds()
	return Cost{CPU: seconds(cpu / float64(n)), Lost: 1 - float64(n)/float64(t.Packets)}, nil
}

// Wrong names what was not as it should be in all the traffic so far; "" if
// nothing.
func (r *Rig) Wrong() string {
	bad := r.Clients.Traffic().Bad
	if _, n := r.Outside.Count(); n > 0 {
		bad["packets with wrong contents, outside"] = int(n)
	}
	return list(bad)
}

// Failures names what failed at g's sessions; "" if nothing.
func Failures(g *generator.Generator) string { return list(g.Failures()) }

func list(counts map[string]int) string {
	var lines []string
	for name, n := range counts {
		lines = append(lines, fmt.Sprintf("%d: %s", n, name))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

// Down ends all sessions and gives how many did in an orderly way, a second.
func (r *Rig) Down(ctx context.Context) (ended int, rate float64) {
	start := time.Now()
	ended = r.Clients.Down(ctx)
	return ended, float64(ended) / time.Since(start).Seconds()
}

func seconds(s float64) time.Duration { return time.Duration(s * 1e9) }

// waitStill waits until a counter no longer moves.
func waitStill(ctx context.Context, count func() uint64) {
	last, since := count(), time.Now()
	for ctx.Err() == nil && time.Since(since) < 200*time.Millisecond {
		time.Sleep(20 * time.Millisecond)
		if now := count(); now != last {
			last, since = now, time.Now()
		}
	}
}
