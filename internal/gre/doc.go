// Package gre is the data half of PPTP: the enhanced GRE header and the policy of sequence and acknowledgment numbers
// (RFC 2637, Section 4). It knows one call at a time and neither sockets nor clocks.
//
//	sender := gre.NewSender(peerCallID, 0)
//	ack, pending := acks.Take()
//	h := sender.Next(ack, pending)
//	n := h.Put(slot[gre.MaxHeaderLen-h.Len():], len(frame)) // in front of the frame, in place
//
//	h, frame, err := gre.Parse(packet)
//	if h.HasAck && window.Acked(now, h.Ack) {
//		// the sender need not wait any more
//	}
//	if h.HasSeq && receiver.Receive(h.Seq).Deliver() {
//		sendNow := acks.Received(now, h.Seq)
//		// frame goes up; with stateful MPPE through a Queue
//	}
//
// # Sequence numbers
//
// RFC 2637 lets a receiver discard what comes out of order. Here the receiver keeps a window of the last 512 numbers
// instead, so a packet that was overtaken is still delivered, once. The first packet of a call sets the base: the RFC
// starts at 0, pptpd does too, pptp-linux starts at 1.
//
// A number that lies in the window's reach, up to 511 ahead, is believed at once: whatever it skips stays in the window
// and is still welcome as Late. Anything else, far ahead or far behind, is first only noted and discarded as Old, for
// one forged or damaged packet must not turn all true ones into old ones. It is believed when more packets
// follow it closely, in rising order and with none of the present window between them: 3 in all for a jump ahead (the far
// side of an outage), 8 for a jump back (a peer that began anew, or one whose numbers were hijacked by such a jump). The
// packet that completes the proof is reported Ahead and becomes the new base.
//
// # Limitations
//
// Lost packets are never sent again. The time-out of Section 4.4 ends a [SendWindow]'s wait, and nothing else.
package gre
