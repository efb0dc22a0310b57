// Package ppp is the Point-to-Point Protocol as PPTP carries it: frames, the
// option negotiation automaton, LCP, CCP with MPPE, IPCP, IPV6CP, and the Link
// that runs them through the phases of a session. Authentication is package
// auth below it; encryption itself is not here: a Link negotiates keys and
// strength, and hands them out.
//
//	Link.Handle ─ ParseFrame ─┬─ LCP ───┐
//	                          ├─ CCP    │  one automaton (RFC 1661, Section 4),
//	                          ├─ IPCP   │  one policy each
//	                          ├─ IPV6CP ┘
//	                          └─ PAP, CHAP, EAP ─ package auth
//
// A Link knows no clock, socket, goroutine or log. It is told what came and
// what time it is, and asked what to do:
//
//	l := ppp.NewLink(ppp.Config{Role: ppp.Client, Auth: …, MPPE: ppp.MPPE{Require: true}})
//	l.Open(now)                  // the call is connected
//	l.Handle(now, frame)         // a frame came that is not data
//	l.Advance(now)               // l.Deadline() has passed
//	for ev := l.NextEvent(); ev != nil; ev = l.NextEvent() {
//		switch ev := ev.(type) {
//		case ppp.SendFrame:     // into GRE with it
//		case ppp.CompressionUp: // start keys and strength, for each direction
//		case ppp.NetworkUp:     // addresses: data may flow
//		case ppp.Finished:      // ev.Err says why
//		}
//	}
//
// # The order of things
//
// LCP comes first, then authentication, then CCP, then IPCP and IPV6CP, as
// pppd has it. Where MPPE is required IPCP waits for CCP, and what a peer asks
// of IPCP before that is kept and answered then. Where it is not, the two run
// side by side. NetworkUp is never handed out while required encryption is
// not up; when encryption ends in the middle of a session CompressionDown says
// so, no data may pass, and CCP is negotiated anew.
//
// # Directions
//
// A Configure-Request of CCP says what its sender can receive (RFC 1962,
// Section 4). So what the peer asks for and we acknowledge is how we send, and
// what it acknowledges to us is how it sends.
//
// # What is read
//
// RFC 1661 (PPP, LCP), 1662 (address and control field), 1570 (LCP extensions),
// 1332 and 1877 (IPCP and its name servers), 1962 (CCP), 3078 and 3079 (MPPE),
// 5072 (IPV6CP).
//
// # Limitations
//
// No multilink, no link quality reports, no callback, no header compression
// and no compression but MPPE's encryption: they are rejected when asked for.
// Character escapes mean nothing in PPTP, but their map is agreed to, because
// peers that speak HDLC on the way to their GRE socket escape less then.
package ppp
