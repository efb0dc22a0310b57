package gre

// maxUnacked bounds what Sender counts as in flight, for peers that acknowledge nothing.
const maxUnacked = 1 << 30

// Sender numbers what goes out on one call and keeps account of what the peer acknowledged. It is not safe for
// concurrent use.
type Sender struct {
	callID uint16
	next   uint32 // the number of the next packet
	base   uint32 // the lowest number not acknowledged
}

// NewSender returns the sender of a call the peer knows as peerCallID. Its first packet has the number first: 0, by
// RFC 2637, Section 4.2.
func NewSender(peerCallID uint16, first uint32) *Sender {
	return &Sender{callID: peerCallID, next: first, base: first}
}

// Next returns the header of the next packet with payload and uses up a sequence number. With hasAck the packet
// acknowledges ack as well.
func (s *Sender) Next(ack uint32, hasAck bool) Header {
	h := Header{CallID: s.callID, HasSeq: true, Seq: s.next}
	if hasAck {
		h.HasAck, h.Ack = true, ack
	}
	s.next++
	if s.next-s.base > maxUnacked {
		s.base++
	}
	return h
}

// Last returns the number that Next used last.
func (s *Sender) Last() uint32 { return s.next - 1 }

// AckOnly returns the header of a packet that acknowledges ack and carries nothing. It uses up no sequence number.
func (s *Sender) AckOnly(ack uint32) Header {
	return Header{CallID: s.callID, HasAck: true, Ack: ack}
}

// Acked takes an acknowledgment of all packets up to and including ack. It returns how many packets that settles: 0 for
// one that tells nothing new, or names a packet that was never sent.
func (s *Sender) Acked(ack uint32) uint32 {
	settled := ack + 1 - s.base
	if settled == 0 || settled > s.next-s.base {
		return 0
	}
	s.base += settled
	return settled
}

// Unacked returns how many packets were sent and not acknowledged; it stops counting at 2^30.
func (s *Sender) Unacked() uint32 { return s.next - s.base }
