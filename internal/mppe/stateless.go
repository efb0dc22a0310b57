package mppe

// keyFor finds the key of a stateless packet and takes it: no other packet will
// get it.
func (o *Opener) keyFor(key *[longKey]byte, data []byte, count uint16, seq uint32) error {
	last := uint16(o.next-1) & countMask
	forward := distance(last, count)
	most := forward
	if o.anchored {
		ahead := int64(int32(seq - o.seq))
		if ahead <= 0 {
			return o.lateKey(key, distance(count, last), -ahead)
		}
		if forward > ahead {
			return ErrJump
		}
		most = largest(forward, ahead)
	}
	if most > 1 {
		forward, ok := o.search(data, forward, most)
		o.credit -= forward
		if !ok {
			return ErrJump
		}
		o.skip(forward - 1)
	}
	o.chain.next()
	*key = o.chain.key
	if o.late != nil && o.late.drop(o.next) {
		o.release()
	}
	o.next++
	o.seq, o.anchored = seq, true
	o.earn()
	return nil
}

// search chooses among the distances the packet may have, 4096 apart, from least
// to most: the first whose key makes sense of the packet, or else the last. With
// that the count stays in step through packets that spend sequence numbers on
// something else, such as a day of LCP echoes. Where the credit does not reach,
// ok is false, and the distance how far it was tried.
func (o *Opener) search(data []byte, least, most int64) (distance int64, ok bool) {
	c, at := o.chain, int64(0)
	for n := least; n <= o.credit; n += countSpace {
		if n == most {
			return n, true
		}
		for ; at < n; at++ {
			c.next()
		}
		if c.fits(data) {
			return n, true
		}
	}
	return at, false
}

// lateKey finds the key of a packet that is not ahead of the furthest one: by its
// count it is so far behind, and by its sequence number not more than most.
func (o *Opener) lateKey(key *[longKey]byte, behind, most int64) error {
	if behind > most || largest(behind, most) >= windowSize || o.late == nil {
		return ErrOld
	}
	number := o.next - 1 - uint64(behind)
	if !o.late.take(key, number) {
		return ErrOld
	}
	if o.late.n == 0 {
		o.release()
	}
	o.earn()
	return nil
}

// skip goes on by n keys, and remembers the last of them: as many as can still be
// asked for once the packet behind them is open.
func (o *Opener) skip(n int64) {
	if n > 0 && o.late == nil {
		o.late = windows.Get().(*window)
	}
	for ; n > 0; n-- {
		o.chain.next()
		if n < windowSize {
			o.late.put(o.next, &o.chain.key)
		}
		o.next++
	}
}

// release gives an empty window back.
func (o *Opener) release() {
	windows.Put(o.late)
	o.late = nil
}

// earn adds to the credit what a packet is worth that was opened.
func (o *Opener) earn() { o.credit = min(o.credit+refill, maxCredit) }

// fits tells whether data, decrypted with the present key, is sensible.
func (c *chain) fits(data []byte) bool {
	var s state
	s.init(&c.key)
	return s.fits(data)
}

// fits tells whether data, decrypted with the stream from here on, is sensible.
// It leaves the stream elsewhere.
func (c *state) fits(data []byte) bool {
	var head [3]byte
	n := copy(head[:], data)
	c.xor(head[:n])
	return Sensible(head[:n])
}
