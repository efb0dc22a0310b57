package osnettest

import (
	"net/netip"
	"sync"
	"time"

	"goppptp/internal/osnet"
)

// ipHeader is what a raw socket puts in front of the GRE packet.
const ipHeader = 20

// A Network carries packets between the GRE ends made on it.
type Network struct {
	mu   sync.Mutex
	ends []*GRE // mu guards
}

// NewNetwork makes an empty network.
func NewNetwork() *Network { return &Network{} }

// Pair makes a network of two: a client dialled to a server that listens, at
// 192.0.2.1 and 192.0.2.2.
func Pair() (client, server *GRE) {
	n := NewNetwork()
	c, s := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	return n.Dial(c, s), n.Listen(s)
}

// Dial makes an end at local that speaks with remote only.
func (n *Network) Dial(local, remote netip.Addr) *GRE {
	return n.add(osnet.Path{Local: local, Remote: remote}, local)
}

// Listen makes an end that speaks with everybody and has these addresses.
func (n *Network) Listen(addrs ...netip.Addr) *GRE {
	return n.add(osnet.Path{}, addrs...)
}

func (n *Network) add(p osnet.Path, addrs ...netip.Addr) *GRE {
	g := &GRE{net: n, path: p, addrs: addrs, limit: 4096,
		wake: make(chan struct{}, 1), done: make(chan struct{})}
	n.mu.Lock()
	n.ends = append(n.ends, g)
	n.mu.Unlock()
	return g
}

// deliver hands a packet to every end that a kernel would hand it to.
func (n *Network) deliver(p osnet.Path, packet []byte, at time.Time) (taken bool) {
	n.mu.Lock()
	ends := append([]*GRE(nil), n.ends...)
	n.mu.Unlock()
	for _, g := range ends {
		if g.path.Remote.IsValid() && g.path.Remote != p.Local {
			continue
		}
		for _, a := range g.addrs {
			if a == p.Remote {
				taken = g.put(item{data: packet, path: osnet.Path{Local: p.Remote, Remote: p.Local}, at: at}) || taken
				break
			}
		}
	}
	return taken
}

type item struct {
	data []byte
	path osnet.Path
	at   time.Time // not before; zero: at once
	err  error     // instead of a packet
}

// A GRE is one end; it has the methods of *osnet.GRE.
type GRE struct {
	net   *Network
	path  osnet.Path
	addrs []netip.Addr
	wake  chan struct{} // something was put
	done  chan struct{} // closed by Close
	once  sync.Once

	mu      sync.Mutex
	queue   []item        // mu guards, as all that follows
	limit   int           // packets that the queue holds
	filter  Filter        // of what leaves here
	latency time.Duration // of what leaves here
	sendErr error
	stats   Stats
}

// Stats counts packets at one end.
type Stats struct {
	Sent      int // given to WriteBatch
	Left      int // came out of the filter
	Received  int // given out by ReadBatch
	Overflow  int // found the queue full
	Truncated int // larger than the reader's Buf
	Lost      int // had nobody to go to
}

// Filter sets what happens to packets that leave here, from the next one on.
// The zero Filter lets all pass.
func (g *GRE) Filter(f Filter) {
	g.mu.Lock()
	g.filter = f
	g.mu.Unlock()
}

// SetLatency makes packets that leave here arrive that much later, in order.
func (g *GRE) SetLatency(d time.Duration) {
	g.mu.Lock()
	g.latency = d
	g.mu.Unlock()
}

// SetQueue sets how many packets wait for ReadBatch before further ones are
// lost, as the receive buffer of a socket does; at first 4096.
func (g *GRE) SetQueue(packets int) {
	g.mu.Lock()
	g.limit = packets
	g.mu.Unlock()
}

// InjectError has a ReadBatch return err, after the packets that came before.
func (g *GRE) InjectError(err error) { g.put(item{err: err}) }

// FailWrites has every WriteBatch return err until it is set to nil.
func (g *GRE) FailWrites(err error) {
	g.mu.Lock()
	g.sendErr = err
	g.mu.Unlock()
}

// Stats tells what went through here.
func (g *GRE) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stats
}

// Path gives the addresses of a dialled end.
func (g *GRE) Path() osnet.Path { return g.path }

// Close ends it; readers return osnet.ErrClosed.
func (g *GRE) Close() error {
	g.once.Do(func() { close(g.done) })
	return nil
}

func (g *GRE) closed() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// WriteBatch is that of osnet.GRE; it copies the packets.
func (g *GRE) WriteBatch(pkts [][]byte, p osnet.Path) error {
	if g.closed() {
		return osnet.ErrClosed
	}
	if g.path.Remote.IsValid() {
		p = g.path
	}
	g.mu.Lock()
	if g.sendErr != nil {
		defer g.mu.Unlock()
		return g.sendErr
	}
	var at time.Time
	if g.latency > 0 {
		at = time.Now().Add(g.latency)
	}
	var out [][]byte
	for _, b := range pkts {
		g.stats.Sent++
		out = append(out, g.filter.apply(append([]byte(nil), b...))...)
	}
	g.stats.Left += len(out)
	g.mu.Unlock()
	for _, b := range out {
		if !g.net.deliver(p, b, at) {
			g.mu.Lock()
			g.stats.Lost++
			g.mu.Unlock()
		}
	}
	return nil
}

func (g *GRE) put(it item) bool {
	if g.closed() {
		return false
	}
	g.mu.Lock()
	if len(g.queue) >= g.limit && it.err == nil {
		g.stats.Overflow++
		g.mu.Unlock()
		return true
	}
	g.queue = append(g.queue, it)
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	return true
}

// ReadBatch is that of osnet.GRE.
func (g *GRE) ReadBatch(pkts []osnet.Packet) (int, error) {
	if len(pkts) == 0 {
		return 0, nil
	}
	for {
		if g.closed() {
			return 0, osnet.ErrClosed
		}
		n, wait, err := g.take(pkts)
		if n > 0 || err != nil {
			return n, err
		}
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		select {
		case <-g.done:
		case <-g.wake:
		case <-timer:
		}
	}
}

// take fills pkts with what is due; wait is how long until the next is, 0 if
// there is none.
func (g *GRE) take(pkts []osnet.Packet) (n int, wait time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) > 0 && n < min(len(pkts), osnet.BatchSize) {
		it := g.queue[0]
		if it.err != nil {
			if n > 0 {
				break
			}
			g.queue = g.queue[1:]
			return 0, 0, it.err
		}
		if !it.at.IsZero() {
			if d := time.Until(it.at); d > 0 {
				return n, d, nil
			}
		}
		g.queue = g.queue[1:]
		buf := pkts[n].Buf
		if len(buf) < ipHeader+len(it.data) {
			g.stats.Truncated++
			continue
		}
		pkts[n].Data = buf[ipHeader : ipHeader+copy(buf[ipHeader:], it.data)]
		pkts[n].Path = it.path
		g.stats.Received++
		n++
	}
	return n, 0, nil
}
