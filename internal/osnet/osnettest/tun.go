package osnettest

import (
	"fmt"
	"net/netip"
	"sync"

	"goppptp/internal/osnet"
)

// Queue is how many packets a TUN holds in each direction.
const Queue = 4096

// A TUN has the methods of *osnet.TUN; its host is the test.
type TUN struct {
	fromHost chan []byte
	toHost   chan []byte
	done     chan struct{}
	once     sync.Once

	mu      sync.Mutex
	cfg     osnet.TUNConfig // mu guards, as all that follows
	routes  []netip.Prefix
	dropped int
}

// NewTUN makes a TUN of that configuration; the name "ppp%d" becomes "ppp0".
func NewTUN(cfg osnet.TUNConfig) *TUN {
	if cfg.Name == "" {
		cfg.Name = "ppp%d"
	}
	if cfg.Name == "ppp%d" {
		cfg.Name = "ppp0"
	}
	return &TUN{cfg: cfg, fromHost: make(chan []byte, Queue), toHost: make(chan []byte, Queue), done: make(chan struct{})}
}

// Inject has the host send an IP packet into the tunnel: Read returns it. It
// waits while Queue packets wait already, and does nothing after Close.
func (t *TUN) Inject(packet []byte) {
	select {
	case t.fromHost <- append([]byte(nil), packet...):
	case <-t.done:
	}
}

// Received gives the IP packets that the tunnel wrote for the host. It is not
// closed; nothing comes after Close.
func (t *TUN) Received() <-chan []byte { return t.toHost }

// Done is closed by Close.
func (t *TUN) Done() <-chan struct{} { return t.done }

// Config gives the configuration as SetMTU and SetAddress have left it.
func (t *TUN) Config() osnet.TUNConfig {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cfg
}

// Routes gives what AddRoute added.
func (t *TUN) Routes() []netip.Prefix {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]netip.Prefix(nil), t.routes...)
}

// Dropped counts packets for the host that found Queue others waiting.
func (t *TUN) Dropped() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// Read is that of osnet.TUN.
func (t *TUN) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	if offset < osnet.TUNHeadroom {
		return 0, fmt.Errorf("osnettest: read offset %d is less than the headroom", offset)
	}
	n := 0
	put := func(p []byte) {
		if len(p) <= len(bufs[n])-offset {
			sizes[n] = copy(bufs[n][offset:], p)
			n++
		}
	}
	for n == 0 {
		select {
		case <-t.done:
			return 0, osnet.ErrClosed
		case p := <-t.fromHost:
			put(p)
		}
	}
	for n < len(bufs) && n < t.BatchSize() {
		select {
		case p := <-t.fromHost:
			put(p)
		default:
			return n, nil
		}
	}
	return n, nil
}

// Write is that of osnet.TUN; like it, it spoils the headroom.
func (t *TUN) Write(bufs [][]byte, offset int) (int, error) {
	if offset < osnet.TUNHeadroom {
		return 0, fmt.Errorf("osnettest: write offset %d is less than the headroom", offset)
	}
	select {
	case <-t.done:
		return 0, osnet.ErrClosed
	default:
	}
	for _, b := range bufs {
		if len(b) <= offset {
			return 0, fmt.Errorf("osnettest: write of an empty packet")
		}
		for i := offset - osnet.TUNHeadroom; i < offset; i++ {
			b[i] = 0xee
		}
		select {
		case t.toHost <- append([]byte(nil), b[offset:]...):
		default:
			t.mu.Lock()
			t.dropped++
			t.mu.Unlock()
		}
	}
	return len(bufs), nil
}

// SetMTU is that of osnet.TUN.
func (t *TUN) SetMTU(mtu int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cfg.MTU = mtu
	return nil
}

// SetAddress is that of osnet.TUN.
func (t *TUN) SetAddress(local, peer netip.Addr, peerRoute bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cfg.Local, t.cfg.Peer, t.cfg.PeerRoute = local, peer, peerRoute
	return nil
}

// AddRoute is that of osnet.TUN.
func (t *TUN) AddRoute(to netip.Prefix) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.routes = append(t.routes, to)
	return nil
}

// BatchSize is that of osnet.TUN: 128.
func (t *TUN) BatchSize() int { return 128 }

// Name is the interface's name.
func (t *TUN) Name() string { return t.Config().Name }

// Index is the interface's index: always 7.
func (t *TUN) Index() int { return 7 }

// Close ends it; readers and writers return osnet.ErrClosed.
func (t *TUN) Close() error {
	t.once.Do(func() { close(t.done) })
	return nil
}
