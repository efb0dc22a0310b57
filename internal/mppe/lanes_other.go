//go:build !amd64 || purego

package mppe

const haveAssembly = false

func (e *Engine) turnAssembly(turnKind, int) {}
