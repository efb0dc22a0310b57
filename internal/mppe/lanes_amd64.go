//go:build !purego

package mppe

const haveAssembly = true

// turnAssembly is turn in assembly.
func (e *Engine) turnAssembly(kind turnKind, steps int) {
	switch kind {
	case turnSchedule2:
		schedule2(e, steps)
	case turnSchedule4:
		schedule4(e, steps)
	case turnStream2:
		stream2(e, steps)
	case turnStream3:
		stream3(e, steps)
	case turnBeside4:
		beside4(e, steps)
	case turnMixed2:
		mixed2(e, steps)
	case turnMixed4:
		mixed4(e, steps)
	}
}

// What the methods of lanes.go do.

//go:noescape
func schedule2(e *Engine, steps int)

//go:noescape
func schedule4(e *Engine, steps int)

//go:noescape
func stream2(e *Engine, steps int)

//go:noescape
func stream3(e *Engine, steps int)

//go:noescape
func beside4(e *Engine, steps int)

//go:noescape
func mixed2(e *Engine, steps int)

//go:noescape
func mixed4(e *Engine, steps int)
