package mppe

// A turn moves some lanes on by the same number of steps, a multiple of 16, from
// RC4's i = 0 on. A lane may be scheduling a key, or giving stream. The loops
// treat one lane after the other, so that few registers are needed; it is the
// processor that overlaps them. Of scheduling there are 256 steps.
type turnKind uint8

const (
	turnSchedule2 turnKind = iota // both lanes schedule
	turnSchedule4                 // all lanes do
	turnStream2                   // both lanes give stream
	turnStream3                   // three do
	turnBeside4                   // three do, the fourth schedules
	turnMixed2                    // both give stream or, where their key is not zero, schedule
	turnMixed4                    // all do
)

// kindOf says how to move the first lanes, of which those in the mask schedule.
// It may move idle lanes behind them, too.
func kindOf(lanes int, scheduling uint8) turnKind {
	switch {
	case scheduling == 1<<lanes-1:
		if lanes <= 2 {
			return turnSchedule2
		}
		return turnSchedule4
	case scheduling == 0 && lanes <= 2:
		return turnStream2
	case scheduling == 0 && lanes == 3:
		return turnStream3
	case scheduling == 1<<3:
		return turnBeside4
	case lanes <= 2:
		return turnMixed2
	}
	return turnMixed4
}

// useAssembly is changed by tests alone.
var useAssembly = haveAssembly

func (e *Engine) turn(kind turnKind, steps int) {
	if useAssembly {
		e.turnAssembly(kind, steps)
		return
	}
	switch kind {
	case turnSchedule2:
		e.schedule2(steps)
	case turnSchedule4:
		e.schedule4(steps)
	case turnStream2:
		e.stream2(steps)
	case turnStream3:
		e.stream3(steps)
	case turnBeside4:
		e.beside4(steps)
	case turnMixed2:
		e.mixed2(steps)
	case turnMixed4:
		e.mixed4(steps)
	}
}

// swap is RC4's step of a key's schedule: i is the caller's, j is returned.
func swap(s *[256]uint32, i, j, key uint8) uint8 {
	x := s[i]
	j += uint8(x) + key
	s[i], s[j] = s[j], x
	return j
}

// step is swap with the octet of the stream. Where that counts, key is zero.
func step(s *[256]uint32, i, j, key uint8) (uint8, uint8) {
	x := s[i]
	j += uint8(x) + key
	y := s[j]
	s[i], s[j] = y, x
	return j, uint8(s[uint8(x+y)])
}

func (e *Engine) schedule2(steps int) {
	ja, jb := e.j[0], e.j[1]
	for p := range steps {
		i := uint8(p)
		ja = swap(&e.s[0], i, ja, e.key[0][i%longKey])
		jb = swap(&e.s[1], i, jb, e.key[1][i%longKey])
	}
	e.j[0], e.j[1] = ja, jb
}

func (e *Engine) schedule4(steps int) {
	ja, jb, jc, jd := e.j[0], e.j[1], e.j[2], e.j[3]
	for p := range steps {
		i := uint8(p)
		ja = swap(&e.s[0], i, ja, e.key[0][i%longKey])
		jb = swap(&e.s[1], i, jb, e.key[1][i%longKey])
		jc = swap(&e.s[2], i, jc, e.key[2][i%longKey])
		jd = swap(&e.s[3], i, jd, e.key[3][i%longKey])
	}
	e.j[0], e.j[1], e.j[2], e.j[3] = ja, jb, jc, jd
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

func (e *Engine) beside4(steps int) {
	ja, jb, jc, jd := e.j[0], e.j[1], e.j[2], e.j[3]
	for p := range steps {
		i, at := uint8(p), p&(stride-1)
		ja, e.stream[0][at] = step(&e.s[0], i, ja, 0)
		jb, e.stream[1][at] = step(&e.s[1], i, jb, 0)
		jc, e.stream[2][at] = step(&e.s[2], i, jc, 0)
		jd = swap(&e.s[3], i, jd, e.key[3][i%longKey])
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
