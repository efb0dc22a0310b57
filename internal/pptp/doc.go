// Package pptp is the control half of PPTP (RFC 2637, Sections 2 and 3): the control messages, and Conn, the core of one
// control connection with its calls, for the client (PNS) and the server (PAC). Conn knows no clock and no socket:
//
//	c := pptp.NewConn(pptp.Config{Role: pptp.Client})
//	c.Start(now)
//	c.PlaceCall(now, callID)
//	for {
//		for ev := c.NextEvent(); ev != nil; ev = c.NextEvent() {
//			// Send: write it to the TCP connection. CallConnected: open GRE. Closed: close the TCP connection.
//		}
//		// wait for octets, the deadline, or the user: Handle, Advance or Clear, Stop
//	}
//
// # How a connection ends
//
// Closed is the last event, and every call known to the caller has its CallEnded before it. A client that is done
// calls Clear, awaits CallEnded, calls Stop and awaits Closed; both come without error even where the server merely drops the
// TCP connection, as pptpd does, or says nothing for a few seconds. Send events come before the Closed that follows them
// and are to be written before the TCP connection is closed.
//
// # What is tolerated
//
// Reserved fields are not looked at. Result 0 counts as success. Unknown messages, and messages for calls that do
// not exist, are ignored, the former up to a number a minute. Call-Disconnect-Notify is understood with either side's
// number for the call. What cannot be tolerated is a wrong magic cookie, or a length that is not the type's: the message
// boundaries are lost then.
//
// # Limitations
//
// No incoming calls: an Incoming-Call-Request is answered with "do not accept". The collision of two control connections
// (Section 3.1.3) needs a view of both and is not resolved here; a Start-Control-Connection-Request on a connection that
// has one already is refused.
package pptp
