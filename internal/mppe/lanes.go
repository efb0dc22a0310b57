package mppe

// A turn moves some lanes on by the same number of steps, from RC4's i = 0 on.
// Each lane is somewhere else in its work: one whose key octets are not zero
// schedules them, all others give key stream. The loops treat one lane after the
// other, so that few registers are needed; it is the processor that overlaps
// them. They do what the assembly does.

// turn moves the first lanes, two at least; mixed tells that some have keys.
// steps is a multiple of 16, at most stride.
func (e *Engine) turn(lanes, steps int, mixed bool) {
	switch {
	case useAssembly:
		e.turnAssembly(lanes, steps, mixed)
	case lanes <= 2 && mixed:
		e.mixed2(steps)
	case lanes <= 2:
		e.stream2(steps)
	case lanes == 3 && mixed:
		e.mixed3(steps)
	case lanes == 3:
		e.stream3(steps)
	case mixed:
		e.mixed4(steps)
	default:
		e.stream4(steps)
	}
}

// useAssembly is changed by tests alone.
var useAssembly = haveAssembly

// step is one of RC4: i is the caller's, j is returned with the octet. key is of
// the key that is being scheduled, or zero.
func step(s *[256]uint32, i, j, key uint8) (uint8, uint8) {
	x := s[i]
	j += uint8(x) + key
	y := s[j]
	s[i], s[j] = y, x
	return j, uint8(s[uint8(x+y)])
}

func (e *Engine) stream2(steps int) {
	ja, jb := e.j[0], e.j[1]
	for p := range steps {
		i, at := uint8(p), p&(stride-1)
		ja, e.stream[0][at] = step(&e.s[0], i, ja, 0)
		jb, e.stream[1][at] = step(&e.s[1], i, jb, 0)
	}
	e.j[0], e.j[1] = ja, jb
}

func (e *Engine) stream3(steps int) {
	ja, jb, jc := e.j[0], e.j[1], e.j[2]
	for p := range steps {
		i, at := uint8(p), p&(stride-1)
		ja, e.stream[0][at] = step(&e.s[0], i, ja, 0)
		jb, e.stream[1][at] = step(&e.s[1], i, jb, 0)
		jc, e.stream[2][at] = step(&e.s[2], i, jc, 0)
	}
	e.j[0], e.j[1], e.j[2] = ja, jb, jc
}

func (e *Engine) stream4(steps int) {
	ja, jb, jc, jd := e.j[0], e.j[1], e.j[2], e.j[3]
	for p := range steps {
		i, at := uint8(p), p&(stride-1)
		ja, e.stream[0][at] = step(&e.s[0], i, ja, 0)
		jb, e.stream[1][at] = step(&e.s[1], i, jb, 0)
		jc, e.stream[2][at] = step(&e.s[2], i, jc, 0)
		jd, e.stream[3][at] = step(&e.s[3], i, jd, 0)
	}
	e.j[0], e.j[1], e.j[2], e.j[3] = ja, jb, jc, jd
}

func (e *Engine) mixed2(steps int) {
	ja, jb := e.j[0], e.j[1]
	for p := range steps {
		i, at := uint8(p), p&(stride-1)
		ja, e.stream[0][at] = step(&e.s[0], i, ja, e.key[0][i%longKey])
		jb, e.stream[1][at] = step(&e.s[1], i, jb, e.key[1][i%longKey])
	}
	e.j[0], e.j[1] = ja, jb
}

func (e *Engine) mixed3(steps int) {
	ja, jb, jc := e.j[0], e.j[1], e.j[2]
	for p := range steps {
		i, at := uint8(p), p&(stride-1)
		ja, e.stream[0][at] = step(&e.s[0], i, ja, e.key[0][i%longKey])
		jb, e.stream[1][at] = step(&e.s[1], i, jb, e.key[1][i%longKey])
		jc, e.stream[2][at] = step(&e.s[2], i, jc, e.key[2][i%longKey])
	}
	e.j[0], e.j[1], e.j[2] = ja, jb, jc
}

func (e *Engine) mixed4(steps int) {
	ja, jb, jc, jd := e.j[0], e.j[1], e.j[2], e.j[3]
	for p := range steps {
		i, at := uint8(p), p&(stride-1)
		ja, e.stream[0][at] = step(&e.s[0], i, ja, e.key[0][i%longKey])
		jb, e.stream[1][at] = step(&e.s[1], i, jb, e.key[1][i%longKey])
		jc, e.stream[2][at] = step(&e.s[2], i, jc, e.key[2][i%longKey])
		jd, e.stream[3][at] = step(&e.s[3], i, jd, e.key[3][i%longKey])
	}
	e.j[0], e.j[1], e.j[2], e.j[3] = ja, jb, jc, jd
}
