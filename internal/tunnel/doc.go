// Package tunnel runs PPTP sessions: it feeds the protocol cores of
// internal/pptp, internal/gre, internal/ppp and internal/mppe with what comes
// off the network, performs what they ask for, and moves the packets.
//
// A Control is one control connection (RFC 2637, Section 2), a Session one of
// its calls. Client and server use the same two; they differ in the
// configuration and in who reads the GRE socket.
//
//	               Control ── one goroutine owns pptp.Conn
//	                  │  CallConnected, CallEnded
//	                  ▼
//	               Session ── one goroutine owns ppp.Link and the timer
//	                  ▲ control frames        │ keys, modes
//	                  │                       ▼
//	GRE socket ─► Receive: gre.Receiver ─► mppe.Opener ─► MSS ─► TUN
//	GRE socket ◄─ transmit: gre.Sender ◄── mppe.Sealer ◄── MSS ◄─ TUN
//
// The two lower lines are the data path. Each handles batches under one lock,
// so that sequence numbers, coherency counts and the order on the wire agree
// by construction: numbers are given, keys are used and packets are handed to
// the socket before the lock is let go. The loop takes the same locks to
// install keys and to send its own frames.
//
// # What may pass
//
// The data path has a mode, closed at first. It opens when the network
// protocol is up: encrypted if MPPE is, in clear only where the configuration
// does not require MPPE and none was in force in this session before. What
// comes in is held to the same rule.
package tunnel
