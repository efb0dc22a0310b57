// Package client is the calling side: it dials a PPTP server, brings up the
// tunnel with the routes that a profile asks for, keeps it up, and takes
// everything back at the end.
//
// A Session is one profile's tunnel, however often it has to be dialled. A
// Manager holds the sessions of the daemon and answers the control socket; see
// internal/control. The operating system is behind Platform, the route table
// behind routing.Applier.
package client
