// Package program tests what the built program must show on any Linux machine:
// that it is one static file, and that `goppptp lab` works and leaves nothing.
package program
