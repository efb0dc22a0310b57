package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"goppptp/test/bench/figures"
)

const (
	udpSize     = 1300                   // octets of a datagram's data
	udpBatch    = 64                     // datagrams a system call
	udpTick     = 250 * time.Microsecond // the sender sends what is due that often
	udpLate     = 2 * time.Millisecond   // of what is due, no more is made up for
	udpLoss     = 0.001                  // less is no loss
	udpHopeless = 0.05                   // more is not worth another try
	udpShort    = 0.97                   // less than this share of the rate was not sent: not a trial of that rate
	udpTries    = 3                      // a rate at which one of them loses nothing is good
	udpDrain    = 100 * time.Millisecond // without a packet: no more will come
	udpBuffer   = 16 << 20               // of the receiver: it is not the one that shall lose
	udpSlowest  = 1000.0                 // packets a second
	udpStep     = 1.05                   // between rates
	udpSteps    = 144                    // 1.1 million packets a second
	udpStride   = 16                     // steps at a time, at first: 2.2 times the rate
)

// udpAgain are steps above the highest good rate that are tried once more.
var udpAgain = []int{1, 3, 8}

// measureUDP looks for the highest rate at which datagrams come through.
func measureUDP(down bool) func(context.Context, *bench, *site) ([]reading, error) {
	key, name := "udp-up", "up"
	if down {
		key, name = "udp-down", "down"
	}
	return func(ctx context.Context, b *bench, s *site) ([]reading, error) {
		from, to, at := s.a, s.b, s.at
		if down {
			from, to, at = s.b, s.a, s.atClient
		}
		r, err := newReceiver(to)
		if err != nil {
			return nil, err
		}
		defer r.close()
		tx, err := newSender(from, netip.AddrPortFrom(at, r.port))
		if err != nil {
			return nil, err
		}
		defer tx.close()
		rate, err := highestRate(ctx, func(ctx context.Context, rate float64) (trial, error) { return try(ctx, tx, r, rate, b.trial) })
		if err != nil {
			return nil, err
		}
		m := func(key, name, unit string) figures.Measure {
			return figures.Measure{Key: key, Name: name, Unit: unit, Group: groupUDP, Higher: true}
		}
		return []reading{
			{m(key, name, "packets/s"), rate},
			{m(key+"-bits", name, "Mbit/s"), rate * udpSize * 8 / 1e6},
		}, nil
	}
}

// A trial is what became of datagrams that were sent at some rate.
type trial struct {
	sent, received int
	rate           float64 // what was really sent, packets a second
}

// good tells whether the trial shows that the rate comes through.
func (t trial) good(rate float64) bool {
	return t.sent > 0 && t.rate >= rate*udpShort && float64(t.sent-t.received) < udpLoss*float64(t.sent)
}

// highestRate looks for the highest rate at which a trial is good. It goes up in
// large steps and then bisects; and because a machine that is busy with
// something else for a moment loses packets at any rate, it looks again above
// what it has found.
func highestRate(ctx context.Context, try func(context.Context, float64) (trial, error)) (float64, error) {
	best := 0.0
	good := func(step int) (bool, error) {
		rate := udpSlowest * math.Pow(udpStep, float64(step))
		for range udpTries {
			if ctx.Err() != nil {
				return false, context.Cause(ctx)
			}
			t, err := try(ctx, rate)
			if err != nil {
				return false, err
			}
			if t.good(rate) {
				best = max(best, t.rate)
				return true, nil
			}
			if float64(t.received) < (1-udpHopeless)*float64(t.sent) {
				break
			}
		}
		return false, nil
	}
	low, stride := -1, udpStride // low is good, or -1
	for stride > 0 {
		step := low + stride
		if step >= udpSteps {
			stride /= 2
			continue
		}
		ok, err := good(step)
		if err != nil {
			return 0, err
		}
		if ok {
			low = step
		} else {
			stride /= 2
		}
	}
	for again := 0; again < len(udpAgain); again++ {
		step := low + udpAgain[again]
		if step >= udpSteps {
			break
		}
		ok, err := good(step)
		if err != nil {
			return 0, err
		}
		if ok {
			low, again = step, -1
		}
	}
	if low < 0 {
		return 0, errors.New("datagrams are lost at any rate")
	}
	return best, nil
}

// try sends at a rate for a while, and waits until no more comes.
func try(ctx context.Context, tx *sender, r *receiver, rate float64, length time.Duration) (trial, error) {
	tx.round++
	r.begin(tx.round)
	var t trial
	var err error
	if t.sent, t.rate, err = tx.send(ctx, rate, length); err != nil {
		return t, err
	}
	for last, since := -1, time.Now(); r.count() < t.sent && time.Since(since) < udpDrain; {
		if n := r.count(); n != last {
			last, since = n, time.Now()
		}
		select {
		case <-ctx.Done():
			return t, context.Cause(ctx)
		case <-time.After(udpDrain / 20):
		}
	}
	t.received = r.count()
	return t, nil
}

// A receiver counts the datagrams of a trial.
type receiver struct {
	conn     *net.UDPConn
	port     uint16
	round    atomic.Uint32
	received atomic.Int64
	done     chan struct{}
}

func newReceiver(h *host) (*receiver, error) {
	r := &receiver{done: make(chan struct{})}
	err := h.do(func() (err error) {
		r.conn, err = net.ListenUDP("udp4", &net.UDPAddr{})
		return err
	})
	if err != nil {
		return nil, err
	}
	r.port = r.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	if err := control(r.conn, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, udpBuffer)
	}); err != nil {
		r.conn.Close()
		return nil, err
	}
	go r.run()
	return r, nil
}

func (r *receiver) run() {
	defer close(r.done)
	conn := ipv4.NewPacketConn(r.conn)
	batch := datagrams(udpBatch)
	for {
		n, err := conn.ReadBatch(batch, 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		round, count := r.round.Load(), int64(0)
		for _, m := range batch[:max(n, 0)] {
			if m.N == udpSize && binary.BigEndian.Uint32(m.Buffers[0]) == round {
				count++
			}
		}
		r.received.Add(count)
	}
}

// begin starts to count those of a round.
func (r *receiver) begin(round uint32) {
	r.round.Store(round)
	r.received.Store(0)
}

func (r *receiver) count() int { return int(r.received.Load()) }

func (r *receiver) close() {
	r.conn.Close()
	<-r.done
}

// A sender sends datagrams at a rate.
type sender struct {
	conn  *net.UDPConn
	round uint32
}

func newSender(h *host, to netip.AddrPort) (*sender, error) {
	s := &sender{}
	err := h.do(func() (err error) {
		s.conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
		return err
	})
	return s, err
}

func (s *sender) close() { s.conn.Close() }

// send sends for a while, what is due at every tick; a tick that comes late
// makes up for no more than udpLate. Its thread goes before all others, as a
// source that is another machine would: else the tunnel that takes more CPU time
// would be sent less. It sleeps in the system call, because the runtime's timers
// are no finer than a millisecond.
func (s *sender) send(ctx context.Context, rate float64, length time.Duration) (sent int, really float64, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	back, err := goFirst()
	if err != nil {
		return 0, 0, err
	}
	defer back()
	conn := ipv4.NewPacketConn(s.conn)
	batch := datagrams(udpBatch)
	for _, m := range batch {
		binary.BigEndian.PutUint32(m.Buffers[0], s.round)
	}
	most := math.Max(1, rate*udpLate.Seconds())
	start := time.Now()
	owed, at := 0.0, start
	for {
		now := time.Now()
		if now.Sub(start) >= length || ctx.Err() != nil {
			break
		}
		owed = math.Min(owed+rate*now.Sub(at).Seconds(), most)
		at = now
		for owed >= 1 {
			n, err := conn.WriteBatch(batch[:min(len(batch), int(owed))], 0)
			if err != nil && !errors.Is(err, unix.ENOBUFS) {
				return sent, 0, fmt.Errorf("send: %w", err)
			}
			if n <= 0 {
				break
			}
			sent += n
			owed -= float64(n)
		}
		pause := unix.NsecToTimespec(udpTick.Nanoseconds())
		unix.Nanosleep(&pause, nil)
	}
	return sent, float64(sent) / time.Since(start).Seconds(), context.Cause(ctx)
}

// goFirst gives the calling thread real-time priority until back is called.
func goFirst() (back func(), err error) {
	const fifo = 1 // SCHED_FIFO of linux/sched.h
	old, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return nil, fmt.Errorf("sched_getattr: %w", err)
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: fifo, Priority: 1}, 0); err != nil {
		return nil, fmt.Errorf("sched_setattr: %w", err)
	}
	return func() { unix.SchedSetAttr(0, old, 0) }, nil
}

// datagrams makes room for some.
func datagrams(n int) []ipv4.Message {
	batch := make([]ipv4.Message, n)
	for i := range batch {
		batch[i].Buffers = [][]byte{make([]byte, udpSize)}
	}
	return batch
}

// control runs f with a connection's descriptor.
func control(conn *net.UDPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", inner)
}
