package generator

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
	"goppptp/internal/osnet"
	"goppptp/internal/ppp"
)

// A Load says what to send into the sessions.
type Load struct {
	First, Count int            // which of those that were set up; Count 0: all from First on
	Packets      int            // how many in all; 0: until ctx ends
	Rate         float64        // a second; 0: as fast as they go
	Train        int            // how many into one session before it is the next one's turn; 0: 1
	Size         int            // octets of an IP packet; 0: 1000
	To           netip.AddrPort // port alone: at the server's end of the session
	// TCP sends segments of connections that are long since open, so that what
	// joins and cuts segments on the way has work; it makes sense with Across alone,
	// as a host answers what belongs to no connection of its own with a reset.
	TCP bool
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

// maxSize is the size in octets of the largest IP packet that is sent.
const maxSize = 32 << 10

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
	l.Size = min(max(l.Size, MinSize), maxSize)
	l.Train = min(l.Train, osnet.BatchSize)
	sessions := all[l.First : l.First+l.Count]
	var others []Target // whom each session sends to, where that is another one
	if l.Across > 0 {
		for k := range sessions {
			others = append(others, all[(l.First+k+l.Across)%len(all)].target())
		}
	}
	room := make([]byte, l.Train*(headroom+l.Size))
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
			packet, ok := s.stamp(&l, others, k)
			if !ok {
				n = i
				break
			}
			sent.Numbers += packet.Number
			sent.Octets += uint64(len(AppendPacket(slots[i][:headroom], &packet)) - headroom)
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

// stamp makes the next packet; ok is false when s is over. others[k] is whom s sends
// to; without any it is l.To.
func (s *session) stamp(l *Load, others []Target, k int) (p Packet, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != up {
		return p, false
	}
	s.number++
	p = Packet{From: netip.AddrPortFrom(s.local, Port), To: l.To, FromSession: uint32(s.index), ToSession: uint32(s.index),
		Number: s.number, Size: l.Size, TCP: l.TCP, Seq: s.seq}
	if l.TCP {
		s.seq += uint32(l.Size - ipHeader - tcpHeader)
	}
	if others != nil {
		p.To, p.ToSession = netip.AddrPortFrom(others[k].Addr, Port), others[k].Session
	} else if !p.To.Addr().IsValid() || p.To.Addr().IsUnspecified() {
		p.To = netip.AddrPortFrom(s.remote, p.To.Port())
	}
	return p, true
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
