package mppe

import "encoding/binary"

// Limits of the work that packets can cause.
const (
	// maxCredit is how many keys may be skipped at once, and about how many
	// together while little is received. 65536 take 40 ms.
	maxCredit = 1 << 16
	// refill is what a packet that was opened adds to the credit.
	refill = 64
)

// Opener decrypts one direction of a session.
type Opener struct {
	chain  chain
	next   uint64  // stateless: number of the packet chain.next leads to; its low 12 bits are the count
	late   *window // stateless: keys of missing packets; nil when there are none
	stream *state  // stateful only
	count  uint16  // stateful: of the packet opened last

	seq      uint32 // GRE sequence number of the furthest packet opened
	anchored bool   // seq is known
	waiting  bool   // stateful: for a flushed packet
	again    bool   // stateful: the sender does not change the key with a flushed packet
	credit   int    // keys that may yet be skipped
}

// NewOpener returns an opener for the start key that authentication gave for
// receiving (RFC 3079). Of a key for 40 or 56 bits the first 8 octets count.
// Bits other than 40, 56 and 128 are the caller's mistake: it panics.
func NewOpener(start [16]byte, bits Bits, stateful bool) *Opener {
	// The first packet's number is 4096, so that one packet before it has a
	// number too. Its count is 0: the RFC leaves that open, all senders agree.
	o := &Opener{chain: newChain(start, bits), next: countSpace, count: countMask, credit: maxCredit}
	if stateful {
		o.stream = new(state)
		o.stream.init(&o.chain.key)
	}
	return o
}

// Open decrypts a packet, MPPE header and cipher text, in place, and returns what
// is behind the header: the PPP protocol field and the information. seq is the
// GRE sequence number the packet came with. After an error the packet is as it
// was. Errors are those of this package, bare; ErrLost alone says that waiting
// has begun or goes on, all others leave the state unchanged.
func (o *Opener) Open(packet []byte, seq uint32) ([]byte, error) {
	count, flushed, err := parse(packet)
	if err != nil {
		return nil, err
	}
	if o.stream != nil {
		if err := o.follow(packet[Overhead:], count, flushed, seq); err != nil {
			return nil, err
		}
		o.stream.xor(packet[Overhead:])
		return packet[Overhead:], nil
	}
	var key [longKey]byte
	if err := o.keyFor(&key, count, seq); err != nil {
		return nil, err
	}
	var c state
	c.init(&key)
	c.xor(packet[Overhead:])
	return packet[Overhead:], nil
}

// OpenBatch opens many packets, as Open would one after the other: packets[i]
// with seqs[i] gives out[i] and errs[i]. All four have the same length. It
// allocates nothing but, where packets are missing, the window.
func (o *Opener) OpenBatch(packets [][]byte, seqs []uint32, out [][]byte, errs []error) {
	if o.stream != nil || len(packets) == 1 {
		for i, packet := range packets {
			out[i], errs[i] = o.Open(packet, seqs[i])
		}
		return
	}
	e := getEngine()
	var key [longKey]byte
	for i, packet := range packets {
		out[i] = nil
		count, _, err := parse(packet)
		if err == nil {
			err = o.keyFor(&key, count, seqs[i])
		}
		if errs[i] = err; err == nil {
			out[i] = packet[Overhead:]
			e.add(&key, out[i])
		}
	}
	e.run()
	putEngine(e)
}

// parse checks the header. Interop: Linux refuses a stateless packet without the
// FLUSHED bit; it says nothing that is not known, so it is not asked for here.
func parse(packet []byte) (count uint16, flushed bool, err error) {
	if len(packet) <= Overhead {
		return 0, false, ErrShort
	}
	header := binary.BigEndian.Uint16(packet)
	if header&flagEncrypted == 0 || header&flagCompressed != 0 {
		return 0, false, ErrNotEncrypted
	}
	return header & countMask, header&flagFlushed != 0, nil
}

// keyFor finds the key of a stateless packet and takes it: no other packet will
// get it.
func (o *Opener) keyFor(key *[longKey]byte, count uint16, seq uint32) error {
	number, err := o.place(count, seq)
	if err != nil {
		return err
	}
	if number < o.next {
		return o.takeLate(key, number)
	}
	if skipped := number - o.next; skipped > 0 {
		if skipped > uint64(o.credit) {
			return ErrJump
		}
		o.credit -= int(skipped)
		o.skip(number)
	}
	o.chain.next()
	*key = o.chain.key
	if o.late != nil && o.late.drop(o.next) {
		o.release()
	}
	o.next++
	o.seq, o.anchored = seq, true
	o.credit = min(o.credit+refill, maxCredit)
	return nil
}

// place works out the number of a packet from its count and what happened to the
// sequence number since the furthest packet opened.
func (o *Opener) place(count uint16, seq uint32) (uint64, error) {
	last := o.next - 1
	forward := distance(uint16(last), count)
	if !o.anchored {
		return last + uint64(forward), nil
	}
	ahead := int64(int32(seq - o.seq))
	if ahead > 0 {
		if forward > ahead {
			return 0, ErrJump
		}
		return last + uint64(largest(forward, ahead)), nil
	}
	backward := distance(count, uint16(last))
	if backward > -ahead {
		return 0, ErrOld
	}
	if backward = largest(backward, -ahead); backward >= windowSize {
		return 0, ErrOld
	}
	return last - uint64(backward), nil
}

// distance says how many packets after count a the next packet with count b is:
// 1 to 4096.
func distance(a, b uint16) int64 { return int64((b-a-1)&countMask) + 1 }

// largest is the most packets, not more than limit, that a distance of counts
// can mean: they are the same every 4096.
func largest(distance, limit int64) int64 { return distance + (limit-distance)&^countMask }

// follow brings a stateful opener to where the packet's plain text can be
// decrypted with the stream. RFC 3078, section 8.2.
func (o *Opener) follow(data []byte, count uint16, flushed bool, seq uint32) error {
	isFlag := count&flagCount == flagCount
	forward := distance(o.count, count)
	if o.anchored {
		ahead := int64(int32(seq - o.seq))
		switch {
		case ahead <= 0:
			return ErrOld
		case forward <= ahead:
			forward = largest(forward, ahead)
		case flushed && !isFlag:
			// Only a Sealer that was told to flush leaves counts out, up to
			// a flag packet; the packets behind that one are as far off.
			return ErrJump
		}
	}
	if forward != 1 || o.waiting {
		if !flushed {
			o.waiting = true
			return ErrLost
		}
	}
	// One change for each flag packet since the last, this one included.
	from := int64(o.count) + 1
	changes := (from+forward)>>8 - from>>8
	if changes > int64(o.credit) {
		return ErrJump
	}
	o.credit = min(o.credit-int(changes)+refill, maxCredit)
	for range changes {
		o.chain.next()
	}
	if flushed && !isFlag {
		o.flushed(data)
	}
	if flushed || changes > 0 {
		o.stream.init(&o.chain.key)
	}
	o.count, o.seq, o.anchored, o.waiting = count, seq, true, false
	return nil
}

// maxFlushes is how many flushed packets in a row may be lost without notice.
const maxFlushes = 8

// flushed finds the key of a flushed packet that is not a flag packet.
//
// Interop: to RFC 3078 and FreeBSD it is the key there was, initialised again; to
// Linux it is the next one; and if Linux has sent flushed packets that were
// lost, the next but so many, without a word of it in the packet. So keys are
// tried until one gives sensible plain text. Where none does, it is the key this
// sender should have used.
func (o *Opener) flushed(data []byte) {
	changed := o.chain
	changed.next()
	usual, other := changed, o.chain
	if o.again {
		usual, other = other, usual
	}
	if usual.fits(data) {
		o.chain = usual
		return
	}
	if other.fits(data) {
		o.chain, o.again = other, !o.again
		return
	}
	for range maxFlushes {
		if changed.next(); changed.fits(data) {
			o.chain, o.again = changed, false
			return
		}
	}
	o.chain = usual
}

// fits tells whether data, decrypted with the present key, is sensible.
func (c *chain) fits(data []byte) bool {
	var head [3]byte
	n := copy(head[:], data)
	var s state
	s.init(&c.key)
	s.xor(head[:n])
	return Sensible(head[:n])
}

// ResetAcked takes note that a CCP Reset-Ack came. For MPPE it says nothing: it
// is the flushed packet, not the Reset-Ack, that ends the waiting, and either may
// be lost or come first. RFC 3078, section 8.2.
func (o *Opener) ResetAcked() {}

// Waiting tells whether a stateful opener discards packets until a flushed one
// comes. While it does, the caller sends CCP Reset-Requests, and again when no
// flushed packet has come in time.
func (o *Opener) Waiting() bool { return o.waiting }
