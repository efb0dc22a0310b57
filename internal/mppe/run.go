package mppe

import "crypto/subtle"

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
// together. More begin only when one packet is left alone, and for long: with two
// lanes or four, an octet takes the same time. Keys to come are made beside
// packets that take long enough, and on their own when no packet has a key.
func (e *Engine) fill() bool {
	packets, longest := 0, 0
	for i := range e.lane {
		if l := &e.lane[i]; l.work == encrypting {
			packets++
			longest = max(longest, l.skip+len(l.data))
		}
	}
	if packets == 0 || packets == 1 && longest >= worthwhile {
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
	if packets > 0 && longest < worthwhile {
		return true
	}
	for i := range e.lane {
		if e.lane[i].work != idle {
			continue
		}
		src := e.choose(packets > 0)
		if src == nil {
			break
		}
		src.busy = true
		key := src.c.hash()
		e.lane[i] = lane{work: makingKey, src: src}
		e.begin(i, &key)
	}
	return true
}

// choose finds a chain that needs a key, or else, where spare is true, one that
// has room for it.
func (e *Engine) choose(spare bool) *source {
	for e.needy < e.chains && e.sources[e.needy].waiting == 0 {
		e.needy++
	}
	for i := e.needy; i < e.chains; i++ {
		if src := &e.sources[i]; !src.busy && src.waiting > 0 {
			return src
		}
	}
	if !spare {
		return nil
	}
	for e.roomy < e.chains && e.sources[e.roomy].c.keys == keysAhead {
		e.roomy++
	}
	for i := e.roomy; i < e.chains; i++ {
		if src := &e.sources[i]; !src.busy && src.c.keys < keysAhead {
			return src
		}
	}
	return nil
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
	n, schedules := 0, uint8(0)
	shortest, longest := stride, 0
	for i := range e.lane {
		switch l := &e.lane[i]; l.work {
		case encrypting:
			left := l.skip + len(l.data)
			shortest, longest = min(shortest, left), max(longest, left)
			n = i + 1
		case scheduling, makingKey:
			schedules |= 1 << i
			n = i + 1
		}
	}
	if n == 1 && schedules == 0 {
		e.alone(&e.lane[0])
		return
	}
	steps := round
	if schedules == 0 {
		steps = (shortest + round - 1) &^ (round - 1)
		if longest <= steps {
			steps = (longest + 15) &^ 15
		}
	}
	if n == 1 {
		scheduleAlone(&e.s[0], &e.key[0])
	} else {
		e.turn(kindOf(n, schedules), steps)
	}
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

// alone finishes the packet of lane 0.
func (e *Engine) alone(l *lane) {
	if l.skip > 0 {
		xorAlone(&e.s[0], 0, 0, l.data)
	} else {
		xorAlone(&e.s[0], round-1, e.j[0], l.data)
	}
	*l = lane{}
}
