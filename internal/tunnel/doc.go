// Package tunnel runs PPTP sessions: it feeds the protocol cores of
// internal/pptp, internal/gre, internal/ppp and internal/mppe with what comes
// off the network, performs what they ask for, and moves the packets.
//
// A Control is one control connection (RFC 2637, Section 2), a Session one of
// its calls. Client and server use the same two; they differ in the
// configuration and in who reads the GRE socket.
//
//	               Control ── a loop owns pptp.Conn
//	                  │  CallConnected, CallEnded
//	                  ▼
//	               Session ── a loop owns ppp.Link and the timer
//	                  ▲ control frames        │ keys, modes
//	                  │                       ▼
//	GRE socket ─► Receive: gre.Receiver ─► mppe.Opener ─► MSS ─► Joiner ───► TUN
//	GRE socket ◄─ transmit: gre.Sender ◄── mppe.Sealer ◄── MSS ◄─ Splitter ◄─ TUN
//
// The two lower lines are the data path. Each handles batches under one lock,
// so that sequence numbers, coherency counts and the order on the wire agree
// by construction: numbers are given, keys are used and packets are handed to
// the socket before the lock is let go. The loop takes the same locks to
// install keys and to send its own frames.
//
// # Who does the work
//
// A session that waits has no goroutine and no buffers; a server has thousands
// of them. All its work is done in turns, each by one goroutine at a time:
//
//	loop    control frames, requests, the timer      a goroutine while there is something to do
//	pump    TUN to GRE socket                        one of the Workers
//	stay    the same while packets keep coming       a goroutine that waits for the TUN
//	desk    what Hand left: GRE socket to TUN        one of the Workers
//
// and Receive is done by whoever reads the GRE socket. The room that packets
// need on their way, and the cipher's, comes from pools of as many pieces as
// there are goroutines at work. AdaptProcessors keeps Go's scheduler from
// waking processors that have nothing to do.
//
// # What the peer can take
//
// A gre.SendWindow limits what is in flight. While it is full the TUN is not
// read: its queue and TCP slow the senders down, and nothing is lost. An
// acknowledgement, or a deadline, lets stay go on.
//
// # What may pass
//
// The data path has a mode, closed at first. It opens when the network
// protocol is up: encrypted if MPPE is, in clear only where the configuration
// does not require MPPE and none was in force in this session before. What
// comes in is held to the same rule.
package tunnel
