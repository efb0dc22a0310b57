package generator

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
	"goppptp/internal/osnet"
	"goppptp/internal/ppp"
)

// A Count is what came out of a session.
type Count struct {
	Packets uint64 // with the right contents
	Numbers uint64 // their numbers, added up: shows which they were
	Octets  uint64 // of their IP packets
}

// Counters of what came that no session could use, and why.
const (
	strayGRE      = iota // of no session
	badGRE               // no GRE of PPTP's
	oldGRE               // a sequence number that was used, or is too old
	clearData            // data without encryption
	undecryptable        // refused by MPPE
	badContents          // not what was sent, or not for this session
	foreign              // other packets than the generator's
	sendErrors           // the socket refused to send
)

var counterNames = [8]string{"stray GRE packets", "malformed GRE packets", "old or repeated GRE packets", "packets in clear",
	"undecryptable packets", "packets with wrong contents", "packets of others", "packets that the socket refused"}

// Traffic is what came in since the generator was made.
type Traffic struct {
	Count                   // of all sessions
	Sessions int            // that got any
	GRE      uint64         // packets, those of control protocols included
	Bad      map[string]int // what was wrong, by name; empty: nothing
}

// Traffic counts up what came in.
func (g *Generator) Traffic() Traffic {
	t := Traffic{GRE: g.heard.Load(), Bad: map[string]int{}}
	for _, c := range g.Counts() {
		if c.Packets > 0 {
			t.Sessions++
		}
		t.Packets += c.Packets
		t.Numbers += c.Numbers
		t.Octets += c.Octets
	}
	for i := range g.traffic {
		if n := g.traffic[i].Load(); n > 0 {
			t.Bad[counterNames[i]] = int(n)
		}
	}
	return t
}

// Counts returns what came out of each session, in order.
func (g *Generator) Counts() []Count {
	all := g.all()
	out := make([]Count, len(all))
	for i, s := range all {
		s.mu.Lock()
		out[i] = s.got
		s.mu.Unlock()
	}
	return out
}

// inbox is what one batch holds for one session.
type inbox struct {
	packets [][]byte
	sealed  [][]byte
	opened  [][]byte
	seqs    []uint32
	errs    []error
}

// bufferSize is the room for one GRE packet.
const bufferSize = 4 << 10

// read takes in the raw socket's packets until it is closed.
func (g *Generator) read() {
	pkts := make([]osnet.Packet, osnet.BatchSize)
	for i := range pkts {
		pkts[i].Buf = make([]byte, bufferSize)
	}
	var box inbox
	for {
		n, err := g.cfg.GRE.ReadBatch(pkts)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			g.fail("GRE", err)
			select {
			case <-g.stop:
				return
			case <-time.After(time.Millisecond):
			}
			continue
		}
		g.heard.Add(uint64(n))
		now := time.Now()
		// Runs of packets of one session are taken together.
		for i := 0; i < n; {
			s := g.find(&pkts[i])
			box.packets = box.packets[:0]
			first := i
			for ; i < n && (i == first || g.find(&pkts[i]) == s); i++ {
				box.packets = append(box.packets, pkts[i].Data)
			}
			if s == nil {
				g.traffic[strayGRE].Add(uint64(i - first))
				continue
			}
			s.receive(now, &box)
		}
	}
}

// find returns whose packet p is, nil if nobody's.
func (g *Generator) find(p *osnet.Packet) *session {
	if len(p.Data) < 8 || p.Path.Remote != g.cfg.Server {
		return nil
	}
	s := g.calls[binary.BigEndian.Uint16(p.Data[6:])].Load()
	if s == nil || s.path.Local != p.Path.Local {
		return nil
	}
	return s
}

// receive takes GRE packets of the session.
func (s *session) receive(now time.Time, box *inbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bad := &s.g.traffic
	control, due := false, false
	for _, packet := range box.packets {
		h, payload, err := gre.Parse(packet)
		if err != nil {
			bad[badGRE].Add(1)
			continue
		}
		if !h.HasSeq {
			continue
		}
		if !s.in.Receive(h.Seq).Deliver() {
			bad[oldGRE].Add(1)
			continue
		}
		due = s.acks.Received(now, h.Seq) || due
		protocol, info, err := ppp.ParseFrame(payload)
		switch {
		case err != nil:
			bad[badGRE].Add(1)
		case protocol == ppp.ProtocolMPPE:
			box.sealed, box.seqs = append(box.sealed, info), append(box.seqs, h.Seq)
		case protocol == ppp.ProtocolIP || protocol == ppp.ProtocolIPv6:
			bad[clearData].Add(1)
		case !s.connected:
			if len(s.early) < 8 {
				s.early = append(s.early, append([]byte(nil), payload...))
			}
		default:
			s.open(box) // with the keys that were in force before this frame
			s.link.Handle(now, payload)
			s.drain(now)
			control = true
		}
	}
	s.open(box)
	if due {
		s.acknowledge()
	}
	if at := s.acks.Deadline(); !control && !at.IsZero() {
		if old := s.deadline.Load(); old == 0 || at.UnixNano() < old {
			s.deadline.Store(at.UnixNano())
		}
	}
}

// open decrypts what is collected and counts it. s.mu is held.
func (s *session) open(box *inbox) {
	n := len(box.sealed)
	if n == 0 {
		return
	}
	bad := &s.g.traffic
	if s.opener == nil {
		bad[undecryptable].Add(uint64(n))
	} else {
		for len(box.opened) < n {
			box.opened, box.errs = append(box.opened, nil), append(box.errs, nil)
		}
		s.opener.OpenBatch(box.sealed, box.seqs, box.opened[:n], box.errs[:n])
		for k, plain := range box.opened[:n] {
			if box.errs[k] != nil {
				bad[undecryptable].Add(1)
				continue
			}
			protocol, packet, err := ppp.ParseFrame(plain)
			if err != nil || protocol != ppp.ProtocolIP {
				bad[undecryptable].Add(1)
				continue
			}
			number, verdict := Check(packet, s.local, uint32(s.index))
			switch verdict {
			case Right:
				s.got.Packets++
				s.got.Numbers += number
				s.got.Octets += uint64(len(packet))
			case Foreign:
				bad[foreign].Add(1)
			default:
				bad[badContents].Add(1)
			}
		}
	}
	box.sealed, box.seqs = box.sealed[:0], box.seqs[:0]
}

// acknowledge sends an acknowledgement alone. s.mu is held.
func (s *session) acknowledge() {
	ack, ok := s.acks.Take()
	if !ok || s.out == nil {
		return
	}
	var b [gre.MaxHeaderLen]byte
	h := s.out.AckOnly(ack)
	s.hand([][]byte{b[:h.Put(b[:], 0)]})
}

// sendFrame sends a frame of a control protocol. s.mu is held.
func (s *session) sendFrame(frame []byte) {
	if s.out == nil {
		return
	}
	ack, ok := s.acks.Take()
	h := s.out.Next(ack, ok)
	s.frame = append(s.frame[:0], make([]byte, h.Len())...)
	h.Put(s.frame, len(frame))
	s.frame = append(s.frame, frame...)
	s.hand([][]byte{s.frame})
}

func (s *session) hand(packets [][]byte) {
	if err := s.g.cfg.GRE.WriteBatch(packets, s.path); err != nil {
		s.g.traffic[sendErrors].Add(uint64(len(packets)))
	}
}

// A Load says what to send into the sessions.
type Load struct {
	First, Count int            // which of those that were set up; Count 0: all from First on
	Packets      int            // how many in all; 0: until ctx ends
	Rate         float64        // a second; 0: as fast as they go
	Train        int            // how many into one session before it is the next one's turn; 0: 1
	Size         int            // octets of an IP packet; 0: 1000
	To           netip.AddrPort // port alone: at the server's end of the session
	// Across sends to the session so many places further on instead, through
	// the server's routing; 0: to To.
	Across int
}

// A Sent is what Send did.
type Sent struct {
	Packets, Octets uint64 // of IP
	Numbers         uint64 // those of the packets, added up
	Took            time.Duration
}

// headroom is what stands before an IP packet at most: GRE, address and control,
// protocol, MPPE, protocol.
const headroom = gre.MaxHeaderLen + 2 + 2 + mppe.Overhead + 2

// Send sends a load and returns when all is out. The error is ctx's, or that
// there are no such sessions.
func (g *Generator) Send(ctx context.Context, l Load) (Sent, error) {
	all := g.all()
	if l.Count == 0 {
		l.Count = len(all) - l.First
	}
	if l.First < 0 || l.Count <= 0 || l.Across < 0 || l.First+l.Count > len(all) {
		return Sent{}, errors.New("generator: no such sessions")
	}
	if l.Train = max(l.Train, 1); l.Size == 0 {
		l.Size = 1000
	}
	l.Train = min(l.Train, osnet.BatchSize)
	sessions := all[l.First : l.First+l.Count]
	var others []Target // whom each session sends to, where that is another one
	if l.Across > 0 {
		for k := range sessions {
			others = append(others, all[(l.First+k+l.Across)%len(all)].target())
		}
	}
	room := make([]byte, l.Train*(headroom+max(l.Size, MinSize)))
	slots := make([][]byte, l.Train)
	for i := range slots {
		slots[i] = room[i*len(room)/l.Train : (i+1)*len(room)/l.Train]
	}
	batch := make([][]byte, 0, l.Train)
	sealed := make([][]byte, 0, l.Train)

	var sent Sent
	start := time.Now()
	for turn := 0; l.Packets == 0 || sent.Packets < uint64(l.Packets); turn++ {
		if ctx.Err() != nil {
			break
		}
		n := l.Train
		if l.Packets > 0 {
			n = min(n, l.Packets-int(sent.Packets))
		}
		k := turn % len(sessions)
		s := sessions[k]
		for i := range n {
			number, from, to, session, ok := s.stamp(&l, others, k)
			if !ok {
				n = i
				break
			}
			sent.Numbers += number
			packet := AppendPacket(slots[i][:headroom], from, to, uint32(s.index), session, number, l.Size)
			sent.Octets += uint64(len(packet) - headroom)
		}
		if n == 0 {
			if g.Alive() == 0 {
				return sent, errors.New("generator: all sessions are over")
			}
			continue
		}
		s.transmit(slots[:n], batch, sealed)
		sent.Packets += uint64(n)
		pace(start, sent.Packets, l.Rate)
	}
	sent.Took = time.Since(start)
	return sent, ctx.Err()
}

func (s *session) target() Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Target{s.local, uint32(s.index)}
}

// stamp gives the next packet its number and its addresses, and says which
// session it is for; ok is false when s is over. others[k] is whom s sends to; without
// any it is l.To.
func (s *session) stamp(l *Load, others []Target, k int) (number uint64, from, to netip.AddrPort, session uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != up {
		return 0, from, to, 0, false
	}
	to, session = l.To, uint32(s.index)
	if others != nil {
		to, session = netip.AddrPortFrom(others[k].Addr, Port), others[k].Session
	} else if !to.Addr().IsValid() || to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(s.remote, to.Port())
	}
	s.number++
	return s.number, netip.AddrPortFrom(s.local, Port), to, session, true
}

// transmit encrypts the IP packets at slots[i][headroom:] and sends them in order.
func (s *session) transmit(slots, batch, sealed [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealer == nil || s.out == nil {
		return
	}
	starts := [osnet.BatchSize]int{}
	for i, p := range slots {
		at := s.putProtocol(p, headroom, ppp.ProtocolIP) - mppe.Overhead
		sealed = append(sealed, p[at:])
		at = s.putProtocol(p, at, ppp.ProtocolMPPE)
		if !s.acfc {
			at -= 2
			p[at], p[at+1] = 0xff, 0x03
		}
		starts[i] = at
	}
	s.sealer.SealBatch(sealed)
	for i, p := range slots {
		ack, ok := uint32(0), false
		if i == 0 {
			ack, ok = s.acks.Take()
		}
		h := s.out.Next(ack, ok)
		at := starts[i] - h.Len()
		h.Put(p[at:], len(p)-starts[i])
		batch = append(batch, p[at:])
	}
	s.hand(batch)
}

// putProtocol writes a protocol field before p[i:] and returns where it begins.
func (s *session) putProtocol(p []byte, i int, protocol ppp.Protocol) int {
	if s.pfc {
		p[i-1] = byte(protocol)
		return i - 1
	}
	binary.BigEndian.PutUint16(p[i-2:], uint16(protocol))
	return i - 2
}

// settled reports whether counter has not moved for a while.
func settled(ctx context.Context, counter *atomic.Uint64, quiet time.Duration) {
	last, since := counter.Load(), time.Now()
	for ctx.Err() == nil && time.Since(since) < quiet {
		time.Sleep(quiet / 10)
		if now := counter.Load(); now != last {
			last, since = now, time.Now()
		}
	}
}

// Settle returns when nothing has come in for quiet, or ctx ends.
func (g *Generator) Settle(ctx context.Context, quiet time.Duration) { settled(ctx, &g.heard, quiet) }
