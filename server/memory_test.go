package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"goppptp/internal/osnet"
	"goppptp/internal/osnet/osnettest"
)

// The server has two addresses.
var (
	serverAddr = netip.MustParseAddr("192.0.2.2")
	secondAddr = netip.MustParseAddr("192.0.2.3")
)

// memory is a Platform without an operating system: TCP is pipes, GRE is a
// network of osnettest, interfaces are its TUNs.
type memory struct {
	net   *osnettest.Network
	conns chan net.Conn // dialled

	mu       sync.Mutex
	tuns     map[string]*memoryTUN // mu guards, as all that follows
	forward  map[string]int        // SetForwarding less restore
	proxied  map[netip.Addr]bool
	proxyOn  string
	checkErr error
	tunErr   error
	dhcp     *memoryUDP
}

func newMemory() *memory {
	return &memory{net: osnettest.NewNetwork(), conns: make(chan net.Conn), tuns: map[string]*memoryTUN{},
		forward: map[string]int{}, proxied: map[netip.Addr]bool{}, proxyOn: "eth0"}
}

type memoryTUN struct {
	*osnettest.TUN
	m    *memory
	name string
}

func (t *memoryTUN) Close() error {
	t.m.mu.Lock()
	if t.m.tuns[t.name] == t {
		delete(t.m.tuns, t.name)
	}
	t.m.mu.Unlock()
	return t.TUN.Close()
}

func (m *memory) Check() error { return m.checkErr }

func (m *memory) ListenControl(addr string) (net.Listener, error) {
	return &memoryListener{m: m, done: make(chan struct{})}, nil
}

func (m *memory) ListenGRE() (GRE, error) { return m.net.Listen(serverAddr, secondAddr), nil }

func (m *memory) OpenTUN(cfg osnet.TUNConfig) (TUN, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tunErr != nil {
		return nil, m.tunErr
	}
	for i := 0; ; i++ {
		name := fmt.Sprintf("ppp%d", i)
		if m.tuns[name] == nil {
			cfg.Name = name
			t := &memoryTUN{osnettest.NewTUN(cfg), m, name}
			m.tuns[name] = t
			return t, nil
		}
	}
}

func (m *memory) SetForwarding(ifname string) (func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forward[ifname]++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.forward[ifname]--
	}, nil
}

func (m *memory) AddProxyARP(a netip.Addr) (func(), string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proxyOn == "" {
		return func() {}, "", nil
	}
	m.proxied[a] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.proxied, a)
	}, m.proxyOn, nil
}

func (m *memory) PathMTU(netip.Addr) (int, error) { return 1500, nil }

func (m *memory) ListenDHCP(string) (net.PacketConn, error) {
	if m.dhcp == nil {
		return nil, errors.New("not here")
	}
	return m.dhcp, nil
}

// memoryUDP is a socket whose network is two channels.
type memoryUDP struct {
	net.PacketConn // none
	in, out        chan datagram
	once           sync.Once
	closed         chan struct{}
}

type datagram struct {
	data []byte
	addr netip.AddrPort
}

func newMemoryUDP() *memoryUDP {
	return &memoryUDP{in: make(chan datagram), out: make(chan datagram, 10), closed: make(chan struct{})}
}

func (c *memoryUDP) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-c.in:
		return copy(b, d.data), net.UDPAddrFromAddrPort(d.addr), nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

func (c *memoryUDP) WriteTo(b []byte, a net.Addr) (int, error) {
	c.out <- datagram{bytes.Clone(b), a.(*net.UDPAddr).AddrPort()}
	return len(b), nil
}

func (c *memoryUDP) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (m *memory) tun(name string) *memoryTUN {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tuns[name]
}

// left lists what of the server's doings is still there.
func (m *memory) left() (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.tuns {
		out = append(out, "interface "+name)
	}
	for a := range m.proxied {
		out = append(out, "proxy ARP "+a.String())
	}
	for name, n := range m.forward {
		if n != 0 && !strings.HasPrefix(name, "ppp") { // what is set on an interface goes with it
			out = append(out, "forwarding on "+name)
		}
	}
	return out
}

type memoryListener struct {
	m    *memory
	once sync.Once
	done chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.m.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memoryListener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(serverAddr, 1723))
}

// tcpPipe is an end of a pipe that has TCP addresses.
type tcpPipe struct {
	net.Conn
	local, remote netip.AddrPort
}

func (c tcpPipe) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c tcpPipe) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// connect opens a control connection from the address, and gives its client end.
func (m *memory) connect(from netip.Addr) net.Conn { return m.connectTo(serverAddr, from) }

func (m *memory) connectTo(to, from netip.Addr) net.Conn {
	a, b := net.Pipe()
	client, server := netip.AddrPortFrom(from, 40000), netip.AddrPortFrom(to, 1723)
	m.conns <- tcpPipe{b, server, client}
	return tcpPipe{a, client, server}
}

// logBuffer is a log to look into.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// line returns the last line that has all of the words.
func (l *logBuffer) line(words ...string) string {
	found := ""
next:
	for line := range strings.Lines(l.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		found = line
	}
	return found
}

// running is a server in memory.
type running struct {
	*memory
	srv  *Server
	log  *logBuffer
	stop func() // and wait
}

const testConfig = `
local: 192.168.13.254
remote: [192.168.13.240-249]
users:
  - {name: sio4, password: p4ssw0rd, address: 192.168.13.249, routes: [192.168.14.0/24], sessions: 1}
  - {name: ann, password: secret}
  - {name: bob, password: secret, sessions: 2}
dns: [192.168.13.1]
`

func parseTestConfig(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := ParseConfig("server.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// run starts a server with the configuration. It is to be called in a bubble.
func run(t *testing.T, text string, limits Limits) *running {
	t.Helper()
	r := &running{memory: newMemory(), log: &logBuffer{}}
	level := slog.LevelInfo
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	ready := make(chan struct{})
	var err error
	r.srv, err = New(parseTestConfig(t, text), Options{Platform: r.memory, Limits: limits, Ready: func() { close(ready) },
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.srv.Run(ctx) }()
	<-ready
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if left := r.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// bubble runs f in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }
