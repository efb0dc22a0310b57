// Package roaming tests, with the built program in network namespaces, what
// becomes of a tunnel when the machine's network changes under it: another
// uplink, a link that goes down and comes back, routes that somebody deletes,
// sleep, and a server that goes away while nothing may leak.
package roaming
