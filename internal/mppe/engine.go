package mppe

import "sync"

const (
	lanes       = 4
	packetLanes = 3    // of them may hold packets
	stride      = 2048 // octets of key stream of a lane and turn, at most
	batchSize   = 64   // packets queued until they run without being told to
	round       = 256  // steps in which RC4's i comes round, and a key is scheduled
	worthwhile  = 192  // steps beside which a lane may well take a whole round
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
	needy   int // sources before this one need no key any more
	roomy   int // and those before this one have no room for one
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
	e.n, e.chains, e.needy, e.roomy = 0, 0, 0, 0
}
