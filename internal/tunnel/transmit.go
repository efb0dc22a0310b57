package tunnel

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
	"goppptp/internal/ppp"
)

const (
	// headroom is what may stand before an IP packet that goes out: the GRE
	// header, address and control, protocol, MPPE's header, protocol.
	headroom = gre.MaxHeaderLen + maxPPP + mppe.Overhead + 2
	// ackDelay is how long an acknowledgement waits for a packet to travel
	// on, ackEvery how many packets are received at most without one.
	ackDelay = 100 * time.Millisecond
	ackEvery = 16
	// turnBatches is how many batches are sent before other sessions have their
	// turn.
	turnBatches = 8
	// tunFailures is how many reads in a row may fail before the interface
	// counts as gone: single ones fail for what is in a packet.
	tunFailures = 100
)

// A transmitter is the way out: what it takes to send a packet of a call.
type transmitter struct {
	pump     turn   // moves packets from the TUN to the peer
	ready    func() // wakes it
	failures int    // owned by pump: reads in a row that failed

	mu sync.Mutex // guards the rest, and the order of packets on the wire

	tun       TUN
	seq       *gre.Sender
	mode      mode
	sealer    *mppe.Sealer
	encrypted bool // MPPE has been in force in this session
	acfc, pfc bool
	ipv6      bool
	mtu       int
	outer     uint32 // Config.Outer; 0: none

	acked atomic.Uint64 // 1<<32 | the peer's last acknowledgement; 0: none
}

func (t *transmitter) open(tun TUN, n Network) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tun, t.mtu = tun, n.MTU
}

func (t *transmitter) encryptedOnce() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.encrypted
}

func (s *Session) setLink(l ppp.LinkUp) {
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	s.send.acfc, s.send.pfc = l.SendACFC, l.SendPFC
}

func (s *Session) installSealer(e *mppe.Sealer) {
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	s.send.sealer = e
	if e != nil {
		s.send.encrypted = true
	}
}

func (s *Session) flushSealer() {
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	if s.send.sealer != nil {
		s.send.sealer.Flush()
	}
}

// setMode opens or closes the data path, both ways.
func (s *Session) setMode(m mode) {
	s.send.mu.Lock()
	s.send.mode = m
	s.send.mu.Unlock()
	s.recv.mu.Lock()
	s.recv.mode = m
	if m != modeClosed {
		s.release()
	}
	s.recv.mu.Unlock()
}

func (s *Session) allowIPv6(yes bool) {
	s.send.mu.Lock()
	s.send.ipv6 = yes
	s.send.mu.Unlock()
	s.recv.mu.Lock()
	s.recv.ipv6 = yes
	s.recv.mu.Unlock()
}

// transmit is the pump's work: it sends what the TUN has, some batches of it,
// and then lets others have the processor.
func (s *Session) transmit() {
	t := &s.send
	t.mu.Lock()
	tun, mtu := t.tun, t.mtu
	t.mu.Unlock()
	x := getScratch()
	defer putScratch(x)
	x.slots(headroom + mtu)
	// What a frame was cut into is all sent here: others need the scratch.
	for n := 0; n < turnBatches || !x.splitter.Empty(); n++ {
		err := s.gather(x, tun)
		if len(x.packets) > 0 {
			s.sendPackets(x)
			t.failures = 0
		}
		if err == nil && len(x.packets) == batchSize {
			continue
		}
		if err == nil {
			// There is no more. What comes while we say so wakes us at once.
			if err = tun.WhenReadable(t.ready); err == nil {
				return
			}
		}
		s.stats.tunErrors.Add(1)
		if t.failures++; t.failures >= tunFailures || isGone(err) {
			s.notify(noticeTUN)
			return
		}
	}
	t.pump.wake()
}

// gather fills the slots with packets from the TUN, until there are no more of
// either.
func (s *Session) gather(x *scratch, tun TUN) error {
	x.packets = x.packets[:0]
	for len(x.packets) < batchSize {
		slot := x.slot(len(x.packets))
		n, err := x.splitter.Next(slot[headroom:])
		if err != nil { // larger than the MTU
			s.stats.tunErrors.Add(1)
			continue
		}
		if n > 0 {
			x.packets = append(x.packets, slot[:headroom+n])
			continue
		}
		if n, err = tun.ReadFrame(x.frame[:]); err != nil || n == 0 {
			return err
		}
		if x.splitter.Load(x.frame[:n]) != nil {
			s.stats.tunErrors.Add(1)
		}
	}
	return nil
}

// sendPackets sends the IP packets x.packets[i][headroom:].
func (s *Session) sendPackets(x *scratch) {
	t := &s.send
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode == modeClosed || t.mode == modeEncrypted && t.sealer == nil {
		s.stats.closed.Add(uint64(len(x.packets)))
		return
	}
	x.starts, x.whole = x.starts[:0], x.whole[:0]
	var octets uint64
	for _, p := range x.packets {
		protocol := ppp.ProtocolIP
		if p[headroom]>>4 == 6 {
			protocol = ppp.ProtocolIPv6
		}
		if protocol == ppp.ProtocolIPv6 && !t.ipv6 || t.circles(p[headroom:]) {
			s.stats.closed.Add(1)
			continue
		}
		clampMSS(p[headroom:], t.mtu)
		octets += uint64(len(p) - headroom)
		i := t.putProtocol(p, headroom, protocol)
		if t.mode == modeEncrypted {
			i -= mppe.Overhead
			t.sealer.Queue(&x.engine, p[i:])
			i = t.putProtocol(p, i, ppp.ProtocolMPPE)
		}
		if !t.acfc {
			i -= 2
			p[i], p[i+1] = 0xff, 0x03
		}
		x.starts = append(x.starts, i)
		x.whole = append(x.whole, p)
	}
	x.engine.Run()
	x.batch = x.batch[:0]
	for k, p := range x.whole {
		x.batch = append(x.batch, s.number(p, x.starts[k], k == 0))
	}
	if len(x.batch) == 0 {
		return
	}
	s.stats.txPackets.Add(uint64(len(x.batch)))
	s.stats.txBytes.Add(octets)
	s.hand(x.batch)
}

// circles reports whether an IP packet is one of our own GRE packets, which a
// route has led into the tunnel.
func (t *transmitter) circles(ip []byte) bool {
	const protocolGRE = 47
	return t.outer != 0 && len(ip) >= 20 && ip[0]>>4 == 4 && ip[9] == protocolGRE && binary.BigEndian.Uint32(ip[16:]) == t.outer
}

// putProtocol writes the protocol field before p[i:] and returns where it
// begins.
func (t *transmitter) putProtocol(p []byte, i int, protocol ppp.Protocol) int {
	if t.pfc && protocol < 0x100 {
		p[i-1] = byte(protocol)
		return i - 1
	}
	binary.BigEndian.PutUint16(p[i-2:], uint16(protocol))
	return i - 2
}

// number puts a GRE header with the next sequence number before the PPP frame
// p[i:] and returns the packet. t.mu is held.
func (s *Session) number(p []byte, i int, withAck bool) []byte {
	var ack uint32
	var ok bool
	if withAck {
		ack, ok = s.acks.take()
	}
	h := s.send.seq.Next(ack, ok)
	length := len(p) - i
	i -= h.Len()
	h.Put(p[i:], length)
	return p[i:]
}

// hand gives GRE packets to the socket. t.mu is held.
func (s *Session) hand(batch [][]byte) {
	if a := s.send.acked.Swap(0); a != 0 {
		s.send.seq.Acked(uint32(a))
	}
	if err := s.cfg.Send(batch); err != nil {
		s.stats.sendErrors.Add(1)
		if s.sendErr.Swap(&err) == nil {
			s.cfg.Log.Warn("cannot send to the peer", "error", err)
		}
	}
}

// sendFrame sends a PPP frame of a control protocol.
func (s *Session) sendFrame(frame []byte) {
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	p := append(make([]byte, gre.MaxHeaderLen, gre.MaxHeaderLen+len(frame)), frame...)
	s.hand([][]byte{s.number(p, gre.MaxHeaderLen, true)})
}

// acknowledge sends an acknowledgement on its own if one is due.
func (s *Session) acknowledge(now time.Time) {
	if s.acks.expired(now) {
		s.sendAck()
	}
}

// acknowledgeMany sends one if many packets have come without.
func (s *Session) acknowledgeMany(now time.Time) {
	many, arm := s.acks.check(now)
	if many {
		s.sendAck()
	} else if arm {
		s.notify(noticeAck)
	}
}

func (s *Session) sendAck() {
	t := &s.send
	t.mu.Lock()
	defer t.mu.Unlock()
	ack, ok := s.acks.take()
	if !ok {
		return
	}
	x := getScratch()
	defer putScratch(x)
	h := t.seq.AckOnly(ack)
	p := x.slot(0)
	x.batch = append(x.batch[:0], p[:h.Put(p, 0)])
	s.hand(x.batch)
}

// ackState is what the way in leaves for the way out to acknowledge.
type ackState struct {
	mu     sync.Mutex // guards the rest; may be taken while holding the others
	policy gre.Acks
	many   bool      // enough has come to say so at once
	armed  time.Time // when the loop looks; zero: it does not
	waits  bool
}

func (a *ackState) received(now time.Time, seq uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.policy.Received(now, seq) {
		a.many = true
	}
	a.waits = true
}

// check reports after a batch whether to acknowledge at once, or else whether
// the loop's timer is to be armed. While it is armed the loop need not be told
// of more.
func (a *ackState) check(now time.Time) (many, arm bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.many {
		return true, false
	}
	if a.waits && a.armed.IsZero() {
		a.armed = now.Add(a.policy.Delay)
		return false, true
	}
	return false, false
}

func (a *ackState) take() (uint32, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.many, a.waits = false, false
	return a.policy.Take()
}

func (a *ackState) deadline() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.armed
}

// expired disarms a timer that has run out and reports whether it had.
func (a *ackState) expired(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.armed.IsZero() || now.Before(a.armed) {
		return false
	}
	a.armed = time.Time{}
	return true
}
