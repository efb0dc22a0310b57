//go:build race

package mppe

// raceEnabled: the race detector makes sync.Pool forget things on purpose.
const raceEnabled = true
