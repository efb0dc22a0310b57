package tunnel

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/offload"
	"goppptp/internal/osnet/osnettest"
)

// arrived counts what the TUN of an end was given, and wants it in order.
func arrived(t *testing.T, e *end) (n int) {
	t.Helper()
	for last := int64(-1); ; n++ {
		select {
		case p := <-e.tun.Received():
			k := int64(binary.BigEndian.Uint32(p[20:]))
			if k <= last {
				t.Fatalf("packet %d came after %d", k, last)
			}
			last = k
		default:
			return n
		}
	}
}

// A peer that is silent is sent no more than it can hold, as long as it may only
// be slow; nothing is lost, and one that stays silent does not stop the sender.
func TestFlowHoldsBack(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		pass(time.Second) // all is acknowledged
		const latency = 20 * time.Millisecond
		silence := func() { s.gre.Filter(osnettest.Blackhole()) }
		silence()
		const many = 300
		for i := range many {
			c.tun.Inject(packet(uint32(i), 100))
		}
		pass(latency)
		if n := arrived(t, s); n != gre.DefaultSlack {
			t.Fatalf("%d packets came at once, want %d", n, gre.DefaultSlack)
		}
		if waited := c.session.Stats().Waited; waited != 1 {
			t.Errorf("waited %d times, want 1", waited)
		}
		s.gre.Filter(osnettest.Pass())
		pass(5 * time.Second)
		if n := arrived(t, s); n != many-gre.DefaultSlack {
			t.Fatalf("%d more came, want %d", n, many-gre.DefaultSlack)
		}
		if st := s.session.Stats(); st.Lost != 0 || st.Late != 0 {
			t.Errorf("%d lost, %d late", st.Lost, st.Late)
		}
		silence()
		for i := range many {
			c.tun.Inject(packet(uint32(i), 100))
		}
		pass(5 * time.Second)
		if n := arrived(t, s); n != many {
			t.Fatalf("%d of %d packets went to a peer that is silent", n, many)
		}
	})
}

// A session that waits for its peer can end.
func TestFlowEnds(t *testing.T) {
	join(t, clientConfig(), serverConfig(), func(c, s *end) {
		waitUp(t, c, s)
		pass(time.Second)
		s.gre.Filter(osnettest.Blackhole())
		for i := range 300 {
			c.tun.Inject(packet(uint32(i), 100))
		}
		pass(time.Millisecond)
		if c.session.Stats().Waited == 0 {
			t.Fatal("nobody waits")
		}
		c.session.Abort(errTUNGone)
		pass(time.Millisecond)
		if count[Finished](c) != 1 {
			t.Fatalf("not finished: %+v", c.events)
		}
	})
}

func TestFlowAwait(t *testing.T) {
	fill := func(f *flow) {
		f.sent(0)
		f.acked(time.Now(), 0)
		f.sent(gre.DefaultSlack)
		if f.room() != 0 || !f.full() {
			t.Fatal("not full")
		}
	}
	for _, tt := range []struct {
		name string
		do   func(f *flow)
		want bool
	}{
		{"acknowledged", func(f *flow) { f.acked(time.Now(), gre.DefaultSlack) }, true},
		{"acknowledged before", nil, true},
		{"nothing", func(*flow) {}, true},
		{"closed", func(f *flow) { f.close() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(flow)
				for range 3 {
					fill(f)
					if tt.do == nil {
						f.acked(time.Now(), gre.DefaultSlack)
					} else {
						go tt.do(f)
					}
					if got := f.await(); got != tt.want {
						t.Fatalf("await returned %v, want %v", got, tt.want)
					}
					if f.closed {
						return
					}
					synctest.Wait()
					*f = flow{}
				}
			})
		})
	}
}

// What is left of a frame goes out of another scratch as out of its own.
func TestRest(t *testing.T) {
	const size, packets = 1000, 5
	frame := make([]byte, offload.HeaderLen+40+size*packets)
	frame[0], frame[1] = 1, 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4
	binary.NativeEndian.PutUint16(frame[2:], 40)
	binary.NativeEndian.PutUint16(frame[4:], size)
	binary.NativeEndian.PutUint16(frame[6:], 20)
	binary.NativeEndian.PutUint16(frame[8:], 16)
	ip := frame[offload.HeaderLen:]
	ip[0], ip[8], ip[9], ip[32] = 0x45, 64, 6, 0x50
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	for i := 40; i < len(ip); i++ {
		ip[i] = byte(i / 7)
	}
	cut := func(x *scratch, most int) (got [][]byte) {
		for range most {
			b := make([]byte, 1500)
			n, err := x.splitter.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b[:n])
		}
		return got
	}
	load := func() *scratch {
		x := scratches.New().(*scratch)
		if err := x.splitter.Load(x.frame[:copy(x.frame[:], frame)]); err != nil {
			t.Fatal(err)
		}
		return x
	}
	want := cut(load(), packets)

	x, y := load(), load()
	var r rest
	got := cut(x, 2)
	r.keep(x)
	if !x.splitter.Empty() || r.frame == nil {
		t.Fatal("nothing was kept")
	}
	clear(x.frame[:]) // others use it
	r.giveBack(y)
	got = append(got, cut(y, packets-2)...)
	if !slices.EqualFunc(got, want, bytes.Equal) || !y.splitter.Empty() {
		t.Error("the rest of the frame came out otherwise")
	}
	r.keep(y)
	if r.frame != nil {
		t.Error("nothing was left, and yet kept")
	}
}
