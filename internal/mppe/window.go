package mppe

import "sync"

// windowSize is how many packets, from the furthest one back, may still come. It
// is less than the counts there are.
const windowSize = 256

// window holds the keys of packets that have not come. The slot of a packet is
// its number modulo the size, so that what gets too old is overwritten.
type window struct {
	keys [windowSize][longKey]byte
	have [windowSize]bool
	n    int // keys held
}

var windows = sync.Pool{New: func() any { return new(window) }}

// skip goes on to the key before that of the packet with this number, and
// remembers the keys of the last windowSize packets it passes.
func (o *Opener) skip(number uint64) {
	if o.late == nil {
		o.late = windows.Get().(*window)
	}
	for ; o.next < number; o.next++ {
		o.chain.next()
		if number-o.next <= windowSize {
			o.late.put(o.next, &o.chain.key)
		}
	}
}

// takeLate takes the key of a packet that was missing.
func (o *Opener) takeLate(key *[longKey]byte, number uint64) error {
	if o.late == nil || o.next-number > windowSize {
		return ErrOld
	}
	slot := number % windowSize
	if !o.late.have[slot] {
		return ErrOld
	}
	*key = o.late.keys[slot]
	if o.late.drop(number) {
		o.release()
	}
	o.credit = min(o.credit+refill, maxCredit)
	return nil
}

// release gives an empty window back.
func (o *Opener) release() {
	windows.Put(o.late)
	o.late = nil
}

func (w *window) put(number uint64, key *[longKey]byte) {
	slot := number % windowSize
	if !w.have[slot] {
		w.have[slot] = true
		w.n++
	}
	w.keys[slot] = *key
}

// drop forgets the key in a packet's slot, and tells whether none is left.
func (w *window) drop(number uint64) (empty bool) {
	slot := number % windowSize
	if w.have[slot] {
		w.have[slot] = false
		w.keys[slot] = [longKey]byte{}
		w.n--
	}
	return w.n == 0
}
