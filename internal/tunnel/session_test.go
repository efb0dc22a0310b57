package tunnel

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/osnet"
	"goppptp/internal/osnet/osnettest"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
)

// An end is one side of a session under test.
type end struct {
	t       *testing.T
	name    string
	session *Session
	gre     *osnettest.GRE
	tun     *osnettest.TUN
	mu      sync.Mutex
	events  []Event // mu guards
	done    chan error
}

var (
	clientAddr = netip.MustParseAddr("192.168.13.200")
	serverAddr = netip.MustParseAddr("192.168.13.254")
)

func clientConfig() ppp.Config {
	return ppp.Config{
		Role: ppp.Client, Restart: 300 * time.Millisecond, Auth: []auth.Method{auth.MSCHAPv2},
		Peer: auth.PeerConfig{User: "sio4", Password: "p4ssw0rd"},
		MPPE: ppp.MPPE{Require: true, Bits: []int{128}},
	}
}

func serverConfig() ppp.Config {
	return ppp.Config{
		Role: ppp.Server, Restart: 300 * time.Millisecond, Auth: []auth.Method{auth.MSCHAPv2},
		Authenticator: auth.AuthenticatorConfig{Name: "server", Lookup: func(user string) (auth.Credential, error) {
			if user != "sio4" {
				return auth.Credential{}, errors.New("no such user")
			}
			return auth.Credential{Password: "p4ssw0rd"}, nil
		}},
		MPPE:  ppp.MPPE{Require: true, Bits: []int{128}},
		Local: serverAddr, Remote: clientAddr,
	}
}

// start runs a session over one end of a GRE network.
func start(t *testing.T, ctx context.Context, name string, gre *osnettest.GRE, cfg ppp.Config, own, peer uint16) *end {
	e := &end{t: t, name: name, gre: gre, done: make(chan error, 1)}
	e.session = New(Config{
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("end", name),
		PPP: ppp.NewSettings(cfg), CallID: own, PeerCallID: peer, Outer: netip.MustParseAddr("192.0.2.2"), // the server's
		Send: func(packets [][]byte) error {
			return gre.WriteBatch(packets, osnet.Path{Local: netip.MustParseAddr("192.0.2.2"), Remote: netip.MustParseAddr("192.0.2.1")})
		},
		OpenTUN: func(n Network) (TUN, error) {
			e.tun = osnettest.NewTUN(osnet.TUNConfig{Name: "ppp0", Local: n.Local, Peer: n.Peer, MTU: n.MTU})
			return e.tun, nil
		},
		OnEvent: func(ev Event) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.events = append(e.events, ev)
		},
	})
	go func() {
		packets := make([]osnet.Packet, 64)
		for i := range packets {
			packets[i].Buf = make([]byte, 4096)
		}
		for {
			n, err := gre.ReadBatch(packets)
			var bufs [][]byte
			for _, p := range packets[:n] {
				bufs = append(bufs, p.Data)
			}
			e.session.Receive(bufs)
			if err != nil {
				return
			}
		}
	}()
	go func() { e.done <- e.session.Run(ctx) }()
	return e
}

func (e *end) saw(want func(Event) bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.events, want)
}

// pass lets time pass in the bubble, and everything happen that it brings.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func isUp(ev Event) bool { _, ok := ev.(Up); return ok }

// join runs a client and a server session on a network of two, in a bubble,
// and ends both when f returns.
func join(t *testing.T, client, server ppp.Config, f func(c, s *end)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cg, sg := osnettest.Pair() // at 192.0.2.1, connected, and 192.0.2.2
		cg.SetLatency(20 * time.Millisecond)
		sg.SetLatency(20 * time.Millisecond)
		s := start(t, ctx, "server", sg, server, 7, 9)
		c := start(t, ctx, "client", cg, client, 9, 7)
		defer func() {
			cancel()
			<-c.done
			<-s.done
			cg.Close()
			sg.Close()
			synctest.Wait()
		}()
		f(c, s)
	})
}

// waitUp lets time pass until both are up.
func waitUp(t *testing.T, c, s *end) {
	t.Helper()
	for range 600 {
		pass(50 * time.Millisecond)
		if c.saw(isUp) && s.saw(isUp) {
			return
		}
	}
	t.Fatalf("not up after 30 s: client %+v, server %+v", c.events, s.events)
}

// packet makes an IPv4 packet that carries a number and some octets.
func packet(n uint32, size int) []byte {
	p := make([]byte, 20+max(size, 4))
	p[0], p[8], p[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint32(p[20:], n)
	for i := 24; i < len(p); i++ {
		p[i] = byte(i * int(n+1))
	}
	return p
}

// carry sends n packets from one end to the other, a few at a time, and
// returns the numbers of those that came, all of which must be whole.
func carry(t *testing.T, from, to *end, n int) []uint32 {
	t.Helper()
	var got []uint32
	take := func() {
		for {
			select {
			case p := <-to.tun.Received():
				k := binary.BigEndian.Uint32(p[20:])
				if !bytes.Equal(p, packet(k, int(k%1200))) {
					t.Fatalf("packet %d came out as % x…", k, p[:min(len(p), 40)])
				}
				got = append(got, k)
			default:
				return
			}
		}
	}
	for i := range n {
		from.tun.Inject(packet(uint32(i), i%1200))
		if i%8 == 7 {
			pass(10 * time.Millisecond)
			take()
		}
	}
	pass(5 * time.Second)
	take()
	return got
}

func modes() map[string]func(c, s *ppp.Config) {
	m := map[string]func(c, s *ppp.Config){
		"clear": func(c, s *ppp.Config) {
			c.MPPE, s.MPPE = ppp.MPPE{Refuse: true}, ppp.MPPE{Refuse: true}
		},
	}
	for _, bits := range []int{40, 56, 128} {
		for _, stateful := range []bool{false, true} {
			m[fmt.Sprintf("%d stateful=%v", bits, stateful)] = func(c, s *ppp.Config) {
				c.MPPE = ppp.MPPE{Require: true, Bits: []int{bits}, Stateful: stateful}
				s.MPPE = c.MPPE
			}
		}
	}
	return m
}

// TestCarry: all that goes in at one end comes out at the other, in order,
// both ways, in every mode.
func TestCarry(t *testing.T) {
	for name, set := range modes() {
		t.Run(name, func(t *testing.T) {
			c, s := clientConfig(), serverConfig()
			set(&c, &s)
			join(t, c, s, func(c, s *end) {
				waitUp(t, c, s)
				for _, way := range [][2]*end{{c, s}, {s, c}} {
					got := carry(t, way[0], way[1], 1000)
					if len(got) != 1000 || !slices.IsSorted(got) {
						t.Errorf("%s to %s: %d of 1000 packets came, in order: %v", way[0].name, way[1].name, len(got), slices.IsSorted(got))
					}
				}
			})
		})
	}
}

// TestCarryBadly: with packets lost, doubled and overtaken, what comes out is
// what went in, each packet once at most; and the session is well afterwards.
func TestCarryBadly(t *testing.T) {
	filters := map[string]struct {
		make func() osnettest.Filter
		// the least share of packets that must come through, stateless and
		// stateful
		stateless, stateful float64
	}{
		"a quarter lost": {func() osnettest.Filter { return osnettest.LoseRandom(0.25, 1) }, 0.70, 0.01},
		"some doubled":   {func() osnettest.Filter { return osnettest.DuplicateEvery(3) }, 1, 1},
		// Three packets later may be long, while the sender waits for acknowledgements:
		// longer than a stateful receiver does.
		"some overtaken":   {func() osnettest.Filter { return osnettest.DelayEvery(5, 3) }, 0.99, 0.9},
		"every ninth lost": {func() osnettest.Filter { return osnettest.LoseEvery(9) }, 0.88, 0.01},
		"one burst lost":   {func() osnettest.Filter { return osnettest.LoseBurst(20, 200) }, 0.78, 0.7},
		"replayed later":   {func() osnettest.Filter { return osnettest.ReplayEvery(4, 9) }, 1, 1},
	}
	for name, filter := range filters {
		for mode, set := range modes() {
			t.Run(name+"/"+mode, func(t *testing.T) {
				c, s := clientConfig(), serverConfig()
				set(&c, &s)
				stateful := c.MPPE.Stateful
				join(t, c, s, func(c, s *end) {
					waitUp(t, c, s)
					c.gre.Filter(filter.make())
					got := carry(t, c, s, 2000)
					least := filter.stateless
					if stateful {
						least = filter.stateful
					}
					if float64(len(got)) < least*2000 {
						t.Errorf("%d of 2000 packets came, want at least %.0f; %+v", len(got), least*2000, s.session.Stats())
					}
					slices.Sort(got)
					if n := len(slices.Compact(slices.Clone(got))); n != len(got) {
						t.Errorf("%d packets came more than once", len(got)-n)
					}
					c.gre.Filter(osnettest.Pass())
					carry(t, c, s, 100) // whatever resynchronisation it takes
					if got := carry(t, c, s, 100); len(got) != 100 {
						t.Errorf("afterwards %d of 100 packets came", len(got))
					}
				})
			})
		}
	}
}

// TestFirstPacket: the end that is up first may send at once; its packet
// waits at the other until that is up too.
func TestFirstPacket(t *testing.T) {
	for name, set := range modes() {
		t.Run(name, func(t *testing.T) {
			client, server := clientConfig(), serverConfig()
			set(&client, &server)
			join(t, client, server, func(c, s *end) {
				first, second := c, s
				for !first.saw(isUp) {
					pass(time.Millisecond)
					first, second = second, first
				}
				if second.saw(isUp) {
					t.Fatal("both are up: there is nothing to wait for")
				}
				first.tun.Inject(packet(7, 7))
				pass(5 * time.Second)
				select {
				case p := <-second.tun.Received():
					if !bytes.Equal(p, packet(7, 7)) {
						t.Errorf("got % x", p)
					}
				default:
					t.Errorf("the packet of the %s did not come: %+v", first.name, second.session.Stats())
				}
			})
		})
	}
}

// TestNeverInClear looks at every packet on the wire of a session that
// requires MPPE, also when the peer ends CCP in the middle and sends in clear.
func TestNeverInClear(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		var clear int
		watch := osnettest.LoseIf("watch", func(p []byte) bool {
			if _, proto, ok := protocolAt(p, greLen(p)); ok && (proto == ppp.ProtocolIP || proto == ppp.ProtocolIPv6) {
				clear++
			}
			return false
		})
		c.gre.Filter(watch)
		carry(t, c, s, 50)
		// The server says that CCP is over: Terminate-Request.
		s.session.sendFrame(ppp.AppendFrame(nil, ppp.ProtocolCCP, []byte{5, 200, 0, 4}, false, false))
		for i := range 50 {
			c.tun.Inject(packet(uint32(i), 100))
			pass(10 * time.Millisecond)
		}
		// And it sends in clear: refused.
		before := c.session.Stats().RxPackets
		s.session.sendFrame(ppp.AppendFrame(nil, ppp.ProtocolIP, packet(1, 100), false, false))
		pass(time.Second)
		if clear > 0 {
			t.Errorf("%d packets left in clear", clear)
		}
		st := c.session.Stats()
		if st.RefusedClear == 0 || st.RxPackets != before {
			t.Errorf("a packet in clear was taken: %+v", st)
		}
	})
}

func greLen(p []byte) int {
	n := 8
	if p[0]&0x10 != 0 {
		n += 4
	}
	if p[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// TestAcknowledged: what comes in is acknowledged, with what goes out or soon
// on its own, and not more often than need be.
func TestAcknowledged(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		pass(time.Second)
		acks := 0
		s.gre.Filter(osnettest.LoseIf("count", func(p []byte) bool {
			if p[1]&0x80 != 0 {
				acks++
			}
			return false
		}))
		c.tun.Inject(packet(0, 100))
		pass(time.Second)
		if acks != 1 {
			t.Errorf("one packet was acknowledged %d times", acks)
		}
		<-s.tun.Received()
		carry(t, c, s, 800)
		if acks < 800/ackEvery/2 || acks > 400 {
			t.Errorf("800 packets were acknowledged %d times", acks)
		}
	})
}

func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cg, sg := osnettest.Pair()
		cg.Filter(osnettest.Blackhole())
		c := start(t, t.Context(), "client", cg, clientConfig(), 9, 7)
		err := <-c.done
		var timeout *ppp.TimeoutError
		if !errors.As(err, &timeout) || timeout.HeardPeer {
			t.Errorf("Run returned %v, want a TimeoutError that heard nothing", err)
		}
		cg.Close()
		sg.Close()
		synctest.Wait()
	})
}

func TestAbort(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		gone := errors.New("cable cut")
		c.session.Abort(gone)
		if err := <-c.done; err != gone {
			t.Errorf("Run returned %v, want %v", err, gone)
		}
		c.done <- nil
	})
}
