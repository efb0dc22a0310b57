package server

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"goppptp/internal/osnet"
)

// keys are those of all calls.
func (d *demux) keys() (keys []callKey) {
	for i := range d.calls {
		if m := d.calls[i].Load(); m != nil {
			keys = slices.AppendSeq(keys, maps.Keys(*m))
		}
	}
	return keys
}

func TestDemuxGivesEachCallItsOwnID(t *testing.T) {
	var d demux
	a, b := ip("192.0.2.1"), ip("192.0.2.2")
	ids := func(list ...uint16) func() uint16 {
		return func() uint16 {
			id := list[0]
			if len(list) > 1 {
				list = list[1:]
			}
			return id
		}
	}
	add := func(peer netip.Addr, next func() uint16) *session {
		t.Helper()
		s, ok := d.add(peer, next, func(id uint16) *session { return &session{callID: id} })
		if !ok {
			return nil
		}
		return s
	}
	one := add(a, ids(0, 7))
	if one == nil || one.callID != 7 {
		t.Fatalf("the first call is %+v: 0 is no call ID", one)
	}
	two := add(a, ids(7, 7, 8))
	if two == nil || two.callID != 8 {
		t.Errorf("the second call of one peer is %+v", two)
	}
	other := add(b, ids(7))
	if other == nil || other.callID != 7 {
		t.Errorf("another peer's call is %+v", other)
	}
	if add(a, ids(7)) != nil {
		t.Error("an ID was given twice")
	}
	if d.find(callKey{a, 7}) != one || d.find(callKey{b, 7}) != other || d.find(callKey{b, 8}) != nil {
		t.Error("a call was not found by its peer and ID")
	}
	d.remove(callKey{a, 7})
	if d.find(callKey{a, 7}) != nil || d.find(callKey{a, 8}) != two || d.find(callKey{b, 7}) != other {
		t.Error("remove took the wrong call out")
	}
	d.remove(callKey{a, 99})
	if again := add(a, ids(7)); again == nil {
		t.Error("an ID is not free after its call")
	}
}

func TestDemuxConcurrently(t *testing.T) {
	var d demux
	var wg sync.WaitGroup
	for w := range 4 {
		peer := netip.AddrFrom4([4]byte{192, 0, 2, byte(w)})
		wg.Go(func() {
			for range 200 {
				s, ok := d.add(peer, randomCallID, func(id uint16) *session { return &session{callID: id} })
				if !ok || d.find(callKey{peer, s.callID}) != s {
					t.Error("a call is not found after add")
					return
				}
				d.remove(callKey{peer, s.callID})
			}
		})
	}
	wg.Wait()
	if n := len(d.keys()); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

func TestCallIDsAreRandom(t *testing.T) {
	seen := map[uint16]bool{}
	for range 1000 {
		seen[randomCallID()] = true
	}
	if len(seen) < 900 {
		t.Errorf("%d different ones of 1000", len(seen))
	}
}

func TestStrayPackets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		synctest.Wait()
		// The right call ID from another address, a call nobody has, half a header.
		other := r.net.Dial(ip("203.0.113.9"), serverAddr)
		var call uint16
		for _, k := range r.srv.demux.keys() {
			call = k.callID
		}
		ack := []byte{0x20, 0x81, 0x88, 0x0b, 0, 0, byte(call >> 8), byte(call), 0, 0, 0, 1}
		if err := other.WriteBatch([][]byte{ack}, osnet.Path{}); err != nil {
			t.Fatal(err)
		}
		if err := d.gre.WriteBatch([][]byte{{0x20, 0x81, 0x88, 0x0b, 0, 0, byte(call >> 8), byte(call) + 1, 0, 0, 0, 1}, {0x20, 0x81}, {}}, osnet.Path{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := r.srv.demux.stray.Load(); n != 4 {
			t.Errorf("%d stray packets, want 4", n)
		}
		if !r.srv.Sessions()[0].Up {
			t.Error("the session did not survive that")
		}
		d.hangUp()
	})
}

// scriptedGRE gives errors and then is closed.
type scriptedGRE struct{ errs []error }

func (g *scriptedGRE) ReadBatch([]osnet.Packet) (int, error) {
	if len(g.errs) == 0 {
		return 0, osnet.ErrClosed
	}
	err := g.errs[0]
	g.errs = g.errs[1:]
	return 0, err
}
func (g *scriptedGRE) WriteBatch([][]byte, osnet.Path) error { return nil }
func (g *scriptedGRE) Close() error                          { return nil }

func TestReadErrors(t *testing.T) {
	var d demux
	icmp := fmt.Errorf("wrapped: %w", &osnet.ICMPError{Type: 3, Code: 2})
	var many []error
	for range 3 * greErrors {
		many = append(many, icmp)
	}
	if err := d.read(&scriptedGRE{many}); err != nil {
		t.Errorf("what routers say ended the server: %v", err)
	}
	broken := errors.New("broken")
	for i := range many {
		many[i] = broken
	}
	if err := d.read(&scriptedGRE{many}); !errors.Is(err, broken) {
		t.Errorf("a broken socket: %v", err)
	}
	if err := d.read(&scriptedGRE{many[:greErrors-1]}); err != nil {
		t.Errorf("a few errors: %v", err)
	}
}
