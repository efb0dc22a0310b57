package mppe

// follow brings a stateful opener to where the stream decrypts the packet.
// RFC 3078, section 8.2.
func (o *Opener) follow(data []byte, count uint16, flushed bool, seq uint32) error {
	isFlag := count&flagCount == flagCount
	forward := distance(o.count, count)
	most := forward
	if o.anchored {
		ahead := int64(int32(seq - o.seq))
		switch {
		case ahead <= 0:
			return ErrOld
		case forward <= ahead:
			most = largest(forward, ahead)
		case flushed && !isFlag:
			// Only a Sealer that was told to flush leaves counts out, up to
			// a flag packet; the packets behind that one are as far off.
			return ErrJump
		}
	}
	if !flushed && (o.waiting || forward != 1 || most != 1 && !o.continues(data, isFlag)) {
		o.waiting = true
		return ErrLost
	}
	if flushed || isFlag {
		if !flushed {
			most = 1
		}
		if !o.rekey(data, forward, most, isFlag) {
			return ErrJump
		}
		o.stream.init(&o.chain.key)
	}
	o.count, o.seq, o.anchored, o.waiting = count, seq, true, false
	o.earn()
	return nil
}

// continues tells whether a packet with the next count makes sense as the next
// packet, although so many sequence numbers have passed that it may be another.
func (o *Opener) continues(data []byte, isFlag bool) bool {
	if isFlag {
		c := o.chain
		c.next()
		return sensible(&c.key, data)
	}
	s := *o.stream
	return s.fits(data)
}

// rekey finds the key of a flushed or a flag packet. The key has changed with
// each flag packet since the last packet opened; how many there were is certain
// but for the times the count went round. So keys are tried as in search: the
// first that makes sense of the packet, or else the one for most packets. After a
// loss more turns are tried than the sequence number allows, because Sealer.Flush
// leaves counts out; with flushed packets lost in a row that may be many.
func (o *Opener) rekey(data []byte, least, most int64, isFlag bool) bool {
	limit := most
	if isFlag && (o.waiting || least > 1) {
		limit = maxCredit
	}
	from := int64(o.count) + 1
	c, changed := o.chain, int64(0)
	key, known := c, false
	for n := least; n <= min(limit, maxCredit); n += countSpace {
		changes := (from+n)>>8 - from>>8
		if changes > o.credit {
			break
		}
		for ; changed < changes; changed++ {
			c.next()
		}
		found, fits := c, false
		if !isFlag {
			found, fits = o.flushed(c, data)
		} else if limit > least {
			fits = sensible(&c.key, data)
		}
		if fits || n == most {
			key, known = found, true
		}
		if fits {
			break
		}
	}
	o.credit -= changed
	if known {
		o.chain = key
	}
	return known
}

// maxFlushes is how many flushed packets in a row may be lost without notice.
const maxFlushes = 8

// flushed finds the key of a flushed packet that is not a flag packet, and tells
// whether it makes sense.
//
// Interop: to RFC 3078 and FreeBSD it is the key there was, initialised again; to
// Linux it is the next one; and if Linux has sent flushed packets that were
// lost, the next but so many, without a word of it in the packet. So keys are
// tried until one gives sensible plain text. Where none does, it is the key this
// sender should have used.
func (o *Opener) flushed(c chain, data []byte) (key chain, fits bool) {
	changed := c
	changed.next()
	usual, other := changed, c
	if o.again {
		usual, other = other, usual
	}
	if sensible(&usual.key, data) {
		return usual, true
	}
	if sensible(&other.key, data) {
		o.again = !o.again
		return other, true
	}
	for range maxFlushes {
		if changed.next(); sensible(&changed.key, data) {
			o.again = false
			return changed, true
		}
	}
	return usual, false
}
