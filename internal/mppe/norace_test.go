//go:build !race

package mppe

const raceEnabled = false
