package mppe

import (
	"crypto/subtle"
	"sync"
)

const (
	lanes       = 4
	packetLanes = 3    // of them may hold packets
	stride      = 2048 // octets of key stream of a lane and turn, at most
	batchSize   = 64   // packets queued until they run without being told to
	round       = 256  // steps in which RC4's i comes round, and a key is scheduled
)

// Engine encrypts and decrypts the packets that Sealers and Openers, of one
// session or of many, have queued in it; many together take less than half the
// time they take alone. The zero value is ready. An Engine holds some 16 kB of
// scratch space and belongs to a worker, not to a session; it is not safe for
// concurrent use. It keeps no packet and no session after Run.
//
//	for _, p := range packets {
//		p.session.sealer.Queue(&engine, p.octets)
//	}
//	engine.Run()
//
// One RC4 stream cannot keep a processor busy, as each octet waits for the one
// before. So up to four streams run side by side, in lanes: three packets, each
// of which first schedules its key, and beside them the key of a packet to come,
// as the keys of a session wait for each other as well.
//
//	lane 0  key 1 | packet 1 ........................ | key 4 | packet 4 ...
//	lane 1  key 2 | packet 2 ........................ | key 5 | packet 5 ...
//	lane 2  key 3 | packet 3 ........................ | key 6 | packet 6 ...
//	lane 3  next  | next  | next  |                   | next  | next ...
type Engine struct {
	s      [lanes][256]uint32
	stream [lanes][stride]byte
	key    [lanes][longKey]byte // what is being scheduled; zero in lanes that give key stream
	j      [lanes]uint8
	lane   [lanes]lane

	jobs    [batchSize]job
	n       int              // of jobs
	order   [batchSize]uint8 // jobs not in a lane yet, longest packet first
	todo    int              // of them
	sources [batchSize]source
	chains  int // of sources
}

// job is a packet. Those that wait for their keys are linked, for each chain.
type job struct {
	data  []byte
	key   [longKey]byte
	keyed bool
	next  uint8
}

// source is a chain that has packets here.
type source struct {
	c           *chain
	waiting     uint8 // jobs without a key
	first, last uint8 // of them
	busy        bool  // its next key is in a lane
}

// lane is what a lane does.
type lane struct {
	work work
	data []byte  // of a packet, what is not encrypted yet
	src  *source // of a key
	skip int     // octets of the stream that are not of the packet
}

type work uint8

const (
	idle       work = iota
	scheduling      // of a packet's key; then encrypting
	encrypting
	makingKey // of a packet to come: its schedule
)

var engines = sync.Pool{New: func() any { return new(Engine) }}

// add takes a packet in that gets the next key of c, and runs when full.
func (e *Engine) add(c *chain, data []byte) {
	src := e.source(c)
	i := uint8(e.n)
	job := &e.jobs[i]
	job.data = data
	if c.keys > 0 {
		c.take(&job.key)
		job.keyed = true
	} else {
		if src.waiting == 0 {
			src.first = i
		} else {
			e.jobs[src.last].next = i
		}
		src.last = i
		src.waiting++
	}
	e.count()
}

// addKeyed takes a packet in whose key is known.
func (e *Engine) addKeyed(key *[longKey]byte, data []byte) {
	job := &e.jobs[e.n]
	job.data, job.key, job.keyed = data, *key, true
	e.count()
}

func (e *Engine) count() {
	if e.n++; e.n == batchSize {
		e.Run()
	}
}

func (e *Engine) source(c *chain) *source {
	if int(c.slot) >= e.chains || e.sources[c.slot].c != c {
		c.slot = uint8(e.chains)
		e.sources[e.chains] = source{c: c}
		e.chains++
	}
	return &e.sources[c.slot]
}

// settle gives their keys to the packets of c that wait for one, so that c is
// where its owner thinks it is.
func (e *Engine) settle(c *chain) {
	if int(c.slot) >= e.chains || e.sources[c.slot].c != c {
		return
	}
	for src := &e.sources[c.slot]; src.waiting > 0; {
		c.next()
		e.hand(src)
	}
}

// hand gives the key that was computed to the packet that waits for it, or keeps
// it for one to come.
func (e *Engine) hand(src *source) {
	c := src.c
	if src.waiting > 0 {
		job := &e.jobs[src.first]
		job.key, job.keyed = c.key, true
		src.first = job.next
		src.waiting--
		return
	}
	c.ahead[c.keys] = c.key
	c.keys++
}

// Run encrypts or decrypts all that was queued, in place. The packets, and the
// Sealers and Openers they were queued with, are the caller's again.
func (e *Engine) Run() {
	e.sort()
	for e.fill() {
		e.advance()
	}
	clear(e.jobs[:e.n])
	clear(e.sources[:e.chains])
	e.n, e.chains = 0, 0
}

// sort puts the longest packets first, so that those that run together are of
// like lengths. It changes nothing about their keys.
func (e *Engine) sort() {
	for i := range e.n {
		at := i
		for at > 0 && len(e.jobs[e.order[at-1]].data) < len(e.jobs[i].data) {
			e.order[at] = e.order[at-1]
			at--
		}
		e.order[at] = uint8(i)
	}
	e.todo = e.n
}

// fill gives work to lanes, and tells whether any has some. All lanes are at i = 0.
//
// Packets begin together, as many as there are lanes for, so that they end
// together. More begin only when one packet is left alone: with two lanes or
// four, an octet takes the same time. Keys to come are made beside packets while
// those take a round at least, and on their own when no packet has a key.
func (e *Engine) fill() bool {
	packets, longest := 0, 0
	for i := range e.lane {
		if l := &e.lane[i]; l.work == encrypting {
			packets++
			longest = max(longest, l.skip+len(l.data))
		}
	}
	if packets <= 1 {
		for i := 0; i < lanes && packets < packetLanes; i++ {
			if e.lane[i].work != idle {
				continue
			}
			job := e.pick()
			if job == nil {
				break
			}
			e.lane[i] = lane{work: scheduling, data: job.data, skip: 1}
			e.begin(i, &job.key)
			packets++
			longest = round
		}
	}
	if packets == 0 && e.todo == 0 {
		return false
	}
	if packets > 0 && longest < round*3/4 {
		return true
	}
	src := 0
	for i := range e.lane {
		if e.lane[i].work != idle {
			continue
		}
		for src < e.chains && !e.wants(&e.sources[src]) {
			src++
		}
		if src == e.chains {
			break
		}
		s := &e.sources[src]
		s.busy = true
		key := s.c.hash()
		e.lane[i] = lane{work: makingKey, src: s}
		e.begin(i, &key)
	}
	return true
}

func (e *Engine) wants(s *source) bool {
	return !s.busy && (s.waiting > 0 || s.c.keys < keysAhead)
}

// pick takes the longest packet that has a key out of the order.
func (e *Engine) pick() *job {
	for at, i := range e.order[:e.todo] {
		if e.jobs[i].keyed {
			copy(e.order[at:e.todo], e.order[at+1:e.todo])
			e.todo--
			return &e.jobs[i]
		}
	}
	return nil
}

// begin lets a lane schedule a key.
func (e *Engine) begin(lane int, key *[longKey]byte) {
	e.s[lane] = identity
	e.key[lane] = *key
	e.j[lane] = 0
}

// advance moves all lanes on, up to where one has an end and others must not
// wait for it, and back to i = 0.
func (e *Engine) advance() {
	n, mixed := 0, false
	shortest, longest := stride, 0
	for i := range e.lane {
		switch l := &e.lane[i]; l.work {
		case encrypting:
			left := l.skip + len(l.data)
			shortest, longest = min(shortest, left), max(longest, left)
			n = i + 1
		case scheduling, makingKey:
			mixed = true
			n = i + 1
		}
	}
	steps := round
	if !mixed {
		steps = (shortest + round - 1) &^ (round - 1)
		if longest <= steps {
			steps = (longest + 15) &^ 15
		}
	}
	e.turn(n, steps, mixed)
	for i := range n {
		l := &e.lane[i]
		switch l.work {
		case scheduling:
			l.work = encrypting
			e.key[i] = [longKey]byte{}
			// The stream begins at i = 1. This j makes of the step at 0
			// one that swaps nothing and leaves j as it must be, 0.
			e.j[i] = -uint8(e.s[i][0])
		case makingKey:
			l.src.c.encrypt(&e.key[i], &e.s[i])
			l.src.busy = false
			e.hand(l.src)
			e.key[i] = [longKey]byte{}
			*l = lane{}
		case encrypting:
			done := subtle.XORBytes(l.data, l.data, e.stream[i][l.skip:steps])
			l.data, l.skip = l.data[done:], 0
			if len(l.data) == 0 {
				*l = lane{}
			}
		}
	}
}
