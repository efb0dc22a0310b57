package ppp

import (
	"bytes"
	"time"
)

// repeatSpan is how long a Configure-Request may be the repetition of one that
// was acknowledged, and repeatLimit how often it may be. Our tunables: longer
// than peers wait for the answer, and not for ever.
const (
	repeatSpan  = 10 * time.Second
	repeatLimit = 2
)

// configureRequest answers the peer's Configure-Request.
func (m *machine) configureRequest(now time.Time, p Packet) {
	opts, err := ParseOptions(p.Data)
	if err != nil {
		m.link.stats.Malformed++
		return
	}
	if m.state < ReqSent && m.state != Stopped {
		m.answer(now, evRCRp, Packet{Code: TerminateAck, ID: p.ID})
		return
	}
	if m.state == Opened && p.ID == m.agreedID && bytes.Equal(p.Data, m.agreed) &&
		now.Sub(m.agreedAt) < repeatSpan && m.repeats < repeatLimit {
		// Ours is the Configure-Ack that was lost: a peer that had it would have
		// used another Identifier (RFC 1661, Section 5.1). Where the table would
		// begin again from the start a second one mends it. If it does not, the
		// peer misses something else, and the table is right.
		m.repeats++
		m.agreedAt = now
		m.link.sendPacket(m.protocol, Packet{ConfigureAck, p.ID, p.Data})
		return
	}
	m.begin()
	if !m.state.negotiating() {
		m.failures = 0
	}
	// A request that comes again because our answer was lost is no further try.
	again := m.failures > 0 && p.ID == m.nakedID && bytes.Equal(p.Data, m.naked)
	m.tired = m.failures >= m.link.cfg.MaxFailure && !again
	nak, reject := m.policy.review(opts)
	if len(reject) == 0 && len(nak) > 0 && m.tired {
		// RFC 1661, Section 4.6: after Max-Failure Configure-Naks further ones
		// "are converted to Configure-Reject packets".
		nak, reject = nil, named(opts, nak)
	}
	reply := Packet{ID: p.ID}
	ev := evRCRm
	switch {
	case len(reject) > 0:
		reply.Code, reply.Data = ConfigureReject, AppendOptions(nil, reject)
	case len(nak) > 0:
		if !again {
			m.failures++
			m.nakedID, m.naked = p.ID, bytes.Clone(p.Data)
		}
		reply.Code, reply.Data = ConfigureNak, AppendOptions(nil, nak)
	default:
		m.failures = 0
		reply.Code, reply.Data = ConfigureAck, p.Data
		m.agreedID, m.agreed, m.agreedAt, m.repeats = p.ID, bytes.Clone(p.Data), now, 0
		ev = evRCRp
	}
	lost := m.state == ReqSent && ev == evRCRp
	m.answer(now, ev, reply)
	if lost && m.state == AckSent {
		m.hurry(now)
	}
}

// named returns those of opts whose type occurs in which.
func named(opts, which []Option) []Option {
	var out []Option
	for _, o := range opts {
		if _, ok := find(which, o.Type); ok {
			out = append(out, o)
		}
	}
	return out
}

// configureReply takes the answer to our Configure-Request. RFC 1661, Section
// 5.2: on Configure-Ack "the Identifier field MUST match that of the last
// transmitted Configure-Request", and the options must be the same; "invalid
// packets are silently discarded".
func (m *machine) configureReply(now time.Time, p Packet) {
	if m.state < ReqSent {
		m.answer(now, evRCA, Packet{Code: TerminateAck, ID: p.ID})
		return
	}
	if m.state == Opened || m.answered || p.ID != m.reqID { // Opened: it had its answer
		m.link.stats.BadIdentifier++
		return
	}
	opts, err := ParseOptions(p.Data)
	if err != nil {
		m.link.stats.Malformed++
		return
	}
	ev := evRCN
	switch p.Code {
	case ConfigureAck:
		if !bytes.Equal(p.Data, m.request) {
			m.link.stats.Malformed++
			return
		}
		m.answered = true
		if m.policy.acked() {
			ev = evRCA
		}
	case ConfigureNak:
		m.answered = true
		m.policy.naked(opts)
	case ConfigureReject:
		sent, _ := ParseOptions(m.request)
		if len(opts) == 0 || len(named(opts, sent)) != len(opts) {
			m.link.stats.Malformed++
			return
		}
		m.answered = true
		m.policy.rejected(opts)
	}
	if ev == evRCN && m.requests >= 4*m.link.cfg.MaxConfigure {
		m.why, ev = endNoConverge, evTOm
	}
	m.event(now, ev)
}

// codeReject takes a Code-Reject. RFC 1661, Section 4.3: the rejection of a
// code that the automaton lives by ends the layer; others are done without.
func (m *machine) codeReject(now time.Time, p Packet) {
	if len(p.Data) == 0 {
		m.link.stats.Malformed++
		return
	}
	switch c := Code(p.Data[0]); {
	case c >= ConfigureRequest && c <= CodeReject:
		m.why = endRejected
		m.event(now, evRXJm)
	default:
		if m.protocol == ProtocolLCP && c == EchoRequest {
			m.link.echo.stop()
		}
		m.event(now, evRXJp)
	}
}
