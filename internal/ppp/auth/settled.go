package auth

import (
	"fmt"
	"time"
)

// Settled takes the place of an Authenticator that has let its peer in and will
// not ask again, and is much smaller. It is used in the same way; what is left
// to do is to repeat the packet that let the peer in, which may be lost: RFC
// 1994, Section 4.1, and RFC 1334, Section 2.2.1, ask for that as long as the
// link is up. It is not safe for concurrent use.
type Settled struct {
	method Method
	packet []byte // the one that let the peer in
	queue  []Event
}

// Settled gives what may take a's place from now on. Nil: there is still more
// for a to do, or NextEvent has something to give.
func (a *Authenticator) Settled() *Settled {
	b := a.base
	if b.state != stateOpen || !b.deadline.IsZero() || len(b.queue) > 0 {
		return nil
	}
	v := &Settled{method: b.method}
	switch m := a.m.(type) {
	case *papAuthenticator:
		v.packet = m.answer(0)
	case *chapAuthenticator:
		v.packet = m.reply
	case *eapAuthenticator:
		v.packet = m.reply
	}
	if v.packet == nil {
		return nil
	}
	return v
}

// Format keeps what a Settled holds out of every verb of fmt.
func (v *Settled) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "auth(%v)", v.method) }

// Start does nothing: authentication has been.
func (v *Settled) Start(time.Time) {}

// Handle is Authenticator.Handle.
func (v *Settled) Handle(_ time.Time, protocol uint16, b []byte) {
	in, ok := parsePacket(b)
	if !ok || protocol != v.method.Protocol() {
		return
	}
	reply := append([]byte(nil), v.packet...)
	switch id := &reply[1]; v.method {
	case PAP:
		ok = in.code == papRequest
		*id = in.id // whatever it is
	case EAP:
		ok = in.code == eapResponse && in.id == *id && len(in.data) > 0
	default:
		ok = (in.code == chapResponse || in.code == chapChange) && in.id == *id
	}
	if ok {
		v.queue = append(v.queue, Send{protocol, reply})
	}
}

// Advance does nothing: no time limit is left.
func (v *Settled) Advance(time.Time) {}

// Deadline is zero.
func (v *Settled) Deadline() time.Time { return time.Time{} }

// NextEvent is Authenticator.NextEvent: packets to be sent.
func (v *Settled) NextEvent() Event { return next(&v.queue) }
