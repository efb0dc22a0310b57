package mppe

// keyFor finds the key of a stateless packet, so that no other packet will get
// it: a late packet's is given, another's is the next of the chain.
func (o *Opener) keyFor(e *Engine, key *[longKey]byte, data []byte, count uint16, seq uint32) (late bool, err error) {
	last := uint16(o.next-1) & countMask
	forward := distance(last, count)
	most := forward
	if o.anchored {
		ahead := int64(int32(seq - o.seq))
		if ahead <= 0 {
			return true, o.lateKey(key, distance(count, last), -ahead)
		}
		if forward > ahead {
			return false, ErrJump
		}
		most = largest(forward, ahead)
	}
	if most > 1 {
		if e != nil {
			e.settle(&o.chain)
		}
		forward, ok := o.search(data, forward, most)
		o.credit -= forward
		if !ok {
			return false, ErrJump
		}
		o.skip(forward - 1)
	}
	if o.late != nil && o.late.drop(o.next) {
		o.release()
	}
	o.next++
	o.seq, o.anchored = seq, true
	o.earn()
	return false, nil
}

// search chooses among the distances the packet may have, 4096 apart, from least
// to most: the first whose key makes sense of the packet, or else the last. With
// that the count stays in step through packets that spend sequence numbers on
// something else, such as a day of LCP echoes. Where the credit does not reach,
// ok is false, and the distance how far it was tried.
func (o *Opener) search(data []byte, least, most int64) (distance int64, ok bool) {
	c, at := o.chain, int64(0)
	var key [longKey]byte
	for n := least; n <= o.credit; n += countSpace {
		if n == most {
			return n, true
		}
		for ; at < n; at++ {
			c.take(&key)
		}
		if sensible(&key, data) {
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
	var key [longKey]byte
	for ; n > 0; n-- {
		o.chain.take(&key)
		if n < windowSize {
			o.late.put(o.next, &key)
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

// sensible tells whether data, decrypted with a key, is sensible.
func sensible(key *[longKey]byte, data []byte) bool {
	var s state
	s.init(key)
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
