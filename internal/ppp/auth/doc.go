// Package auth holds the authentication protocols of PPP as cores, in both
// roles: PAP (RFC 1334), CHAP with MD5 (RFC 1994), MS-CHAP (RFC 2433),
// MS-CHAPv2 (RFC 2759) with the change of an expired password, and EAP (RFC
// 3748) with MD5-Challenge and MSCHAPv2 (type 26, draft-kamath-pppext-eap-mschapv2).
//
// A Peer proves who we are; an Authenticator checks who somebody else is.
// Neither knows a clock, a socket or a log. Both are used alike:
//
//	p := auth.NewPeer(auth.MSCHAPv2, auth.PeerConfig{User: "sio4", Password: "…"})
//	p.Start(now)
//	p.Handle(now, auth.ProtocolCHAP, info)   // what came in a PPP frame
//	for ev := p.NextEvent(); ev != nil; ev = p.NextEvent() {
//		switch ev := ev.(type) {
//		case auth.Send:    // ev.Packet goes out as PPP protocol ev.Protocol
//		case auth.Done:    // ev.Result says who, and gives the MPPE start keys
//		case auth.Failed:  // ev.Err is an *Error, a *ServerError or a *TimeoutError
//		case auth.Renewed: // the peer was asked again during the session, and passed
//		case auth.Notice:  // a text of the other side, for the log
//		}
//	}
//	timer(p.Deadline()) // then p.Advance(now)
//
// After Done a core goes on answering: a Peer answers further challenges, an
// Authenticator repeats its verdict for a repeated response, and challenges
// again where its Config says how often. Where it does not, a
// Settled may take the Authenticator's place.
//
// # What is proved
//
// With MSCHAPv2 and with EAP-MSCHAPv2 both sides prove that they know the
// secret: a Peer reports Done only after the server's proof was checked, and
// ends with a *ServerError, without keys, where that is wrong. With the other
// methods the server proves nothing, and who takes the password with PAP has it.
//
// An Authenticator treats an unknown user as it treats a wrong password: the
// same work, the same packets. Only the error handed to its owner tells which.
//
// # Limitations
//
// MS-CHAP version 1 has no change of password here, and its LAN Manager
// response is neither sent nor accepted. EAP knows no expanded types, and a Peer
// of EAP with MD5 whose Success is lost ends in a *TimeoutError: only a
// server's request may be repeated there, and Success is none.
package auth
