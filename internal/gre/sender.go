package gre

// Sender numbers what goes out on one call. It is not safe for concurrent use.
type Sender struct {
	callID uint16
	next   uint32 // the number of the next packet
}

// NewSender returns the sender of a call the peer knows as peerCallID. Its first packet has the number first: 0, by
// RFC 2637, Section 4.2.
func NewSender(peerCallID uint16, first uint32) *Sender {
	return &Sender{callID: peerCallID, next: first}
}

// Next returns the header of the next packet with payload and uses up a sequence number. With hasAck the packet
// acknowledges ack as well.
func (s *Sender) Next(ack uint32, hasAck bool) Header {
	h := Header{CallID: s.callID, HasSeq: true, Seq: s.next}
	if hasAck {
		h.HasAck, h.Ack = true, ack
	}
	s.next++
	return h
}

// Last returns the number that Next used last.
func (s *Sender) Last() uint32 { return s.next - 1 }

// AckOnly returns the header of a packet that acknowledges ack and carries nothing. It uses up no sequence number.
func (s *Sender) AckOnly(ack uint32) Header {
	return Header{CallID: s.callID, HasAck: true, Ack: ack}
}
