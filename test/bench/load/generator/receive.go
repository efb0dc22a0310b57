package generator

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"time"

	"goppptp/internal/gre"
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

// Settle returns when nothing has come in for quiet, or ctx ends.
func (g *Generator) Settle(ctx context.Context, quiet time.Duration) {
	last, since := g.heard.Load(), time.Now()
	for ctx.Err() == nil && time.Since(since) < quiet {
		time.Sleep(quiet / 10)
		if now := g.heard.Load(); now != last {
			last, since = now, time.Now()
		}
	}
}
