package tunnel

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
	"goppptp/internal/ppp"
)

const (
	// nonsenseLimit is how many decrypted packets in a row may make no sense
	// before encryption is negotiated anew.
	nonsenseLimit = 8
	// reorderMax and reorderWait bound what is held back in stateful mode,
	// where a packet is of use only in its turn. Waiting long is of no use: what
	// follows a packet that is really lost cannot be decrypted, and the sooner
	// the peer is asked to begin anew the less of that there is.
	reorderMax  = 32
	reorderWait = 20 * time.Millisecond
)

// earlyMax is how many packets are kept that came before the tunnel was open.
const earlyMax = 32

// A mode says what the data path carries.
type mode uint8

const (
	modeClosed    mode = iota // no data
	modeClear                 // IP packets in clear
	modeEncrypted             // MPPE packets alone
)

// A receiver is the way in: what Receive needs.
type receiver struct {
	mu sync.Mutex // guards the rest

	seq      gre.Receiver
	mode     mode
	opener   *mppe.Opener
	queue    *gre.Queue                 // stateful MPPE: puts packets back in order; else nil
	tun      TUN                        // nil: not open
	write    func(parts [][]byte) error // tun's
	mtu      int
	joinTCP  bool // the TUN takes segments joined
	joinUDP  bool
	ipv6     bool
	share    share
	octets   uint64 // not in share yet
	nonsense int    // decrypted packets in a row that made no sense

	// The peer may be done with IPCP before we are, and its first packets
	// overtake the last frame of it on the way through our loop.
	holding bool     // authenticated, and not open yet: data waits
	early   [][]byte // GRE packets that wait

	desk   turn // takes what Hand left
	handed mailbox[handed]
}

func (r *receiver) open(t TUN, mtu int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tun, r.write, r.mtu = t, t.WriteFrame, mtu
	r.joinTCP, r.joinUDP = t.Offload()
}

// scratch returns room to work in. r.mu is held.
func (r *receiver) scratch() *scratch {
	x := getScratch()
	x.joiner.TCP, x.joiner.UDP = r.joinTCP, r.joinUDP
	return x
}

func (r *receiver) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tun, r.mode, r.holding, r.early = nil, modeClosed, false, nil
}

// hold has data that comes from now on wait until the tunnel opens.
func (r *receiver) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = r.tun == nil
}

// release takes up the data that waits. r.mu is held.
func (s *Session) release() {
	r := &s.recv
	early := r.early
	r.holding, r.early = false, nil
	if len(early) == 0 {
		return
	}
	x := r.scratch()
	defer putScratch(x)
	for _, p := range early {
		if h, payload, err := gre.Parse(p); err == nil {
			s.sort(x, h, payload, p)
		}
	}
	s.flush(x)
}

func (r *receiver) deadline() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue == nil {
		return time.Time{}
	}
	return r.queue.Deadline()
}

func (s *Session) installOpener(o *mppe.Opener, stateful bool) {
	r := &s.recv
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opener, r.nonsense, r.queue = o, 0, nil
	if stateful {
		r.queue = gre.NewQueue(reorderMax, reorderWait)
	}
}

func (s *Session) resetOpener() {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	if s.recv.opener != nil {
		s.recv.opener.ResetAcked()
	}
}

// Receive takes GRE packets, from their GRE header on, in the order they
// came. It decrypts them in place and is done with them when it returns. One
// goroutine calls it at a time.
func (s *Session) Receive(packets [][]byte) {
	now := time.Now()
	r := &s.recv
	r.mu.Lock()
	x := r.scratch()
	defer putScratch(x)
	heard := false
	var ack uint32 // the highest
	var hasAck bool
	for _, p := range packets {
		h, payload, err := gre.Parse(p)
		if err != nil || h.CallID != s.cfg.callID {
			s.stats.invalid.Add(1)
			continue
		}
		heard = true
		s.stats.grePackets.Add(1)
		if h.HasAck {
			s.stats.greAcks.Add(1)
			if !hasAck || int32(h.Ack-ack) > 0 {
				ack, hasAck = h.Ack, true
			}
		}
		if !h.HasSeq || len(payload) == 0 {
			continue
		}
		if !r.seq.Receive(h.Seq).Deliver() {
			continue
		}
		s.acks.received(now, h.Seq)
		if r.queue == nil || r.queue.Bypass(h.Seq) {
			s.sort(x, h, payload, p)
			continue
		}
		r.queue.Push(now, h.Seq, p[:h.Len()+len(payload)])
		s.popQueue(x, now)
	}
	if hasAck {
		s.send.heard(now, ack)
	}
	s.flush(x)
	held := r.queue != nil && !r.queue.Deadline().IsZero()
	r.mu.Unlock()
	if held {
		s.notify(noticeHeld)
	}
	if heard {
		s.heard.Store(int64(now.Sub(s.born)))
	}
	s.acknowledgeMany()
}

// popQueue sorts what the queue has in order. r.mu is held.
func (s *Session) popQueue(x *scratch, now time.Time) {
	for s.recv.queue != nil {
		_, p, ok := s.recv.queue.Pop(now)
		if !ok {
			return
		}
		if h, payload, err := gre.Parse(p); err == nil {
			s.sort(x, h, payload, p)
			// Stateful decryption depends on each packet before; and the queue
			// may use p again.
			s.flush(x)
		}
	}
}

// expireQueue lets go of packets that have waited long enough.
func (s *Session) expireQueue(now time.Time) {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	if s.recv.queue != nil {
		x := s.recv.scratch()
		defer putScratch(x)
		s.popQueue(x, now)
	}
}

// sort puts one PPP frame where it belongs: the loop, the batch to be
// decrypted, or the batch for the TUN. payload is the part of the GRE packet p
// after its header. r.mu is held.
func (s *Session) sort(x *scratch, h gre.Header, payload, p []byte) {
	r := &s.recv
	end := h.Len() + len(payload)
	i, protocol, ok := protocolAt(p[:end], h.Len())
	if !ok {
		s.stats.invalid.Add(1)
		return
	}
	data := protocol == ppp.ProtocolMPPE || protocol == ppp.ProtocolIP || protocol == ppp.ProtocolIPv6
	if data && r.holding && len(r.early) < earlyMax {
		r.early = append(r.early, bytes.Clone(p[:end]))
		return
	}
	switch protocol {
	case ppp.ProtocolMPPE:
		if r.opener == nil {
			s.stats.undecryptable.Add(1)
			return
		}
		opened, err := r.opener.Queue(&x.engine, p[i:end], h.Seq)
		if err != nil {
			s.cannotOpen(err)
			return
		}
		x.opened = append(x.opened, opened)
	case ppp.ProtocolIP, ppp.ProtocolIPv6:
		if r.mode != modeClear {
			s.stats.refusedClear.Add(1)
			return
		}
		s.deliver(x, protocol, p[i:end])
	default:
		if s.frames.put(bytes.Clone(payload), framesMax) {
			s.loop.wake()
		} else {
			s.stats.controlDropped.Add(1)
		}
	}
}

// protocolAt reads the PPP header at p[i:], with or without address and
// control fields, and returns where its information begins.
func protocolAt(p []byte, i int) (int, ppp.Protocol, bool) {
	if i+2 <= len(p) && p[i] == 0xff && p[i+1] == 0x03 {
		i += 2
	}
	switch {
	case i < len(p) && p[i]&1 == 1:
		return i + 1, ppp.Protocol(p[i]), true
	case i+1 < len(p) && p[i+1]&1 == 1:
		return i + 2, ppp.Protocol(p[i])<<8 | ppp.Protocol(p[i+1]), true
	}
	return 0, 0, false
}

// flush decrypts the batch and hands it to the TUN. r.mu is held.
func (s *Session) flush(x *scratch) {
	r := &s.recv
	x.engine.Run()
	for _, p := range x.opened {
		s.decrypted(x, p)
	}
	x.opened = x.opened[:0]
	r.share.add(r.octets)
	r.octets = 0
	if r.tun == nil {
		return
	}
	if err := x.joiner.Flush(r.write); err != nil {
		s.stats.tunErrors.Add(1)
	}
}

func (s *Session) cannotOpen(err error) {
	switch {
	case errors.Is(err, mppe.ErrLost):
		s.stats.lostStateful.Add(1)
		s.notify(noticeLost)
	case errors.Is(err, mppe.ErrJump):
		// Forged, or more was lost than can be made up for: many in a row
		// speak for the latter.
		s.stats.undecryptable.Add(1)
		s.doubt()
	default:
		s.stats.undecryptable.Add(1)
	}
}

// doubt counts a packet that speaks for keys out of step.
func (s *Session) doubt() {
	if s.recv.nonsense++; s.recv.nonsense >= nonsenseLimit {
		s.recv.nonsense = 0
		s.notify(noticeNonsense)
	}
}

// decrypted checks that a decrypted frame makes sense and delivers it. MPPE has
// no integrity: when keys have gone out of step what comes out is noise, and
// only this tells.
func (s *Session) decrypted(x *scratch, p []byte) {
	r := &s.recv
	i, protocol, ok := protocolAt(p, 0)
	if ok && i < len(p) && (protocol == ppp.ProtocolIP && p[i]>>4 == 4 || protocol == ppp.ProtocolIPv6 && p[i]>>4 == 6) {
		r.nonsense = 0
		if r.mode == modeEncrypted {
			s.deliver(x, protocol, p[i:])
		} else {
			s.stats.closed.Add(1)
		}
		return
	}
	s.stats.nonsense.Add(1)
	s.doubt()
}

// deliver puts the IP packet p into the batch for the TUN.
func (s *Session) deliver(x *scratch, protocol ppp.Protocol, p []byte) {
	r := &s.recv
	if r.tun == nil || protocol == ppp.ProtocolIPv6 && !r.ipv6 {
		s.stats.closed.Add(1)
		return
	}
	clampMSS(p, r.mtu)
	x.joiner.Add(p)
	s.stats.rxPackets.Add(1)
	s.stats.rxBytes.Add(uint64(len(p)))
	r.octets += uint64(len(p))
}

// handed is what Hand left.
type handed struct {
	packets [][]byte
	done    func()
}

// Hand has one of the workers do what Receive does, and calls done when
// that is over; until then the packets are the session's.
func (s *Session) Hand(packets [][]byte, done func()) {
	s.recv.handed.put(handed{packets, done}, 0)
	s.recv.desk.wake()
}

// Handed reports whether some of what Hand left is not done yet. The goroutine
// that calls Hand may call Receive, and keep the packets in order, when it is
// not so.
func (s *Session) Handed() bool { return s.recv.desk.busy() }

// receiveHanded is the work of the desk.
func (s *Session) receiveHanded() {
	for _, h := range s.recv.handed.take() {
		s.Receive(h.packets)
		h.done()
	}
}
