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
	credit   int64  // keys that may yet be skipped
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
// was. Errors are those of this package, bare. ErrLost says that waiting has begun
// or goes on; no other error changes what later packets will open with.
func (o *Opener) Open(packet []byte, seq uint32) ([]byte, error) {
	var key [longKey]byte
	plain, late, err := o.accept(nil, &key, packet, seq)
	if err != nil {
		return nil, err
	}
	if o.stream != nil {
		o.stream.xor(plain)
		return plain, nil
	}
	if !late {
		o.chain.take(&key)
	}
	var c state
	c.init(&key)
	c.xor(plain)
	return plain, nil
}

// Queue opens a packet as Open does, in its turn among those of this Opener, but
// leaves the work to an engine: whether the packet opens is told at once, and the
// octets of the result are the plain text when e.Run returns. Until then packet
// must not be touched, nor the Opener used with anything but this engine's Queue,
// and Waiting.
func (o *Opener) Queue(e *Engine, packet []byte, seq uint32) ([]byte, error) {
	if o.stream != nil {
		return o.Open(packet, seq)
	}
	var key [longKey]byte
	plain, late, err := o.accept(e, &key, packet, seq)
	switch {
	case err != nil:
		return nil, err
	case late:
		e.addKeyed(&key, plain)
	default:
		e.add(&o.chain, plain)
	}
	return plain, nil
}

// OpenBatch opens many packets, as Open would one after the other: packets[i]
// with seqs[i] gives out[i] and errs[i]. All four have the same length. It
// allocates nothing but, where packets are missing, the window.
func (o *Opener) OpenBatch(packets [][]byte, seqs []uint32, out [][]byte, errs []error) {
	e := engines.Get().(*Engine)
	for i, packet := range packets {
		out[i], errs[i] = o.Queue(e, packet, seqs[i])
	}
	e.Run()
	engines.Put(e)
}

// accept tells whether a packet opens, and what will be its plain text. In
// stateful mode the stream is there then; in stateless mode the key of a late
// packet is given, and that of another is the next of the chain. Packets that
// wait for earlier keys may be in e.
func (o *Opener) accept(e *Engine, key *[longKey]byte, packet []byte, seq uint32) (plain []byte, late bool, err error) {
	count, flushed, err := parse(packet)
	if err != nil {
		return nil, false, err
	}
	plain = packet[Overhead:]
	if o.stream != nil {
		err = o.follow(plain, count, flushed, seq)
	} else {
		late, err = o.keyFor(e, key, plain, count, seq)
	}
	return plain, late, err
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

// distance says how many packets after count a the next packet with count b is:
// 1 to 4096.
func distance(a, b uint16) int64 { return int64((b-a-1)&countMask) + 1 }

// largest is the most packets, not more than limit, that a distance of counts
// can mean: they are the same every 4096.
func largest(distance, limit int64) int64 { return distance + (limit-distance)&^countMask }

// ResetAcked takes note that a CCP Reset-Ack came. For MPPE it says nothing: it
// is the flushed packet, not the Reset-Ack, that ends the waiting, and either may
// be lost or come first. RFC 3078, section 8.2.
func (o *Opener) ResetAcked() {}

// Waiting tells whether a stateful opener discards packets until a flushed one
// comes. While it does, the caller sends CCP Reset-Requests, and again when no
// flushed packet has come in time.
func (o *Opener) Waiting() bool { return o.waiting }
