package mppe

import (
	"crypto/subtle"
	"encoding/binary"
	"sync"
)

// One RC4 stream cannot keep a processor busy: each octet waits for the one
// before. Every packet of a stateless session has a stream of its own, so up to
// four of them are run side by side. 32-bit entries are faster than octets.

// state is one RC4 stream. The zero value needs init.
type state struct {
	s    [256]uint32
	i, j uint8
}

var identity = func() (s [256]uint32) {
	for i := range s {
		s[i] = uint32(i)
	}
	return
}()

// init schedules a key of 16 octets.
func (c *state) init(key *[longKey]byte) {
	c.s = identity
	c.i, c.j = 0, 0
	s := &c.s
	var j uint8
	for i := range s {
		x := s[i]
		j += uint8(x) + key[i%longKey]
		s[i], s[j] = s[j], x
	}
}

// xor encrypts b in place with the next len(b) octets of the stream.
func (c *state) xor(b []byte) {
	s, i, j := &c.s, c.i, c.j
	for len(b) >= 8 {
		var word uint64
		for n := 0; n < 64; n += 8 {
			i++
			x := s[i]
			j += uint8(x)
			y := s[j]
			s[i], s[j] = y, x
			word |= uint64(uint8(s[uint8(x+y)])) << n
		}
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for n := range b {
		i++
		x := s[i]
		j += uint8(x)
		y := s[j]
		s[i], s[j] = y, x
		b[n] ^= uint8(s[uint8(x+y)])
	}
	c.i, c.j = i, j
}

const (
	lanes     = 4
	stride    = 2048 // octets of key stream a lane holds: a packet's, usually
	batchSize = 64   // packets of one turn of the engine
)

// engine is the scratch space of one batch.
type engine struct {
	s      [lanes][256]uint32
	stream [lanes][stride]byte
	keys   [batchSize][longKey]byte
	data   [batchSize][]byte // what keys[i] encrypts
	n      int               // of them
	order  [batchSize]uint8  // indices, longest data first
}

var engines = sync.Pool{New: func() any { return new(engine) }}

func getEngine() *engine { return engines.Get().(*engine) }

// putEngine gives the engine back without the references to packets and without
// what would tell of keys.
func putEngine(e *engine) {
	clear(e.data[:])
	clear(e.keys[:])
	e.n = 0
	engines.Put(e)
}

// add takes a packet in; run when full.
func (e *engine) add(key *[longKey]byte, data []byte) {
	e.keys[e.n], e.data[e.n] = *key, data
	e.n++
	if e.n == batchSize {
		e.run()
	}
}

// run encrypts what was added, in place. Packets of like lengths go together.
func (e *engine) run() {
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
	if e.n-at >= 2 {
		e.two(e.order[at], e.order[at+1])
		at += 2
	}
	if e.n-at == 1 {
		e.one(e.order[at])
	}
	e.n = 0
}

func (e *engine) one(a uint8) {
	var c state
	c.init(&e.keys[a])
	c.xor(e.data[a])
}

// two encrypts two packets, the first at least as long as the second.
func (e *engine) two(a, b uint8) {
	e.s[0], e.s[1] = identity, identity
	ka, kb := &e.keys[a], &e.keys[b]
	var ja, jb uint8
	for i := range 256 {
		xa, xb := e.s[0][i], e.s[1][i]
		ja += uint8(xa) + ka[i%longKey]
		jb += uint8(xb) + kb[i%longKey]
		e.s[0][i], e.s[0][ja] = e.s[0][ja], xa
		e.s[1][i], e.s[1][jb] = e.s[1][jb], xb
	}
	var i uint8
	ja, jb = 0, 0
	da, db := e.data[a], e.data[b]
	for len(db) > 0 {
		n := min(len(db), stride)
		for p := range n {
			i++
			xa, xb := e.s[0][i], e.s[1][i]
			ja += uint8(xa)
			jb += uint8(xb)
			ya, yb := e.s[0][ja], e.s[1][jb]
			e.s[0][i], e.s[0][ja] = ya, xa
			e.s[1][i], e.s[1][jb] = yb, xb
			e.stream[0][p&(stride-1)] = uint8(e.s[0][uint8(xa+ya)])
			e.stream[1][p&(stride-1)] = uint8(e.s[1][uint8(xb+yb)])
		}
		subtle.XORBytes(da, da[:n], e.stream[0][:n])
		subtle.XORBytes(db, db[:n], e.stream[1][:n])
		da, db = da[n:], db[n:]
	}
	e.rest(0, i, ja, da)
}

// rest encrypts what is left of a lane's packet when its companions have ended.
func (e *engine) rest(lane int, i, j uint8, data []byte) {
	if len(data) == 0 {
		return
	}
	c := state{s: e.s[lane], i: i, j: j}
	c.xor(data)
}

// four encrypts four packets, longest first.
func (e *engine) four(a, b, c, d uint8) {
	e.s[0], e.s[1], e.s[2], e.s[3] = identity, identity, identity, identity
	ka, kb, kc, kd := &e.keys[a], &e.keys[b], &e.keys[c], &e.keys[d]
	var ja, jb, jc, jd uint8
	for i := range 256 {
		xa, xb, xc, xd := e.s[0][i], e.s[1][i], e.s[2][i], e.s[3][i]
		ja += uint8(xa) + ka[i%longKey]
		jb += uint8(xb) + kb[i%longKey]
		jc += uint8(xc) + kc[i%longKey]
		jd += uint8(xd) + kd[i%longKey]
		e.s[0][i], e.s[0][ja] = e.s[0][ja], xa
		e.s[1][i], e.s[1][jb] = e.s[1][jb], xb
		e.s[2][i], e.s[2][jc] = e.s[2][jc], xc
		e.s[3][i], e.s[3][jd] = e.s[3][jd], xd
	}
	var i uint8
	ja, jb, jc, jd = 0, 0, 0, 0
	da, db, dc, dd := e.data[a], e.data[b], e.data[c], e.data[d]
	for len(dd) > 0 {
		n := min(len(dd), stride)
		for p := range n {
			i++
			xa, xb, xc, xd := e.s[0][i], e.s[1][i], e.s[2][i], e.s[3][i]
			ja += uint8(xa)
			jb += uint8(xb)
			jc += uint8(xc)
			jd += uint8(xd)
			ya, yb, yc, yd := e.s[0][ja], e.s[1][jb], e.s[2][jc], e.s[3][jd]
			e.s[0][i], e.s[0][ja] = ya, xa
			e.s[1][i], e.s[1][jb] = yb, xb
			e.s[2][i], e.s[2][jc] = yc, xc
			e.s[3][i], e.s[3][jd] = yd, xd
			e.stream[0][p&(stride-1)] = uint8(e.s[0][uint8(xa+ya)])
			e.stream[1][p&(stride-1)] = uint8(e.s[1][uint8(xb+yb)])
			e.stream[2][p&(stride-1)] = uint8(e.s[2][uint8(xc+yc)])
			e.stream[3][p&(stride-1)] = uint8(e.s[3][uint8(xd+yd)])
		}
		subtle.XORBytes(da, da[:n], e.stream[0][:n])
		subtle.XORBytes(db, db[:n], e.stream[1][:n])
		subtle.XORBytes(dc, dc[:n], e.stream[2][:n])
		subtle.XORBytes(dd, dd[:n], e.stream[3][:n])
		da, db, dc, dd = da[n:], db[n:], dc[n:], dd[n:]
	}
	e.rest(0, i, ja, da)
	e.rest(1, i, jb, db)
	e.rest(2, i, jc, dc)
}
