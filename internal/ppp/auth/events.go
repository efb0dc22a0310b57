package auth

import "goppptp/internal/mschap"

// Event is what a core asks of its owner: Send, Done, Renewed, Failed or Notice.
type Event interface{ isEvent() }

// Send asks for Packet, the information field of a PPP frame, to be sent. The
// slice belongs to the receiver of the event.
type Send struct {
	Protocol uint16
	Packet   []byte
}

// Done tells that authentication has succeeded. It comes once.
type Done struct{ Result }

// Renewed tells that a further authentication, during the session, has
// succeeded. Interop: pppd takes the start keys of its next CCP negotiation
// from the last authentication, so those of this Result replace the former.
type Renewed struct{ Result }

// Failed tells that authentication, or a later renewal of it, has failed: the
// link must go down. It comes once, and no Done after it.
type Failed struct{ Err error }

// Notice is a text from the other side for the log (EAP Notification).
type Notice struct{ Text string }

func (Send) isEvent()    {}
func (Done) isEvent()    {}
func (Renewed) isEvent() {}
func (Failed) isEvent()  {}
func (Notice) isEvent()  {}

// Result says who was authenticated and how.
type Result struct {
	User      string // the name as it was sent, DOMAIN\ included
	Method    Method
	EAPMethod string // "md5" or "mschapv2" where Method is EAP
	Message   string // what the server said; printable
	// PasswordChanged tells that the expired password was replaced by the new one.
	PasswordChanged bool

	keys **keys // nil: the method gives none. So far away that no verb of fmt prints it
}

// keys is what MPPE's start keys are made of (RFC 3079).
type keys struct {
	version    int // of MS-CHAP: 1 or 2
	hashHash   [16]byte
	challenge  [8]byte  // version 1
	ntResponse [24]byte // version 2
}

// hold makes the Result.keys of k.
func hold(k keys) **keys {
	p := &k
	return &p
}

// StartKeys gives MPPE's start keys: what we seal with and what we open with.
// server tells which role we have. ok is false where the method gives no keys:
// PAP, CHAP, EAP with MD5.
func (r *Result) StartKeys(server bool) (send, recv mschap.Key, ok bool) {
	if r.keys == nil {
		return send, recv, false
	}
	k := *r.keys
	if k.version == 1 {
		key := mschap.StartKeyV1(k.hashHash, k.challenge)
		return key, key, true
	}
	send, recv = mschap.StartKeysV2(k.hashHash, k.ntResponse, server)
	return send, recv, true
}
