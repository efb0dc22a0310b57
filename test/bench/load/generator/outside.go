package generator

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Outside is a UDP socket beyond the server: it checks and counts what comes, and
// sends it back where it is told to.
type Outside struct {
	conn   *net.UDPConn
	answer atomic.Bool
	reader sync.WaitGroup

	packets, numbers, octets, bad atomic.Uint64
}

// NewOutside serves conn until Close.
func NewOutside(conn *net.UDPConn) *Outside {
	o := &Outside{conn: conn}
	o.reader.Go(o.read)
	return o
}

// Answer says whether what comes is sent back.
func (o *Outside) Answer(yes bool) { o.answer.Store(yes) }

func (o *Outside) read() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := o.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		_, _, number, ok := ParseMark(buf[:n])
		if !ok {
			o.bad.Add(1)
			continue
		}
		o.packets.Add(1)
		o.numbers.Add(number)
		o.octets.Add(uint64(n) + 28)
		if o.answer.Load() {
			o.conn.WriteToUDPAddrPort(buf[:n], from)
		}
	}
}

// Count returns what came, and how many packets of it were not as they were sent.
func (o *Outside) Count() (c Count, bad uint64) {
	return Count{Packets: o.packets.Load(), Numbers: o.numbers.Load(), Octets: o.octets.Load()}, o.bad.Load()
}

// Send sends packets of size octets (with IP) to sessions: train of them to each in
// turn, at rate packets a second, or as fast as they go where that is 0.
func (o *Outside) Send(to []Target, packets, train, size int, rate float64) Sent {
	var sent Sent
	var buf []byte
	start := time.Now()
	for turn := 0; sent.Packets < uint64(packets); turn++ {
		to := to[turn%len(to)]
		for range min(max(train, 1), packets-int(sent.Packets)) {
			sent.Packets++
			buf = AppendMark(buf[:0], Nobody, to.Session, sent.Packets, max(size, MinSize)-28)
			if _, err := o.conn.WriteToUDPAddrPort(buf, netip.AddrPortFrom(to.Addr, Port)); err == nil {
				sent.Octets += uint64(len(buf) + 28)
				sent.Numbers += sent.Packets
			}
		}
		pace(start, sent.Packets, rate)
	}
	sent.Took = time.Since(start)
	return sent
}

// pace waits until it is time for more than so many packets, at rate a second.
func pace(start time.Time, packets uint64, rate float64) {
	if rate <= 0 {
		return
	}
	due := start.Add(time.Duration(float64(packets) / rate * float64(time.Second)))
	if early := time.Until(due); early > 100*time.Microsecond {
		time.Sleep(early)
	}
}

// Close ends it.
func (o *Outside) Close() {
	o.conn.Close()
	o.reader.Wait()
}
