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
	// tunHeadroom is the room that TUN.Write may use before a packet. What
	// stands before an IP packet that came in is longer: a GRE header with a
	// sequence number (12 octets) and a protocol field.
	tunHeadroom = 10
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
	queue    *gre.Queue // stateful MPPE: puts packets back in order; else nil
	tun      TUN        // nil: not open
	network  Network
	ipv6     bool
	nonsense int // decrypted packets in a row that made no sense

	// The peer may be done with IPCP before we are, and its first packets
	// overtake the last frame of it on the way through our loop.
	holding bool     // authenticated, and not open yet: data waits
	early   [][]byte // GRE packets that wait

	// One batch: MPPE packets, the GRE packets they are in and where.
	sealed, opened, whole [][]byte
	seqs                  []uint32
	errs                  []error
	at                    []int
	out                   [][]byte // to the TUN
}

func (r *receiver) open(t TUN, n Network) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tun, r.network = t, n
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
	for _, p := range early {
		if h, payload, err := gre.Parse(p); err == nil {
			s.sort(h, payload, p)
		}
	}
	s.flush()
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
// came. It may decrypt them in place and write beyond them up to their
// capacity, and is done with them when it returns. One goroutine calls it.
func (s *Session) Receive(packets [][]byte) {
	now := time.Now()
	r := &s.recv
	r.mu.Lock()
	heard := false
	for _, p := range packets {
		h, payload, err := gre.Parse(p)
		if err != nil || h.CallID != s.cfg.CallID {
			s.stats.invalid.Add(1)
			continue
		}
		heard = true
		s.stats.grePackets.Add(1)
		if h.HasAck {
			s.stats.greAcks.Add(1)
			s.send.acked.Store(1<<32 | uint64(h.Ack))
		}
		if !h.HasSeq || len(payload) == 0 {
			continue
		}
		if !r.seq.Receive(h.Seq).Deliver() {
			continue
		}
		s.acks.received(now, h.Seq)
		if r.queue == nil || r.queue.Bypass(h.Seq) {
			s.sort(h, payload, p)
			continue
		}
		r.queue.Push(now, h.Seq, p[:h.Len()+len(payload)])
		s.popQueue(now)
	}
	s.flush()
	r.mu.Unlock()
	if heard {
		s.heard.Store(now.UnixNano())
	}
	s.acknowledgeMany(now)
}

// popQueue sorts what the queue has in order. r.mu is held.
func (s *Session) popQueue(now time.Time) {
	for s.recv.queue != nil {
		_, p, ok := s.recv.queue.Pop(now)
		if !ok {
			return
		}
		if h, payload, err := gre.Parse(p); err == nil {
			s.sort(h, payload, p)
			// Stateful decryption depends on each packet before; and the queue
			// may use p again.
			s.flush()
		}
	}
}

// expireQueue lets go of packets that have waited long enough.
func (s *Session) expireQueue(now time.Time) {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	if s.recv.queue != nil {
		s.popQueue(now)
	}
}

// sort puts one PPP frame where it belongs: the loop, the batch to be
// decrypted, or the batch for the TUN. payload is the part of the GRE packet p
// after its header. r.mu is held.
func (s *Session) sort(h gre.Header, payload, p []byte) {
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
		r.sealed = append(r.sealed, p[i:end])
		r.seqs = append(r.seqs, h.Seq)
		r.whole = append(r.whole, p[:end])
		r.at = append(r.at, i+mppe.Overhead)
	case ppp.ProtocolIP, ppp.ProtocolIPv6:
		if r.mode != modeClear {
			s.stats.refusedClear.Add(1)
			return
		}
		s.deliver(protocol, p[:end], i)
	default:
		select {
		case s.frames <- append([]byte(nil), payload...):
		default:
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
func (s *Session) flush() {
	r := &s.recv
	if n := len(r.sealed); n > 0 {
		for len(r.opened) < n {
			r.opened, r.errs = append(r.opened, nil), append(r.errs, nil)
		}
		r.opener.OpenBatch(r.sealed, r.seqs, r.opened[:n], r.errs[:n])
		for k := range n {
			if err := r.errs[k]; err != nil {
				s.cannotOpen(err)
				continue
			}
			s.decrypted(r.whole[k], r.at[k])
		}
		r.sealed, r.seqs, r.whole, r.at = r.sealed[:0], r.seqs[:0], r.whole[:0], r.at[:0]
	}
	if len(r.out) == 0 {
		return
	}
	if r.tun != nil {
		if _, err := r.tun.Write(r.out, tunHeadroom); err != nil {
			s.stats.tunErrors.Add(1)
		}
	}
	r.out = r.out[:0]
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

// decrypted checks that a decrypted frame, at p[i:], makes sense and delivers
// it. MPPE has no integrity: when keys have gone out of step what comes out is
// noise, and only this tells.
func (s *Session) decrypted(p []byte, i int) {
	r := &s.recv
	i, protocol, ok := protocolAt(p, i)
	if ok && i < len(p) && (protocol == ppp.ProtocolIP && p[i]>>4 == 4 || protocol == ppp.ProtocolIPv6 && p[i]>>4 == 6) {
		r.nonsense = 0
		if r.mode == modeEncrypted {
			s.deliver(protocol, p, i)
		} else {
			s.stats.closed.Add(1)
		}
		return
	}
	s.stats.nonsense.Add(1)
	s.doubt()
}

// deliver puts the IP packet at p[i:] into the batch for the TUN.
func (s *Session) deliver(protocol ppp.Protocol, p []byte, i int) {
	r := &s.recv
	if r.tun == nil || protocol == ppp.ProtocolIPv6 && !r.ipv6 || i < tunHeadroom {
		s.stats.closed.Add(1)
		return
	}
	clampMSS(p[i:], r.network.MTU)
	r.out = append(r.out, p[i-tunHeadroom:])
	s.stats.rxPackets.Add(1)
	s.stats.rxBytes.Add(uint64(len(p) - i))
}
