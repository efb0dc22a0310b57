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

// put remembers a key.
func (w *window) put(number uint64, key *[longKey]byte) {
	slot := number % windowSize
	if !w.have[slot] {
		w.have[slot] = true
		w.n++
	}
	w.keys[slot] = *key
}

// take moves a key out of the window.
func (w *window) take(key *[longKey]byte, number uint64) bool {
	slot := number % windowSize
	if !w.have[slot] {
		return false
	}
	*key = w.keys[slot]
	w.drop(number)
	return true
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
