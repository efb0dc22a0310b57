// Package client is the calling side: it dials a PPTP server, brings up the
// tunnel with the routes that a profile asks for, keeps it up, and takes
// everything back at the end.
//
// A Session is one profile's tunnel, however often it has to be dialled. A
// Manager holds the sessions of the daemon and answers the control socket; see
// internal/control. The operating system is behind Platform, the route table
// behind routing.Applier.
//
// What goes through a tunnel comes from four places, which destinations keeps
// apart: the profile's subnets, its host names (kept current while it is up),
// what the user adds and takes out by hand, and what the server offers in answer
// to a DHCPINFORM, as far as pushPolicy allows. Every change of one of them is
// one Set of the applier, all of it or nothing.
package client
