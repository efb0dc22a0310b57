package gre

import (
	"math/rand/v2"
	"testing"
	"time"
)

const (
	µs = time.Microsecond
	ms = time.Millisecond
)

// TestSendWindow tries a window on peers and ways of many kinds: none of their
// queues overflows, and as much gets through as the peer can take. pptp-linux and
// pptpd acknowledge with what they send, and when they have read all; room is
// that of their sockets.
func TestSendWindow(t *testing.T) {
	for _, tt := range []struct {
		name  string
		world world
		warm  time.Duration // before anything counts
		least float64       // share of the rate, or of what is offered, that gets through
		waits time.Duration // the most that the sender may wait in 10 s; 0: no matter
	}{
		{name: "near and slow, one way", world: world{way: 200 * µs, rate: 2500, room: 92, drained: true}, least: 0.95},
		{name: "with little room", world: world{way: 200 * µs, rate: 2500, room: 46, drained: true}, least: 0.95},
		{name: "with traffic both ways", world: world{way: 200 * µs, rate: 2500, room: 46, every: 2, drained: true}, least: 0.99},
		{name: "reads in gulps", world: world{way: 200 * µs, rate: 5000, gulp: 40, room: 46, every: 2, drained: true}, least: 0.95},
		{name: "reads in large gulps", world: world{way: 200 * µs, rate: 5000, gulp: 150, room: 46, drained: true}, least: 0.9},
		{name: "very slow", world: world{way: 5 * ms, rate: 300, room: 46, drained: true}, least: 0.9},
		{name: "far and slow", world: world{way: 25 * ms, rate: 2500, room: 92, every: 2, drained: true}, least: 0.95},
		{name: "near and fast", world: world{way: 150 * µs, rate: 90_000, room: 92, every: 2}, least: 0.95},
		{name: "near and fast, believed", world: world{w: SendWindow{Slack: 1024}, way: 150 * µs, rate: 90_000, room: 2000, every: 16, delay: 100 * ms}, least: 0.99},
		{name: "far and fast", world: world{way: 25 * ms, rate: 45_000, room: 1000, every: 16, delay: 100 * ms}, warm: 3 * time.Second, least: 0.99},
		{name: "very far", world: world{way: 150 * ms, rate: 10_000, room: 2000, every: 2}, warm: 8 * time.Second, least: 0.95},
		{name: "very far, believed", world: world{w: SendWindow{Slack: 1024}, way: 150 * ms, rate: 10_000, room: 2000, every: 16, delay: 100 * ms}, warm: 4 * time.Second, least: 0.99},
		{name: "never acknowledges", world: world{way: 5 * ms, rate: 20_000, room: 1 << 20, offered: 18_000}, least: 0.99, waits: 1},
		{name: "acknowledges twice a second", world: world{way: 5 * ms, rate: 20_000, room: 1 << 20, delay: 500 * ms, offered: 18_000}, least: 0.95, waits: 2 * time.Second},
		{name: "acknowledges every 50 ms", world: world{way: 5 * ms, rate: 20_000, room: 1 << 20, delay: 50 * ms, offered: 5_000}, warm: 10 * time.Second, least: 0.99, waits: 300 * ms},
		{name: "acknowledges every 50 ms, and much to send", world: world{way: 5 * ms, rate: 20_000, room: 1 << 20, delay: 50 * ms}, warm: 10 * time.Second, least: 0.9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.world
			o.start()
			o.run(tt.warm)
			before := o.String()
			dropped := o.dropped
			o.delivered, o.longest, o.waits, o.waited = 0, 0, 0, 0
			o.run(10 * time.Second)
			t.Logf("before: %s\nthen: %s", before, &o)
			rate := o.rate
			if o.offered > 0 {
				rate = o.offered
			}
			if got := float64(o.delivered) / 10 / float64(rate); got < tt.least {
				t.Errorf("%.3f of the rate gets through, want %.3f", got, tt.least)
			}
			if dropped+o.dropped > 0 {
				t.Errorf("%d packets were dropped, %d of them at first", dropped+o.dropped, dropped)
			}
			if tt.waits > 0 && o.waited > tt.waits {
				t.Errorf("the sender waited for %v, want %v at most", o.waited, tt.waits)
			}
		})
	}
}

// TestNoWindow shows that the simulated peers are overrun without a window.
func TestNoWindow(t *testing.T) {
	o := world{way: 200 * µs, rate: 2500, room: 92, drained: true}
	o.w.Slack = 200
	o.start()
	o.run(time.Second)
	if o.dropped == 0 {
		t.Error("nothing was dropped")
	}
}

// A windowScript drives a window by hand.
type windowScript struct {
	*testing.T
	w    SendWindow
	now  time.Time
	next uint32
}

func (s *windowScript) send(n int) {
	s.next += uint32(n)
	if s.w.Sent(s.next - 1) {
		s.w.Mark(s.now)
	}
}

func (s *windowScript) want(allowance int) {
	s.Helper()
	if got := s.w.Allowance(); got != allowance {
		s.Fatalf("after %d packets, %v: allowance %d, want %d", s.next, s.now.Sub(epoch), got, allowance)
	}
}

func (s *windowScript) wait() {
	s.Helper()
	s.want(0)
	if !s.w.Wait(s.now) || s.w.Deadline().IsZero() {
		s.Fatalf("after %d packets: nothing to wait for", s.next)
	}
}

func (s *windowScript) acked(ack uint32, goOn bool) {
	s.Helper()
	if got := s.w.Acked(s.now, ack); got != goOn {
		s.Fatalf("Acked(%d) after %d packets = %v", ack, s.next, got)
	}
}

// opened is a window whose peer has acknowledged a packet.
func opened(t *testing.T) *windowScript {
	s := &windowScript{T: t, now: epoch}
	s.send(1)
	s.now = s.now.Add(ms)
	s.acked(0, false)
	return s
}

func TestSendWindowFills(t *testing.T) {
	s := &windowScript{T: t, now: epoch}
	s.want(Unlimited)
	s.send(100)
	s.want(Unlimited) // nothing says that this peer acknowledges at all
	s.acked(100, false)
	s.want(Unlimited) // nor this: nobody sent that packet
	s.acked(99, false)
	s.want(DefaultSlack)
	s.send(DefaultSlack - 1)
	s.want(1)
	s.send(40) // more than it may
	s.wait()
	s.acked(99, false) // again
	s.acked(140, false)
	s.acked(150, true)
	s.want(DefaultSlack - 12)
	s.acked(50, false)
	s.acked(162, false) // nobody waits any more
	s.want(DefaultSlack)
}

func TestSendWindowGoesOnWithoutAnswer(t *testing.T) {
	s := opened(t)
	truce := firstTruce
	for range 10 {
		for range missesAllowed + 1 {
			s.send(s.w.Allowance())
			s.wait()
			s.now = s.w.Deadline().Add(-1)
			s.w.Advance(s.now)
			s.want(0)
			s.now = s.now.Add(1)
			s.w.Advance(s.now)
		}
		s.want(Unlimited)
		s.send(1000)
		s.now = s.now.Add(truce - 1)
		s.acked(s.next-1, false)
		s.want(Unlimited)
		s.send(1000)
		s.now = s.now.Add(1)
		s.acked(s.next-1, false)
		s.want(DefaultSlack)
		truce = min(2*truce, maxTruce)
	}
	// All is forgiven.
	for i := 0; s.w.truceLen > 0; i++ {
		if i > 100*forgivenAfter {
			t.Fatal("never forgiven")
		}
		s.send(s.w.Allowance())
		s.wait()
		s.now = s.now.Add(20 * ms)
		s.acked(s.next-1, true)
	}
}

// An acknowledgment of what the sender has given up waiting for is one all the same.
func TestSendWindowLateAcknowledgment(t *testing.T) {
	s := opened(t)
	for range 3 * missesAllowed {
		s.send(s.w.Allowance())
		late := s.next - 1
		s.wait()
		s.now = s.w.Deadline()
		s.w.Advance(s.now)
		s.want(DefaultSlack)
		s.acked(late, false)
	}
}

// A peer that falls silent is one that was overrun, perhaps: what trials have
// gained is given up.
func TestSendWindowForgetsGains(t *testing.T) {
	o := world{way: 5 * ms, rate: 20_000, room: 1 << 20, delay: 50 * ms}
	o.start()
	o.run(5 * time.Second)
	s := &windowScript{T: t, w: o.w, now: o.time(), next: o.next}
	if s.w.slack < 2*DefaultSlack {
		t.Fatalf("the slack has grown to %d only", s.w.slack)
	}
	for !s.w.full {
		s.send(max(s.w.Allowance(), 1))
		s.w.Wait(s.now)
	}
	s.now = s.w.Deadline()
	s.w.Advance(s.now)
	if s.w.slack != DefaultSlack || s.w.Allowance() > s.w.fits() {
		t.Errorf("slack %d, want %d; allowance %d", s.w.slack, DefaultSlack, s.w.Allowance())
	}
}

// On a long way a window is spread over the round trip.
func TestSendWindowSpreads(t *testing.T) {
	o := world{way: 25 * ms, rate: 20_000, room: 1000, every: 2}
	o.start()
	o.run(5 * time.Second)
	s := &windowScript{T: t, w: o.w, now: o.time(), next: o.next}
	s.acked(s.next-1, s.w.full)
	most := 0
	for range slots {
		if s.w.Allowance() == 0 && s.w.Wait(s.now) {
			if s.w.full {
				break
			}
			s.now = s.w.Deadline()
			s.w.Advance(s.now)
		}
		n := s.w.Allowance()
		most = max(most, n)
		s.send(n)
	}
	if most > o.w.size/4 || o.w.size < 900 {
		t.Errorf("%d packets at once, of a window of %d", most, o.w.size)
	}
}

func TestSendWindowDoesNotAllocate(t *testing.T) {
	s := opened(t)
	if n := testing.AllocsPerRun(1000, func() {
		s.send(min(s.w.Allowance(), 64))
		if s.w.Allowance() == 0 && s.w.Wait(s.now) {
			s.now = s.now.Add(ms)
			s.w.Acked(s.now, s.next-1)
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

// FuzzSendWindow does what a sender and a peer could do, however unlikely: the
// sender never waits for nothing, and the numbers stay sound.
func FuzzSendWindow(f *testing.F) {
	for seed := range uint64(4) {
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(rand.New(rand.NewPCG(seed, uint64(i))).Uint32())
		}
		f.Add(b, uint16(seed*20), uint32(seed)<<30)
	}
	f.Fuzz(func(t *testing.T, b []byte, slack uint16, first uint32) {
		w := SendWindow{Slack: int(slack)}
		now, next := epoch, uint32(0)
		skip := func(n uint32) { // to where the numbers wrap around
			next += n
			w.Sent(next - 1)
			w.Acked(now, next-1)
		}
		skip(first/2 + 1)
		skip(first/2 + 1)
		for len(b) >= 2 {
			op, n := b[0]%8, int(b[1])
			b = b[2:]
			switch op {
			case 0, 1:
				next += uint32(min(n+1, max(w.Allowance(), 1)))
				if w.Sent(next - 1) {
					w.Mark(now)
				}
			case 2:
				now = now.Add(time.Duration(n) * ms)
			case 3:
				now = now.Add(time.Duration(n) * 10 * µs)
			case 4:
				w.Acked(now, next-1-uint32(n))
			case 5:
				w.Acked(now, next-1)
			case 6:
				if w.Allowance() > 0 {
					break
				}
				if waits := w.Wait(now); waits == w.Deadline().IsZero() || waits != (w.Allowance() == 0) {
					t.Fatalf("Wait is %v, the deadline %v, the allowance %d", waits, w.Deadline(), w.Allowance())
				}
			case 7:
				if d := w.Deadline(); !d.IsZero() {
					if wait := d.Sub(now); wait > maxPatience {
						t.Fatalf("the sender is to wait for %v", wait)
					}
					now = maxTime(now, d)
					w.Advance(now)
					if w.Allowance() == 0 {
						t.Fatal("no allowance after the deadline")
					}
				}
			}
			if w.Allowance() < 0 || w.size < w.slack || w.slack < w.Slack || w.size > 2*maxSize || w.queued > w.looked {
				t.Fatalf("allowance %d, %+v", w.Allowance(), w)
			}
		}
	})
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func BenchmarkSendWindow(b *testing.B) {
	o := world{way: 25 * ms, rate: 20_000, room: 1000, every: 2}
	o.start()
	o.run(3 * time.Second)
	w, now, next := o.w, o.time(), o.next
	for b.Loop() {
		if w.Allowance() == 0 && w.Wait(now) {
			now = w.Deadline()
			w.Acked(now, next-1)
			w.Advance(now)
		}
		next += 32
		if w.Sent(next - 1) {
			w.Mark(now)
		}
		w.Acked(now, next-16)
	}
}
