package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// A contender is something that carries packets between two hosts.
type contender struct {
	name     string
	version  string
	missing  string                                    // why it cannot take part
	server   func(context.Context, *site) error        // starts the server and waits until it can be called
	client   func(context.Context, *site) error        // starts the client; the tunnel may come up later
	at       netip.Addr                                // the server's address inside the tunnel
	atClient netip.Addr                                // the client\'s
	split    bool                                      // on a cable that carries no packets above the MTU
	prepare  func(context.Context, *bench) (err error) // once, before the first round; may set missing
}

// A site is where one contender runs for one round: two hosts, a cable, the
// tunnel's two ends. While it stands idle it costs the others next to nothing.
type site struct {
	*contender
	dir          string
	a, b         *host    // client and server
	clientEnd    *process // nil: none, as of a bare cable
	serverEnd    *process
	iperf        *process
	connect      time.Duration // from the start of the client to the first answer to a ping
	load         float64       // the most resident memory of the client seen under load, octets
	loadAtServer float64
	leftover     []string // files elsewhere to remove in the end
}

// connectTimeout is how long a contender has to carry its first packet.
const connectTimeout = 20 * time.Second

// open starts a contender. dir is the site's own.
func (c *contender) open(ctx context.Context, dir string) (_ *site, err error) {
	s := &site{contender: c, dir: dir}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w%s", err, s.logs())
			s.close()
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if s.a, err = newHost(); err != nil {
		return nil, err
	}
	if s.b, err = newHost(); err != nil {
		return nil, err
	}
	if err := join(s.a, s.b); err != nil {
		return nil, err
	}
	if c.split {
		if err := split(s.a, s.b); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if _, err := s.firstPing(ctx, serverOuter); err != nil { // and ARP is done
		return nil, fmt.Errorf("the cable: %w", err)
	}
	if err := c.server(ctx, s); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := c.client(ctx, s); err != nil {
		return nil, err
	}
	answered, err := s.firstPing(ctx, c.at)
	if err != nil {
		return nil, fmt.Errorf("no ping came through: %w", err)
	}
	s.connect = answered.Sub(start)
	if s.iperf, err = s.b.run(dir, "iperf3-server", nil, "iperf3", "-s", "--forceflush"); err != nil {
		return nil, err
	}
	return s, s.ready(ctx, s.iperf)
}

// ready waits until a process has said something, and fails if it ends.
func (s *site) ready(ctx context.Context, p *process) error {
	select {
	case <-p.said.ready:
		return nil
	case <-p.done:
		return fmt.Errorf("%s has ended: %v", p.name, p.err)
	case <-ctx.Done():
		return fmt.Errorf("%s does not get ready: %w", p.name, ctx.Err())
	}
}

// ends lists the tunnel's processes.
func (s *site) ends() (list []*process) {
	for _, p := range []*process{s.clientEnd, s.serverEnd} {
		if p != nil {
			list = append(list, p)
		}
	}
	return list
}

// cpu is the CPU time in seconds that the tunnel's processes have used.
func (s *site) cpu() (float64, error) {
	var sum float64
	for _, p := range s.ends() {
		t, err := cpuOf(p.pid())
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.name, err)
		}
		sum += t
	}
	return sum, nil
}

// weigh notes the resident memory of both ends.
func (s *site) weigh() {
	if s.clientEnd != nil {
		if n, err := rssOf(s.clientEnd.pid()); err == nil {
			s.load = max(s.load, n)
		}
	}
	if s.serverEnd != nil {
		if n, err := rssOf(s.serverEnd.pid()); err == nil {
			s.loadAtServer = max(s.loadAtServer, n)
		}
	}
}

// logs is what the processes said last, for an error.
func (s *site) logs() string {
	var text string
	for _, p := range s.ends() {
		text += "\n" + p.name + " said:\n" + p.tail()
	}
	return text
}

// close ends the processes and lets go of the namespaces; the kernel takes them
// away with all that is in them.
func (s *site) close() {
	for _, p := range []*process{s.iperf, s.clientEnd, s.serverEnd} {
		if p != nil {
			p.stop()
		}
	}
	for _, path := range s.leftover {
		os.Remove(path)
	}
	s.a.close()
	s.b.close()
}

// path is a file of the site's.
func (s *site) path(name string) string { return filepath.Join(s.dir, name) }
