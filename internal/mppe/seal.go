package mppe

import "encoding/binary"

// Sealer encrypts one direction of a session.
type Sealer struct {
	chain  chain
	count  uint16 // of the packet sealed last
	flush  bool   // stateful: the next packet must be a flushed one
	stream *state // stateful only
}

// NewSealer returns a sealer for the start key that authentication gave for
// sending (RFC 3079). Of a key for 40 or 56 bits the first 8 octets count. Bits
// other than 40, 56 and 128 are the caller's mistake: it panics.
func NewSealer(start [16]byte, bits Bits, stateful bool) *Sealer {
	s := &Sealer{chain: newChain(start, bits), count: countMask}
	if stateful {
		s.stream = new(state)
		s.stream.init(&s.chain.key)
	}
	return s
}

// Seal encrypts a packet in place: packet[:2] is room for the MPPE header,
// packet[2:] the PPP protocol field and the information. A packet with nothing
// behind the room for the header is left alone and takes no count.
func (s *Sealer) Seal(packet []byte) {
	if len(packet) <= Overhead {
		return
	}
	if s.stream != nil {
		s.sealStateful(packet)
		return
	}
	s.number(packet)
	var key [longKey]byte
	s.chain.take(&key)
	var c state
	c.init(&key)
	c.xor(packet[Overhead:])
}

// Queue seals a packet as Seal does, in its turn among those of this Sealer, but
// leaves the work to an engine: the octets of packet are sealed when e.Run
// returns. Until then packet must not be touched, nor the Sealer used with
// anything but this engine's Queue, and Flush.
func (s *Sealer) Queue(e *Engine, packet []byte) {
	if s.stream != nil {
		s.Seal(packet)
		return
	}
	if len(packet) > Overhead {
		s.number(packet)
		e.add(&s.chain, packet[Overhead:])
	}
}

// SealBatch seals many packets in order, as Seal would one after the other, and
// allocates nothing. Lengths may differ.
func (s *Sealer) SealBatch(packets [][]byte) {
	e := engines.Get().(*Engine)
	for _, packet := range packets {
		s.Queue(e, packet)
	}
	e.Run()
	engines.Put(e)
}

// number writes the header of the next stateless packet: "the FLUSHED bit ...
// MUST be set on every encrypted packet". RFC 3078, section 3.1.
func (s *Sealer) number(packet []byte) {
	s.count = (s.count + 1) & countMask
	binary.BigEndian.PutUint16(packet, flagFlushed|flagEncrypted|s.count)
}

// Flush makes the next packet a flushed one, because the peer asked for it with
// a CCP Reset-Request. In stateless mode every packet is.
//
// Interop: a flushed packet means "initialise the key again" to RFC 3078 and to
// FreeBSD, but "change the key" to Linux; and a receiver that misses the flushed
// packet itself cannot know how often Linux has changed the key. Neither matters
// for the flag packets: their key changes once for everybody, and a receiver
// counts those it missed. So the count is moved on to that of the next flag
// packet, which a receiver that is waiting takes for more packets lost.
func (s *Sealer) Flush() { s.flush = s.stream != nil }

// sealStateful changes the key with each flag packet alone. Interop: the first
// packet of a session is not marked as flushed, although its key is new: to
// Linux that would be one change more, and no receiver asks for it.
func (s *Sealer) sealStateful(packet []byte) {
	s.count = (s.count + 1) & countMask
	if s.flush {
		s.count |= flagCount
		s.flush = false
	}
	header := flagEncrypted | s.count
	if s.count&flagCount == flagCount {
		s.chain.next()
		s.stream.init(&s.chain.key)
		header |= flagFlushed
	}
	binary.BigEndian.PutUint16(packet, header)
	s.stream.xor(packet[Overhead:])
}
