//go:build !purego

package mppe

const haveAssembly = true

// turnAssembly is turn in assembly.
func (e *Engine) turnAssembly(lanes, steps int, mixed bool) {
	switch {
	case lanes <= 2 && mixed:
		mixedTwo(e, steps)
	case lanes <= 2:
		streamTwo(e, steps)
	case lanes == 3 && mixed:
		mixedThree(e, steps)
	case lanes == 3:
		streamThree(e, steps)
	case mixed:
		mixedFour(e, steps)
	default:
		streamFour(e, steps)
	}
}

// What the methods of lanes.go do; steps is a multiple of 16, and not 0.

//go:noescape
func streamTwo(e *Engine, steps int)

//go:noescape
func streamThree(e *Engine, steps int)

//go:noescape
func streamFour(e *Engine, steps int)

//go:noescape
func mixedTwo(e *Engine, steps int)

//go:noescape
func mixedThree(e *Engine, steps int)

//go:noescape
func mixedFour(e *Engine, steps int)
