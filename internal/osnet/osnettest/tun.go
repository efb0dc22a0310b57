package osnettest

import (
	"bytes"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"goppptp/internal/offload"
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
	ready   func() // mu guards, as all that follows; called when there is something to read
	cfg     osnet.TUNConfig
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
		t.tell()
	case <-t.done:
	}
}

// tell calls ready, once.
func (t *TUN) tell() {
	t.mu.Lock()
	ready := t.ready
	t.ready = nil
	t.mu.Unlock()
	if ready != nil {
		ready()
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

// ReadFrame is that of osnet.TUN.
func (t *TUN) ReadFrame(b []byte) (int, error) {
	select {
	case <-t.done:
		return 0, osnet.ErrClosed
	default:
	}
	select {
	case p := <-t.fromHost:
		if len(b) < offload.HeaderLen+len(p) {
			return 0, fmt.Errorf("osnettest: a frame of %d octets into %d", offload.HeaderLen+len(p), len(b))
		}
		clear(b[:offload.HeaderLen])
		return offload.HeaderLen + copy(b[offload.HeaderLen:], p), nil
	default:
		return 0, nil
	}
}

// WhenReadable is that of osnet.TUN.
func (t *TUN) WhenReadable(ready func()) error {
	t.mu.Lock()
	t.ready = ready
	t.mu.Unlock()
	select {
	case <-t.done:
		t.tell()
	default:
		if len(t.fromHost) > 0 {
			t.tell()
		}
	}
	return nil
}

// Offload is that of osnet.TUN: joined packets may be written.
func (t *TUN) Offload() (tcp, udp bool) { return true, true }

// WriteFrame is that of osnet.TUN. The host sees what was joined cut again.
func (t *TUN) WriteFrame(parts [][]byte) error {
	select {
	case <-t.done:
		return osnet.ErrClosed
	default:
	}
	var s offload.Splitter
	if err := s.Load(bytes.Join(parts, nil)); err != nil {
		return fmt.Errorf("osnettest: %w", err)
	}
	for {
		b := make([]byte, 1<<16)
		n, err := s.Next(b)
		if err != nil {
			return fmt.Errorf("osnettest: %w", err)
		}
		if n == 0 {
			return nil
		}
		select {
		case t.toHost <- append([]byte(nil), b[:n]...):
		default:
			t.mu.Lock()
			t.dropped++
			t.mu.Unlock()
		}
	}
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

// Name is the interface's name.
func (t *TUN) Name() string { return t.Config().Name }

// Index is the interface's index: always 7.
func (t *TUN) Index() int { return 7 }

// Close ends it; readers and writers return osnet.ErrClosed.
func (t *TUN) Close() error {
	t.once.Do(func() {
		close(t.done)
		t.tell()
	})
	return nil
}

// Linger is that of osnet.TUN; it does not wait.
func (t *TUN) Linger(time.Duration) (bool, error) { return false, nil }
