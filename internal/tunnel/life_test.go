package tunnel

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"goppptp/internal/mppe"
	"goppptp/internal/osnet"
	"goppptp/internal/osnet/osnettest"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
)

// wantRun waits for Run to return, and has the end of join find it so.
func wantRun(t *testing.T, e *end, want func(error) bool) {
	t.Helper()
	select {
	case err := <-e.done:
		if !want(err) {
			t.Errorf("Run of the %s returned %v", e.name, err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the %s runs on", e.name)
	}
	e.done <- nil
}

// flows looks that packets pass both ways.
func flows(t *testing.T, c, s *end) {
	t.Helper()
	for _, way := range [][2]*end{{c, s}, {s, c}} {
		if got := carry(t, way[0], way[1], 20); len(got) != 20 {
			t.Errorf("%s to %s: %d of 20 packets came", way[0].name, way[1].name, len(got))
		}
	}
}

// TestClose: an end that is asked for is told to the peer with its reason.
func TestClose(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		s.session.Close("closing time")
		wantRun(t, s, func(err error) bool { return err == nil })
		wantRun(t, c, func(err error) bool {
			e, ok := errors.AsType[*ppp.PeerError](err)
			return ok && e.Message == "closing time"
		})
		for _, e := range []*end{c, s} {
			select {
			case <-e.tun.Done():
			default:
				t.Errorf("the interface of the %s is open", e.name)
			}
			if f, ok := e.events[len(e.events)-1].(Finished); !ok {
				t.Errorf("the last event of the %s is %+v", e.name, f)
			}
		}
	})
}

// TestInterfaceGone: a session whose interface somebody removes ends, and says
// why.
func TestInterfaceGone(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		c.tun.Close()
		wantRun(t, c, func(err error) bool { return errors.Is(err, errTUNGone) })
		wantRun(t, s, func(err error) bool { return err != nil })
	})
}

// failing is a TUN of which some reads fail.
type failing struct {
	*osnettest.TUN
	errs chan error
}

func (f *failing) ReadFrame(b []byte) (int, error) {
	select {
	case err, ok := <-f.errs:
		if ok {
			return 0, err
		}
		return 0, errors.New("input/output error") // for good
	default:
		return f.TUN.ReadFrame(b)
	}
}

// TestInterfaceFails: reads that fail for one packet are survived, and an
// interface of which all fail is no reason to spin.
func TestInterfaceFails(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		f := &failing{errs: make(chan error, 10)}
		c.session.cfg.openTUN = func(n Network) (TUN, error) {
			c.tun = osnettest.NewTUN(osnet.TUNConfig{Local: n.Local, Peer: n.Peer, MTU: n.MTU})
			f.TUN = c.tun
			return f, nil
		}
		waitUp(t, c, s)
		for range 10 {
			f.errs <- errors.New("too many segments")
			c.tun.Inject(packet(1, 1)) // wakes the reader
			pass(time.Second)
			<-s.tun.Received()
		}
		flows(t, c, s)
		if n := c.session.Stats().TUNErrors; n != 10 {
			t.Errorf("%d errors were counted", n)
		}
		close(f.errs)
		c.tun.Inject(packet(1, 100))
		wantRun(t, c, func(err error) bool { return errors.Is(err, errTUNGone) })
	})
}

func TestNoInterface(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		none := errors.New("no tun module")
		c.session.cfg.openTUN = func(Network) (TUN, error) { return nil, none }
		wantRun(t, c, func(err error) bool { return errors.Is(err, none) })
		wantRun(t, s, func(err error) bool { return err != nil })
		if c.saw(isUp) {
			t.Error("it was up")
		}
	})
}

// TestAbortKeepsReason: a peer that refuses and hangs up has told why.
func TestAbortKeepsReason(t *testing.T) {
	cfg := clientConfig()
	cfg.Peer.Password = "wrong"
	join(t, cfg, serverConfig(), func(c, s *end) {
		for !c.saw(func(ev Event) bool { p, ok := ev.(Phase); return ok && p.Phase == ppp.Terminate }) {
			pass(time.Millisecond)
		}
		c.session.Abort(errors.New("the server closed the control connection"))
		wantRun(t, c, func(err error) bool {
			_, ok := errors.AsType[*auth.Error](err)
			return ok
		})
	})
}

// anew has the server's side negotiate everything once more with another
// configuration, in the middle of the session.
func (e *end) anew(cfg ppp.Config) {
	s := e.session
	s.request(func() {
		s.link = ppp.NewLink(cfg)
		s.link.Open(time.Now())
	})
}

// TestRenegotiation: LCP, authentication, MPPE and addresses are agreed on
// anew in a live session; the interface stays, and packets pass again.
func TestRenegotiation(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		flows(t, c, s)
		tun := c.tun
		s.anew(serverConfig())
		pass(10 * time.Second)
		flows(t, c, s)
		if c.tun != tun || count[Up](c) != 2 || count[Down](c) != 1 || count[Finished](c) != 0 || count[MPPEUp](c) != 2 {
			t.Errorf("another interface: %v; events %+v", c.tun != tun, c.events)
		}
	})
}

// TestOtherAddresses: a live session whose addresses change is over.
func TestOtherAddresses(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		other := serverConfig()
		other.Remote = netip.MustParseAddr("192.168.13.201")
		s.anew(other)
		wantRun(t, c, func(err error) bool { return err != nil && strings.Contains(err.Error(), "changed the addresses") })
		wantRun(t, s, func(err error) bool { return err != nil })
	})
}

// TestKeysOutOfStep: decrypted packets that make no sense have encryption
// negotiated anew.
func TestKeysOutOfStep(t *testing.T) {
	for name, set := range modes() {
		if name == "clear" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			client, server := clientConfig(), serverConfig()
			set(&client, &server)
			join(t, client, server, func(c, s *end) {
				waitUp(t, c, s)
				bits := mppe.Bits(client.MPPE.Bits[0])
				c.session.installOpener(mppe.NewOpener([16]byte{1, 2, 3}, bits, client.MPPE.Stateful), client.MPPE.Stateful)
				for i := range 400 {
					s.tun.Inject(packet(uint32(i), 100))
					pass(10 * time.Millisecond)
				}
				pass(10 * time.Second)
				for len(c.tun.Received()) > 0 {
					<-c.tun.Received()
				}
				flows(t, c, s)
				if st := c.session.Stats(); st.Nonsense+st.Undecryptable == 0 || count[MPPEUp](c) < 2 {
					t.Errorf("nothing was noticed: %+v, %d times up", st, count[MPPEUp](c))
				}
			})
		})
	}
}

// packet6 makes an IPv6 packet.
func packet6(size int) []byte {
	p := make([]byte, 40+size)
	p[0], p[5], p[6], p[7] = 0x60, byte(size), 59, 64
	return p
}

// TestIPv6: it passes where both ends have agreed on it, and nowhere else.
func TestIPv6(t *testing.T) {
	for _, agreed := range []bool{true, false} {
		client, server := clientConfig(), serverConfig()
		client.IPv6, server.IPv6 = true, agreed
		join(t, client, server, func(c, s *end) {
			waitUp(t, c, s)
			pass(time.Second)
			if got := count[IPv6](c) == 1; got != agreed {
				t.Errorf("agreed %v: events %+v", agreed, c.events)
			}
			c.tun.Inject(packet6(100))
			s.tun.Inject(packet6(100))
			pass(time.Second)
			for _, e := range []*end{c, s} {
				if n := len(e.tun.Received()); (n == 1) != agreed {
					t.Errorf("agreed %v: %d packets came to the %s", agreed, n, e.name)
				}
			}
			if closed := c.session.Stats().Closed; (closed == 0) != agreed {
				t.Errorf("agreed %v: %d packets found it closed", agreed, closed)
			}
		})
	}
}

// TestCannotSend: what sending says is counted and kept, and the session goes
// on when it can again.
func TestCannotSend(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		blocked := errors.New("operation not permitted")
		c.gre.FailWrites(blocked)
		c.tun.Inject(packet(1, 100))
		pass(time.Second)
		if err := c.session.SendError(); err != blocked || c.session.Stats().SendErrors == 0 {
			t.Errorf("SendError is %v; %+v", err, c.session.Stats())
		}
		c.gre.FailWrites(nil)
		flows(t, c, s)
		if s.session.SendError() != nil {
			t.Errorf("the server's SendError is %v", s.session.SendError())
		}
	})
}

// TestGarbage: packets that are malformed, another call's, or none at all are
// counted, and nothing else.
func TestGarbage(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		before := c.session.Stats()
		highest, _ := c.session.recv.seq.Highest()
		garbage := [][]byte{
			nil, {0}, []byte("no GRE at all, but long enough"),
			{0x30, 0x01, 0x88, 0x0b, 0, 4, 0, 10, 0, 1, 0, 0, 0xff, 0x03, 0, 0x21},   // call 10
			{0x30, 0x01, 0x88, 0x0b, 0xff, 0xff, 0, 9, 0, 1, 0, 0},                   // longer than it is
			{0x30, 0x01, 0x88, 0x0b, 0, 1, 0, 9, 0, 0, 0, byte(highest + 100), 0x80}, // half a header
		}
		c.session.Receive(garbage)
		pass(time.Second)
		after := c.session.Stats()
		if n := after.Invalid - before.Invalid; n != uint64(len(garbage)) {
			t.Errorf("%d of %d counted as invalid", n, len(garbage))
		}
		flows(t, c, s)
	})
}

// TestCancel ends a session at all times: Run returns, and the bubble finds
// nothing at work.
func TestCancel(t *testing.T) {
	for after := time.Duration(0); after < 600*time.Millisecond; after += 13 * time.Millisecond {
		join(t, clientConfig(), serverConfig(), func(c, s *end) {
			pass(after)
			c.session.Close("enough")
			select {
			case err := <-c.done:
				if err != nil {
					t.Errorf("closed after %v: %v", after, err)
				}
				c.done <- nil
			case <-time.After(30 * time.Second):
				t.Errorf("closed after %v, it runs on", after)
			}
		})
	}
}
