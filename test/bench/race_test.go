//go:build race

package main

// raceEnabled tells that this is a build with the race detector.
const raceEnabled = true
