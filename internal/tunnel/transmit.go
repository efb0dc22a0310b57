package tunnel

import (
	"encoding/binary"
	"errors"
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
	// lingerTime is how long the pump of a TUN that packets come from waits for
	// the next ones, before it goes to sleep.
	lingerTime = 100 * time.Millisecond
	// tunFailures is how many reads in a row may fail before the interface
	// counts as gone: single ones fail for what is in a packet.
	tunFailures = 100
)

// A transmitter is the way out: what it takes to send a packet of a call.
type transmitter struct {
	pump     turn      // moves packets from the TUN to the peer
	stay     turn      // does so while they keep coming
	ready    func()    // wakes it
	failures int       // owned by pump: reads in a row that failed
	woken    time.Time // owned by pump: when it was, last
	slack    int       // what the peer says that it holds, packets

	// What the peer can take; nil until the first packet of the TUN: it is large,
	// and a session without traffic needs none.
	flow  atomic.Pointer[flow]
	acked atomic.Uint64 // 1<<32 | the last acknowledgement before there was one; 0: none

	tun TUN // set before pump is first woken, as mtu
	mtu int

	mu sync.Mutex // guards the rest, and the order of packets on the wire

	seq       *gre.Sender
	closed    bool // the session is over
	mode      mode
	sealer    *mppe.Sealer
	encrypted bool // MPPE has been in force in this session
	acfc, pfc bool
	ipv6      bool
	outer     uint32 // Config.Outer; 0: none
	share     share
}

func (t *transmitter) open(tun TUN, mtu int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tun, t.mtu = tun, mtu
}

func (t *transmitter) encryptedOnce() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.encrypted
}

// flowLocked makes the flow if there is none; it knows of what went before.
func (t *transmitter) flowLocked() *flow {
	f := t.flow.Load()
	if f == nil {
		f = &flow{closed: t.closed}
		f.window.Slack = t.slack
		if ack := t.acked.Load(); ack != 0 {
			f.sent(t.seq.Last())
			f.acked(time.Now(), uint32(ack))
		}
		t.flow.Store(f)
	}
	return f
}

// heard takes an acknowledgement.
func (t *transmitter) heard(now time.Time, ack uint32) {
	if f := t.flow.Load(); f != nil {
		f.acked(now, ack)
	} else {
		t.acked.Store(1<<32 | uint64(ack))
	}
}

// close has nobody wait for the peer any more.
func (t *transmitter) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if f := t.flow.Load(); f != nil {
		f.close()
	}
}

// waited is how often the peer could take no more.
func (t *transmitter) waited() uint64 {
	if f := t.flow.Load(); f != nil {
		return f.waited()
	}
	return 0
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

// transmit is the pump's work: it sends what the TUN has. If it was called not
// long ago there will be more soon.
func (s *Session) transmit() {
	t := &s.send
	now := time.Now()
	busy := now.Sub(t.woken) < lingerTime
	t.woken = now
	if busy {
		t.stay.wake()
	} else {
		s.endTurn(s.sendAll())
	}
}

// linger is the work of stay: it sends what the TUN has and the peer can take,
// and waits for more, so that packets find somebody awake, until none have come
// for a while.
func (s *Session) linger() {
	for {
		err := s.sendAll()
		if err == errFull {
			if s.send.flow.Load().await() {
				continue
			}
			return
		}
		if err == nil {
			var more bool
			if more, err = s.send.tun.Linger(lingerTime); more {
				continue
			}
		}
		s.endTurn(err)
		return
	}
}

// endTurn ends a turn of pump or stay, in which reading gave err: the next
// packet wakes the pump.
func (s *Session) endTurn(err error) {
	t := &s.send
	for {
		if err == errFull { // a worker does not wait, stay does
			t.stay.wake()
			return
		}
		if err == nil {
			// What comes while we say so wakes us at once.
			if err = t.tun.WhenReadable(t.ready); err == nil {
				return
			}
		}
		s.stats.tunErrors.Add(1)
		if t.failures++; t.failures >= tunFailures || isGone(err) {
			s.notify(noticeTUN)
			return
		}
		err = s.sendAll()
	}
}

// errFull: there is no room for what the TUN has.
var errFull = errors.New("the peer can take no more packets")

// sendAll sends packets from the TUN until it has no more. Besides the TUN's
// error there is errFull.
func (s *Session) sendAll() error {
	t := &s.send
	x := getScratch()
	defer putScratch(x)
	if f := t.flow.Load(); f != nil {
		f.rest.giveBack(x)
	}
	for {
		most := gre.DefaultSlack // of the very first
		if f := t.flow.Load(); f != nil {
			if most = min(f.room(), batchSize); most == 0 {
				if f.full() {
					f.rest.keep(x)
					return errFull
				}
				continue
			}
		}
		l := getLoad(headroom + t.mtu)
		err := s.gather(l, x, t.tun, most)
		full := len(l.packets) == most
		if len(l.packets) > 0 {
			t.failures = 0
		}
		s.sendPackets(l, x)
		if err != nil || !full {
			return err
		}
	}
}

// gather fills slots with packets from the TUN, at most so many.
func (s *Session) gather(l *load, x *scratch, tun TUN, most int) error {
	for len(l.packets) < most {
		slot := l.slot(len(l.packets))
		n, err := x.splitter.Next(slot[headroom:])
		if err != nil { // larger than the MTU
			s.stats.tunErrors.Add(1)
			continue
		}
		if n > 0 {
			l.packets = append(l.packets, slot[:headroom+n])
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

// sendPackets sends the IP packets l.packets[i][headroom:].
func (s *Session) sendPackets(l *load, x *scratch) {
	t := &s.send
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode == modeClosed || t.mode == modeEncrypted && t.sealer == nil {
		s.stats.closed.Add(uint64(len(l.packets)))
		putLoad(l)
		return
	}
	l.starts, l.whole = l.starts[:0], l.whole[:0]
	var octets uint64
	for _, p := range l.packets {
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
		l.starts = append(l.starts, i)
		l.whole = append(l.whole, p)
	}
	x.engine.Run()
	for k, p := range l.whole {
		l.batch = append(l.batch, s.number(p, l.starts[k], k == 0))
	}
	if len(l.batch) == 0 {
		putLoad(l)
		return
	}
	s.stats.txPackets.Add(uint64(len(l.batch)))
	s.stats.txBytes.Add(octets)
	t.share.add(octets)
	t.flowLocked().sent(t.seq.Last())
	s.hand(l)
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
