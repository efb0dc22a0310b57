package mppe

import (
	"crypto/subtle"
	"sync"
)

const (
	lanes     = 4
	stride    = 2048 // octets of key stream a lane holds: a packet's, usually
	batchSize = 64   // packets of one turn of the engine
)

// Engine decrypts and encrypts the packets that Sealers and Openers, of one
// session or of many, have queued in it; many together take half the time they
// take alone. The zero value is ready. An Engine holds some 16 kB of scratch
// space and belongs to a worker, not to a session; it is not safe for concurrent
// use. It keeps no packet and no key after Run.
//
//	for _, p := range packets {
//		p.session.sealer.Queue(&engine, p.octets)
//	}
//	engine.Run()
//
// One RC4 stream cannot keep a processor busy, as each octet waits for the one
// before; so up to four streams run side by side.
type Engine struct {
	s      [lanes][256]uint32
	stream [lanes][stride]byte
	keys   [batchSize][longKey]byte
	data   [batchSize][]byte // what keys[i] encrypts
	n      int               // of them
	order  [batchSize]uint8  // indices, longest data first
}

var engines = sync.Pool{New: func() any { return new(Engine) }}

// add takes a packet in, and runs when full.
func (e *Engine) add(key *[longKey]byte, data []byte) {
	e.keys[e.n], e.data[e.n] = *key, data
	e.n++
	if e.n == batchSize {
		e.Run()
	}
}

// Run encrypts or decrypts all that was queued, in place. The packets, and the
// Sealers and Openers they were queued with, are the caller's again.
func (e *Engine) Run() {
	e.run()
	clear(e.data[:e.n])
	clear(e.keys[:e.n])
	e.n = 0
}

// run encrypts what was added. Packets of like lengths go together.
func (e *Engine) run() {
	for i := range e.n {
		at := i
		for at > 0 && len(e.data[e.order[at-1]]) < len(e.data[i]) {
			e.order[at] = e.order[at-1]
			at--
		}
		e.order[at] = uint8(i)
	}
	at := 0
	for ; e.n-at >= 4; at += 4 {
		e.four(e.order[at], e.order[at+1], e.order[at+2], e.order[at+3])
	}
	switch e.n - at {
	case 3:
		e.three(e.order[at], e.order[at+1], e.order[at+2])
	case 2:
		e.two(e.order[at], e.order[at+1])
	case 1:
		e.one(e.order[at])
	}
}

func (e *Engine) one(a uint8) {
	var c state
	c.init(&e.keys[a])
	c.xor(e.data[a])
}

// two encrypts two packets, the first at least as long as the second.
func (e *Engine) two(a, b uint8) {
	e.s[0], e.s[1] = identity, identity
	e.schedule2(&e.keys[a], &e.keys[b])
	da, db := e.data[a], e.data[b]
	var j [lanes]uint8
	n := 0
	for len(db) > 0 {
		n = min(len(db), stride)
		e.stream2(n, &j)
		subtle.XORBytes(da, da[:n], e.stream[0][:n])
		subtle.XORBytes(db, db[:n], e.stream[1][:n])
		da, db = da[n:], db[n:]
	}
	e.rest(0, n, j[0], da)
}

// three encrypts three packets, longest first.
func (e *Engine) three(a, b, c uint8) {
	e.s[0], e.s[1], e.s[2] = identity, identity, identity
	e.schedule3(&e.keys[a], &e.keys[b], &e.keys[c])
	da, db, dc := e.data[a], e.data[b], e.data[c]
	var j [lanes]uint8
	n := 0
	for len(dc) > 0 {
		n = min(len(dc), stride)
		e.stream3(n, &j)
		subtle.XORBytes(da, da[:n], e.stream[0][:n])
		subtle.XORBytes(db, db[:n], e.stream[1][:n])
		subtle.XORBytes(dc, dc[:n], e.stream[2][:n])
		da, db, dc = da[n:], db[n:], dc[n:]
	}
	e.rest(0, n, j[0], da)
	e.rest(1, n, j[1], db)
}

// four encrypts four packets, longest first.
func (e *Engine) four(a, b, c, d uint8) {
	e.s[0], e.s[1], e.s[2], e.s[3] = identity, identity, identity, identity
	e.schedule4(&e.keys[a], &e.keys[b], &e.keys[c], &e.keys[d])
	da, db, dc, dd := e.data[a], e.data[b], e.data[c], e.data[d]
	var j [lanes]uint8
	n := 0
	for len(dd) > 0 {
		n = min(len(dd), stride)
		e.stream4(n, &j)
		subtle.XORBytes(da, da[:n], e.stream[0][:n])
		subtle.XORBytes(db, db[:n], e.stream[1][:n])
		subtle.XORBytes(dc, dc[:n], e.stream[2][:n])
		subtle.XORBytes(dd, dd[:n], e.stream[3][:n])
		da, db, dc, dd = da[n:], db[n:], dc[n:], dd[n:]
	}
	e.rest(0, n, j[0], da)
	e.rest(1, n, j[1], db)
	e.rest(2, n, j[2], dc)
}

// rest encrypts what is left of a lane's packet when its companions have ended,
// with the last n octets of the stride.
func (e *Engine) rest(lane, n int, j uint8, data []byte) {
	if len(data) == 0 {
		return
	}
	c := state{s: e.s[lane], i: uint8(n), j: j}
	c.xor(data)
}
