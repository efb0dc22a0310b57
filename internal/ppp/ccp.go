package ppp

import (
	"strings"
	"time"
)

// Our tunables.
const (
	resetWait        = time.Second // for the answer to a Reset-Request
	stuckLimit       = 3           // Naks that bring nothing new before we give up
	renegotiateLimit = 5           // of CCP in the middle of a session, within renegotiateSpan
	renegotiateSpan  = time.Minute
	nonsenseLimit    = 3 // rejected protocols that we never sent
)

// ccp is the policy of the Compression Control Protocol (RFC 1962), whose one
// use here is MPPE (RFC 3078).
type ccp struct {
	l *Link

	ours   mppeBits // what we ask for, how we would receive; 0: nothing
	theirs mppeBits // what the peer asked for and we agreed to: how we send; 0: nothing
	agreed mppeBits // what the peer agreed to: how we receive

	heard     mppeBits // the last offer the peer made, in a request or a Nak
	heardAny  bool     // it has said something on the matter
	stateless bool
	isUp      bool
	wasUp     bool // in an earlier negotiation of this link

	resetDeadline time.Time // zero: no Reset-Request is unanswered
	resetAgain    bool      // another loss was seen while one was
	resetID       byte
	stuck         uint8
	nonsense      uint8
	anew          []time.Time
}

func (c *ccp) reset() {
	c.ours = c.l.cfg.MPPE.offer()
	if c.stateless {
		c.ours |= mppeStateless
	}
	c.agreed, c.stuck = 0, 0
	c.resetDeadline = time.Time{}
}

func (c *ccp) require() bool { return c.l.cfg.MPPE.Require }

// error makes the MPPEError of a failed negotiation. In detail "it" is the peer.
func (c *ccp) error(detail string) error {
	e := &MPPEError{Peer: c.l.cfg.Role.peer(), Ours: c.l.cfg.MPPE.words(), Detail: detail}
	if c.heardAny {
		e.Theirs = c.heard.String()
	} else if rest, ok := strings.CutPrefix(detail, "it "); ok {
		e.Detail = "the " + e.Peer + " " + rest
	}
	return e
}

// fail ends the link for want of encryption.
func (c *ccp) fail(detail string) { c.l.fail(c.error(detail), "MPPE required but not agreed on") }

// note keeps what a peer offers, for the MPPEError.
func (c *ccp) note(opts []Option) (o Option, bits mppeBits, ok bool) {
	o, found := find(opts, OptionMPPE)
	v, ok := o.uint32()
	if !found || !ok {
		return o, 0, false
	}
	c.heard, c.heardAny = mppeBits(v), true
	return o, mppeBits(v), true
}

func (c *ccp) request() []Option {
	if c.ours == 0 {
		return nil
	}
	return []Option{c.ours.option()}
}

func (c *ccp) review(opts []Option) (nak, reject []Option) {
	c.theirs = 0
	for _, o := range opts {
		if o.Type != OptionMPPE || len(o.Value) != 4 {
			reject = append(reject, o)
		}
	}
	o, asked, ok := c.note(opts)
	if !ok {
		if len(reject) == 0 && c.require() {
			// RFC 1661, Section 5.3: an option the peer left out may be appended
			// to a Configure-Nak, to have it asked for.
			if !c.heardAny {
				c.heard, c.heardAny = 0, true
			}
			return []Option{c.want()}, nil
		}
		return nil, reject
	}
	allowed := c.l.cfg.MPPE.offer()
	best := (asked & allowed & mppeStrengths).strongest()
	if best == 0 {
		if !c.require() {
			return nil, append(reject, o)
		}
		// It may be able to do what it did not ask for.
		if c.l.ccpM.tired {
			c.fail("")
		}
		return []Option{c.want()}, reject
	}
	want := best | asked&mppeStateless
	if !c.l.cfg.MPPE.Stateful {
		want |= mppeStateless
	}
	if asked != want {
		return []Option{want.option()}, reject
	}
	c.theirs = want
	return nil, reject
}

// want is the option we would agree to when the peer has none that will do.
func (c *ccp) want() Option { return c.l.cfg.MPPE.offer().strongest().option() }

func (c *ccp) acked() bool {
	if c.ours != 0 && !c.ours.single() {
		// It agreed to several key lengths, which leaves open which it uses.
		c.ours = c.ours.strongest()
		return false
	}
	c.agreed = c.ours
	return true
}

func (c *ccp) naked(opts []Option) {
	before := c.ours
	if _, v, ok := c.note(opts); ok && c.ours != 0 {
		allowed := c.l.cfg.MPPE.offer()
		mode := mppeStateless
		if v.stateful() && c.l.cfg.MPPE.Stateful {
			mode = 0
		}
		if best := (v & allowed & mppeStrengths).strongest(); best != 0 {
			c.ours = best | mode
		} else if c.require() {
			c.fail("")
		} else {
			c.ours = 0
		}
	}
	if c.ours == before {
		if c.stuck++; c.stuck >= stuckLimit {
			c.without("it keeps to what it asked for")
		}
	}
}

func (c *ccp) rejected(opts []Option) {
	if c.ours.stateful() && c.ours != 0 && c.l.cfg.MPPE.Stateful {
		// Interop: pppd rejects stateful mode, where it does not like it, rather
		// than to offer the other.
		c.stateless = true
		c.ours |= mppeStateless
		return
	}
	if !c.heardAny {
		c.heard, c.heardAny = 0, true
	}
	c.without("it rejected MPPE")
}

// without gives MPPE up, or the link where it is required.
func (c *ccp) without(detail string) {
	if c.require() {
		c.fail(detail)
		return
	}
	c.ours = 0
}

func (c *ccp) up(now time.Time) {
	if c.agreed == 0 || c.theirs == 0 {
		switch {
		case c.require():
			c.fail("")
		case c.agreed != c.theirs:
			// One direction alone: better none, and both sides knowing it.
			c.l.ccpM.close(now, "MPPE in one direction only")
		}
		return
	}
	c.isUp, c.wasUp, c.nonsense = true, true, 0
	c.l.emit(CompressionUp{
		SendBits: c.theirs.keyLen(), SendStateful: c.theirs.stateful(), SendKey: c.l.sendKey,
		RecvBits: c.agreed.keyLen(), RecvStateful: c.agreed.stateful(), RecvKey: c.l.recvKey,
	})
	c.l.compressionUp(now)
}

func (c *ccp) down(now time.Time) {
	c.resetDeadline = time.Time{}
	if c.isUp {
		c.isUp = false
		c.l.emit(CompressionDown{})
	}
}

func (c *ccp) finished(now time.Time, why ending) {
	if !c.require() || c.l.ending() {
		return
	}
	switch why {
	case endTerminated:
		if c.wasUp {
			c.again(now, "it closed CCP")
			return
		}
		c.fail("it closed CCP")
	case endRejected:
		c.fail("it has no MPPE: it rejected CCP")
	case endNoConverge:
		c.fail("it refuses what we ask for again and again")
	default:
		c.fail("it does not answer CCP")
	}
}

func (c *ccp) terminated(now time.Time, text string) {
	if c.require() && !c.isUp && c.l.ccpM.state.negotiating() {
		c.fail("it closed CCP")
	}
}

// extra handles the resets (RFC 1962, Section 3).
func (c *ccp) extra(now time.Time, p Packet) bool {
	switch p.Code {
	case ResetRequest:
		if c.isUp {
			c.l.emit(CompressionFlush{})
			// RFC 3078, Section 8, does without the answer. Interop: Linux drops
			// what comes until it has it.
			c.l.sendPacket(ProtocolCCP, Packet{ResetAck, p.ID, nil})
		}
	case ResetAck:
		if c.resetDeadline.IsZero() || p.ID != c.resetID {
			c.l.stats.BadIdentifier++
			return true
		}
		c.resetDeadline, c.resetAgain = time.Time{}, false
		c.l.emit(CompressionResetAcked{})
	default:
		return false
	}
	return true
}

// requestReset sends a Reset-Request, or notes that one more is due: should
// the one under way get no answer, packets still missing ask for another.
func (c *ccp) requestReset(now time.Time) {
	if !c.isUp {
		return
	}
	if !c.resetDeadline.IsZero() {
		c.resetAgain = true
		return
	}
	c.l.ccpM.id++
	c.resetID = c.l.ccpM.id
	c.sendReset(now)
}

func (c *ccp) sendReset(now time.Time) {
	c.resetAgain = false
	c.resetDeadline = now.Add(resetWait)
	c.l.sendPacket(ProtocolCCP, Packet{ResetRequest, c.resetID, nil})
}

func (c *ccp) advance(now time.Time) {
	if c.resetDeadline.IsZero() || now.Before(c.resetDeadline) {
		return
	}
	if c.resetAgain {
		c.sendReset(now)
		return
	}
	// RFC 3078 has no Reset-Ack: a peer that keeps to it has flushed by now.
	c.resetDeadline = time.Time{}
}

// again negotiates anew in the middle of a session, but not forever.
//
// Interop: pppd ends the session over it, with "MPPE disabled". It is over
// anyway when one side cannot read what the other sends.
func (c *ccp) again(now time.Time, detail string) {
	for len(c.anew) > 0 && now.Sub(c.anew[0]) > renegotiateSpan {
		c.anew = c.anew[1:]
	}
	if len(c.anew) >= renegotiateLimit {
		c.fail("encryption fails again and again: " + detail)
		return
	}
	c.anew = append(c.anew, now)
	c.l.ccpM.restart(now)
}

// rejectedNonsense: the peer rejects a protocol that we never sent, so what it
// decrypts makes no sense.
func (c *ccp) rejectedNonsense(now time.Time) {
	if !c.isUp {
		return
	}
	if c.nonsense++; c.nonsense >= nonsenseLimit {
		c.l.emit(Message{"the peer cannot read what we encrypt: negotiating MPPE anew"})
		c.again(now, "the peer cannot read what we send")
	}
}
