// Package arrows holds the rules of the source tree that a machine can check:
// who may import whom, gofmt, a package comment everywhere, no time.Sleep in
// tests.
package arrows
