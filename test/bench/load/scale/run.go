package scale

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"goppptp/test/bench/load/generator"
)

// Options say what Run measures.
type Options struct {
	Program  string        // goppptp
	Dir      string        // for files
	Sessions int           // how many
	Settle   time.Duration // the server's memory counts as settled when it has not changed for so long; 0: 3 s
	Packets  int           // of each measurement of traffic; 0: none is measured
	Rate     float64       // of them, a second; 0: 20,000
	Train    int           // as generator.Load; 0: 16
	Size     int           // octets of an IP packet; 0: 1000
	Config   []string      // more lines for server.yaml
	Say      func(format string, args ...any)
	// Hold, if set, is called while the sessions are up and idle.
	Hold func(p *Place, s *Server, g *generator.Generator)
}

// Result is what one run measured.
type Result struct {
	Sessions int

	SetUps   float64       // a second
	P50, P99 time.Duration // of a set-up
	SetUpCPU time.Duration // of the server, each
	Downs    float64       // a second
	Failures map[string]int

	User, UserAnon  float64 // octets of the server, each session
	Machine, Kernel float64 // octets of all but the generator, each session; of the kernel alone
	Base            float64 // octets of the server without sessions

	// CPU time of the server for each packet: from and to the client, on one
	// session and on all in turn.
	UpOne, UpAll, DownOne, DownAll time.Duration
	Lost                           map[string]float64 // share of the packets that did not arrive, by measurement
}

// Run sets sessions up on a new server, measures, and takes all down again.
func Run(ctx context.Context, o Options) (_ Result, err error) {
	if o.Settle == 0 {
		o.Settle = 3 * time.Second
	}
	if o.Rate == 0 {
		o.Rate = 20000
	}
	if o.Train == 0 {
		o.Train = 16
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	r := Result{Sessions: o.Sessions, Failures: map[string]int{}, Lost: map[string]float64{}}
	if err := RaiseFiles(); err != nil {
		return r, err
	}
	p, err := NewPlace(o.Dir, o.Program)
	if err != nil {
		return r, err
	}
	defer p.Close()
	s, err := p.Serve(o.Sessions, o.Config...)
	if err != nil {
		return r, err
	}
	defer func() {
		if e := s.Stop(); err == nil {
			err = e
		}
	}()
	g, err := p.Generator()
	if err != nil {
		return r, err
	}
	defer g.Close()

	tcp, err := p.TCPCost(512)
	if err != nil {
		return r, err
	}
	if err := Settle(ctx, s.Pid, time.Second, 10*time.Second); err != nil {
		return r, err
	}
	before, err := Measure(s.Pid)
	if err != nil {
		return r, err
	}
	cpu, err := CPU(s.Pid)
	if err != nil {
		return r, err
	}
	set, err := g.Up(ctx, o.Sessions)
	if err != nil {
		return r, err
	}
	cpu2, err := CPU(s.Pid)
	if err != nil {
		return r, err
	}
	for k, v := range g.Failures() {
		r.Failures[k] = v
	}
	if set.Up == 0 {
		return r, fmt.Errorf("no session came up: %v", r.Failures)
	}
	r.SetUps = float64(set.Up) / set.Took.Seconds()
	r.SetUpCPU = time.Duration((cpu2 - cpu) / float64(set.Up) * 1e9)
	slices.Sort(set.Each)
	r.P50, r.P99 = set.Each[len(set.Each)/2], set.Each[len(set.Each)*99/100]
	o.Say("%d sessions up (%d failed) in %v: %.0f/s, p50 %v, p99 %v, server CPU %v each", set.Up, set.Failed,
		set.Took.Round(time.Millisecond), r.SetUps, r.P50.Round(time.Microsecond), r.P99.Round(time.Microsecond), r.SetUpCPU.Round(time.Microsecond))

	if err := Settle(ctx, s.Pid, o.Settle, 10*o.Settle); err != nil {
		return r, err
	}
	after, err := Measure(s.Pid)
	if err != nil {
		return r, err
	}
	n := float64(set.Up)
	r.Base = before.Server
	r.User, r.UserAnon = (after.Server-before.Server)/n, (after.ServerAnon-before.ServerAnon)/n
	own := after.Generator - before.Generator
	r.Machine = (before.Available-after.Available-own)/n - tcp
	r.Kernel = (after.Kernel-before.Kernel)/n - tcp
	o.Say("memory of each: user %.1f kB (anonymous %.1f), machine %.1f kB, kernel's account %.1f kB (slab %.1f); the server alone %.1f MB; "+
		"taken off: generator %.1f kB, its end of TCP %.1f kB", r.User/1024, r.UserAnon/1024, r.Machine/1024, r.Kernel/1024,
		(after.Slab-before.Slab)/n/1024, r.Base/1e6, own/n/1024, tcp/1024)
	if o.Hold != nil {
		o.Hold(p, s, g)
	}
	if o.Packets > 0 {
		if err := r.traffic(ctx, o, p, s, g); err != nil {
			return r, err
		}
	}
	start := time.Now()
	alive := g.Alive()
	down := g.Down(ctx)
	r.Downs = float64(down) / time.Since(start).Seconds()
	for k, v := range g.Failures() {
		r.Failures[k] = v
	}
	o.Say("%d of %d ended in order in %v: %.0f/s; failures: %v", down, alive, time.Since(start).Round(time.Millisecond), r.Downs, r.Failures)
	return r, nil
}

// traffic measures what a packet costs.
func (r *Result) traffic(ctx context.Context, o Options, p *Place, s *Server, g *generator.Generator) error {
	out, err := p.Outside(false)
	if err != nil {
		return err
	}
	defer out.Close()
	addresses, _ := g.Addresses()
	measure := func(name string, into *time.Duration, count func() uint64, send func()) error {
		c0, err := CPU(s.Pid)
		if err != nil {
			return err
		}
		n0 := count()
		send()
		waitStill(ctx, count)
		c1, err := CPU(s.Pid)
		if err != nil {
			return err
		}
		got := count() - n0
		if got == 0 {
			return fmt.Errorf("%s: nothing arrived", name)
		}
		*into = time.Duration((c1 - c0) / float64(got) * 1e9)
		r.Lost[name] = 1 - float64(got)/float64(o.Packets)
		o.Say("%s: server CPU %v a packet, %.2f%% lost", name, *into, 100*r.Lost[name])
		return nil
	}
	arrivedOut := func() uint64 { c, _ := out.Count(); return c.Packets }
	arrivedIn := func() uint64 { return g.Traffic().Packets }
	to := netip4(TunnelAddr)
	up := func(count int) func() {
		return func() {
			g.Send(ctx, generator.Load{Count: count, Packets: o.Packets, Rate: o.Rate, Train: o.Train, Size: o.Size, To: to})
		}
	}
	down := func(count int) func() {
		return func() { out.Send(addresses[:count], 0, o.Packets, o.Train, max(o.Size, 1000), o.Rate) }
	}
	for _, m := range []struct {
		name  string
		into  *time.Duration
		count func() uint64
		send  func()
	}{
		{"up, one session", &r.UpOne, arrivedOut, up(1)},
		{"up, all in turn", &r.UpAll, arrivedOut, up(len(addresses))},
		{"down, one session", &r.DownOne, arrivedIn, down(1)},
		{"down, all in turn", &r.DownAll, arrivedIn, down(len(addresses))},
	} {
		if err := measure(m.name, m.into, m.count, m.send); err != nil {
			return err
		}
	}
	if bad := g.Traffic().Bad; len(bad) > 0 {
		o.Say("generator: %v", bad)
	}
	if _, bad := out.Count(); bad > 0 {
		o.Say("outside: %d packets with wrong contents", bad)
	}
	return nil
}

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

// TCPCost measures how much kernel memory one end of an idle TCP connection over
// the cable takes, in octets, with n of them.
func (p *Place) TCPCost(n int) (float64, error) {
	var l net.Listener
	err := p.server.do(func() (err error) {
		l, err = net.Listen("tcp4", netip4(ServerAddr).String())
		return err
	})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	before, err := Measure(os.Getpid())
	if err != nil {
		return 0, err
	}
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error { return nil }}
	for range n {
		err := p.client.do(func() error {
			c, err := d.Dial("tcp4", l.Addr().String())
			if err == nil {
				conns = append(conns, c)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		c, err := l.Accept()
		if err != nil {
			return 0, err
		}
		conns = append(conns, c)
	}
	after, err := Measure(os.Getpid())
	if err != nil {
		return 0, err
	}
	return (after.Kernel - before.Kernel) / float64(2*n), nil
}
