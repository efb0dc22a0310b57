//go:build race

package control

// underRace says that every memory access takes several times as long.
const underRace = true
