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
	// tunFailures is how many reads in a row may fail before the interface
	// counts as gone: single ones fail for what is in a packet.
	tunFailures = 100
)

// A transmitter is the way out: what it takes to send a packet of a call.
type transmitter struct {
	mu sync.Mutex // guards the rest, and the order of packets on the wire

	seq       *gre.Sender
	mode      mode
	sealer    *mppe.Sealer
	encrypted bool // MPPE has been in force in this session
	acfc, pfc bool
	ipv6      bool
	mtu       int
	outer     uint32   // Config.Outer; 0: none
	batch     [][]byte // GRE packets
	sealed    [][]byte // the part of each that is encrypted
	starts    []int
	whole     [][]byte
	frame     []byte // a control frame

	acked atomic.Uint64 // 1<<32 | the peer's last acknowledgement; 0: none
}

func (t *transmitter) open(n Network) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mtu = n.MTU
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

// transmit is the pump from the TUN to the peer.
func (s *Session) transmit(t TUN) {
	n := t.BatchSize()
	bufs, sizes := make([][]byte, n), make([]int, n)
	for i := range bufs {
		bufs[i] = make([]byte, headroom+s.network.MTU+128)
	}
	for failures := 0; failures < tunFailures; {
		n, err := t.Read(bufs, sizes, headroom)
		if n > 0 {
			s.sendPackets(bufs[:n], sizes[:n])
			failures = 0
		}
		if isGone(err) {
			break
		}
		if err != nil { // of one packet, as one too large to be segmented
			s.stats.tunErrors.Add(1)
			failures++
		}
	}
	s.notify(noticeTUN)
}

// sendPackets sends the IP packets bufs[i][headroom:][:sizes[i]].
func (s *Session) sendPackets(bufs [][]byte, sizes []int) {
	t := &s.send
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode == modeClosed || t.mode == modeEncrypted && t.sealer == nil {
		s.stats.closed.Add(uint64(len(bufs)))
		return
	}
	t.sealed, t.starts, t.whole = t.sealed[:0], t.starts[:0], t.whole[:0]
	var octets uint64
	for k, buf := range bufs {
		p := buf[:headroom+sizes[k]]
		protocol := ppp.ProtocolIP
		if len(p) > headroom && p[headroom]>>4 == 6 {
			protocol = ppp.ProtocolIPv6
		}
		if len(p) == headroom || protocol == ppp.ProtocolIPv6 && !t.ipv6 || t.circles(p[headroom:]) {
			s.stats.closed.Add(1)
			continue
		}
		clampMSS(p[headroom:], t.mtu)
		i := t.putProtocol(p, headroom, protocol)
		if t.mode == modeEncrypted {
			i -= mppe.Overhead
			t.sealed = append(t.sealed, p[i:])
			i = t.putProtocol(p, i, ppp.ProtocolMPPE)
		}
		if !t.acfc {
			i -= 2
			p[i], p[i+1] = 0xff, 0x03
		}
		t.starts = append(t.starts, i)
		t.whole = append(t.whole, p)
		octets += uint64(sizes[k])
	}
	if t.mode == modeEncrypted {
		t.sealer.SealBatch(t.sealed)
	}
	t.batch = t.batch[:0]
	for k, p := range t.whole {
		t.batch = append(t.batch, s.number(p, t.starts[k], k == 0))
	}
	if len(t.batch) == 0 {
		return
	}
	s.stats.txPackets.Add(uint64(len(t.batch)))
	s.stats.txBytes.Add(octets)
	s.hand(t.batch)
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
	t := &s.send
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frame = append(t.frame[:0], make([]byte, gre.MaxHeaderLen)...)
	t.frame = append(t.frame, frame...)
	s.hand(append(t.batch[:0], s.number(t.frame, gre.MaxHeaderLen, true)))
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
	h := t.seq.AckOnly(ack)
	t.frame = append(t.frame[:0], make([]byte, gre.MaxHeaderLen)...)
	s.hand(append(t.batch[:0], t.frame[:h.Put(t.frame, 0)]))
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
