package ppp

import (
	"bytes"
	"time"
)

// policy is what LCP, CCP, IPCP and IPV6CP decide each for itself; the machine
// does all they have in common. Slices handed in alias the packet.
type policy interface {
	// reset begins a negotiation: we ask for all we want again. What review
	// has learnt about the peer stays.
	reset()
	// request gives the options of our next Configure-Request.
	request() []Option
	// review judges the peer's Configure-Request, and keeps what it asks for.
	// It returns the options to be named in a Configure-Nak (with the values we
	// would take) and those for a Configure-Reject, or neither: agreed.
	review(opts []Option) (nak, reject []Option)
	// acked: the peer agreed to our request. False: what was agreed on is of no
	// use; the changed request is sent.
	acked() bool
	// naked and rejected change our next request by what the peer answered.
	naked(opts []Option)
	rejected(opts []Option)
	// up and down are This-Layer-Up and This-Layer-Down, finished is
	// This-Layer-Finished, why says how it came to that.
	up(now time.Time)
	down(now time.Time)
	finished(now time.Time, why ending)
	// terminated: the peer sent a Terminate-Request.
	terminated(now time.Time, text string)
	// extra handles packets whose code only this protocol knows.
	extra(now time.Time, p Packet) (known bool)
}

// ending is how a negotiation ended.
type ending uint8

const (
	endClosed     ending = iota // as we asked
	endTimeout                  // the peer did not answer
	endNoConverge               // it answered on and on
	endRejected                 // it rejected the protocol, or a code nobody can do without
	endTerminated               // it closed the protocol, or agreed to our closing it
)

// machine runs the automaton for one protocol: it judges what came, keeps the
// Restart timer and the identifiers, and does the actions.
type machine struct {
	protocol Protocol
	policy   policy
	link     *Link

	state    State
	deadline time.Time // of the Restart timer; zero: stopped
	restarts int       // how often it may still lead to a retransmission
	attempt  int       // retransmissions since the last sign of progress: the timer grows
	why      ending

	id       byte      // the last Identifier used
	reqID    byte      // of our last Configure-Request
	request  []byte    // its options, as sent
	sentAt   time.Time // when it was sent
	answered bool      // it has its answer: a second one is a duplicate
	termID   byte      // of our Terminate-Request
	text     string    // its text
	unready  bool      // the answer was a Terminate-Ack: the peer has not opened the layer yet
	requests int       // Configure-Requests in this negotiation
	failures int       // Configure-Naks sent since we last agreed
	tired    bool      // they were Max-Failure: no more of them

	agreedID byte      // Identifier, options and time of the last
	agreed   []byte    // Configure-Request of the peer that we
	agreedAt time.Time // acknowledged, and how often it has
	repeats  int       // come again since
	nakedID  byte      // Identifier and options of the last one
	naked    []byte    // that got a Configure-Nak

	reply Packet // what sca, scn, sta, scj or ser send
}

// repeatSpan is how long a Configure-Request may be the repetition of one that
// was acknowledged, and repeatLimit how often it may be. Our tunables: longer
// than peers wait for the answer, and not for ever.
const (
	repeatSpan  = 10 * time.Second
	repeatLimit = 2
)

// open makes the layer wanted and its lower layer ready.
func (m *machine) open(now time.Time) {
	m.event(now, evOpen)
	if m.state == Starting {
		m.event(now, evUp)
	}
}

// close ends the layer; text goes with the Terminate-Request.
func (m *machine) close(now time.Time, text string) {
	m.text = text
	m.event(now, evClose)
}

// restart negotiates anew, which the peer learns from our Configure-Request.
func (m *machine) restart(now time.Time) {
	m.event(now, evDown)
	m.event(now, evUp)
}

// ready tells whether the layer below is up, so that packets are for the automaton.
func (m *machine) ready() bool { return m.state >= Closed }

// handle takes the information field of a frame of this protocol.
func (m *machine) handle(now time.Time, info []byte) {
	p, err := ParsePacket(info)
	if err != nil {
		m.link.stats.Malformed++
		return
	}
	if !m.ready() {
		m.link.stats.Unexpected++
		return
	}
	switch p.Code {
	case ConfigureRequest:
		m.configureRequest(now, p)
	case ConfigureAck, ConfigureNak, ConfigureReject:
		m.configureReply(now, p)
	case TerminateRequest:
		m.policy.terminated(now, printable(p.Data))
		m.why = endTerminated
		m.reply = Packet{Code: TerminateAck, ID: p.ID}
		m.event(now, evRTR)
	case TerminateAck:
		if (m.state == Closing || m.state == Stopping) && m.termID != 0 && p.ID != m.termID {
			m.link.stats.BadIdentifier++
			return
		}
		if m.why != endRejected { // our closing was about that
			m.why = endTerminated
		}
		m.unready = m.state.negotiating()
		m.event(now, evRTA)
	case CodeReject:
		m.codeReject(now, p)
	default:
		if m.policy.extra(now, p) {
			return
		}
		m.link.stats.UnknownCode++
		m.id++
		m.reply = Packet{Code: CodeReject, ID: m.id, Data: m.link.clip(info[:packetHeader+len(p.Data)])}
		m.event(now, evRUC)
	}
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

// configureRequest answers the peer's Configure-Request.
func (m *machine) configureRequest(now time.Time, p Packet) {
	opts, err := ParseOptions(p.Data)
	if err != nil {
		m.link.stats.Malformed++
		return
	}
	if m.state < ReqSent && m.state != Stopped {
		m.reply = Packet{Code: TerminateAck, ID: p.ID}
		m.event(now, evRCRp)
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
	m.reply = Packet{ID: p.ID}
	ev := evRCRm
	switch {
	case len(reject) > 0:
		m.reply.Code, m.reply.Data = ConfigureReject, AppendOptions(nil, reject)
	case len(nak) > 0:
		if !again {
			m.failures++
			m.nakedID, m.naked = p.ID, bytes.Clone(p.Data)
		}
		m.reply.Code, m.reply.Data = ConfigureNak, AppendOptions(nil, nak)
	default:
		m.failures = 0
		m.reply.Code, m.reply.Data = ConfigureAck, p.Data
		m.agreedID, m.agreed, m.agreedAt, m.repeats = p.ID, bytes.Clone(p.Data), now, 0
		ev = evRCRp
	}
	lost := m.state == ReqSent && ev == evRCRp
	m.event(now, ev)
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

// hurry shortens the wait for the answer to our Configure-Request when the
// peer is heard negotiating without having answered it: often the request was
// sent before the peer listened. Had it come through, its answer would follow
// the peer's own request closely; a retransmission too early is not harmless,
// because it takes a peer that is Opened already back to the start.
//
// Interop: pptpd answers the call before its pppd runs.
func (m *machine) hurry(now time.Time) {
	at := now.Add(m.link.cfg.Restart / 4)
	if t := m.sentAt.Add(m.link.cfg.Restart / 2); t.After(at) {
		at = t
	}
	if at.Before(m.deadline) {
		m.deadline = at
	}
}

// relax gives the answer to our Configure-Request the time that it is due, now
// that the peer is heard for the first time.
func (m *machine) relax() {
	if m.state.timed() && !m.deadline.IsZero() {
		m.deadline = m.sentAt.Add(m.link.cfg.Restart)
	}
}

// retry lets the Restart timer expire soon if the peer was not ready for our
// Configure-Request, and may be now.
func (m *machine) retry(now time.Time) {
	if m.unready && m.state.negotiating() {
		m.deadline = now
	}
}

// configureReply takes the answer to our Configure-Request. RFC 1661, Section
// 5.2: on Configure-Ack "the Identifier field MUST match that of the last
// transmitted Configure-Request", and the options must be the same; "invalid
// packets are silently discarded".
func (m *machine) configureReply(now time.Time, p Packet) {
	if m.state < ReqSent {
		m.reply = Packet{Code: TerminateAck, ID: p.ID}
		m.event(now, evRCA)
		return
	}
	if m.answered || p.ID != m.reqID {
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

// advance lets the Restart timer expire.
func (m *machine) advance(now time.Time) {
	if m.deadline.IsZero() || now.Before(m.deadline) {
		return
	}
	if m.restarts > 0 && m.requests < 4*m.link.cfg.MaxConfigure {
		m.event(now, evTOp)
		return
	}
	if m.state.negotiating() {
		m.why = endTimeout
	}
	m.event(now, evTOm)
}

// event moves the automaton.
func (m *machine) event(now time.Time, e event) {
	from := m.state
	c := transitions[e][from]
	if !c.legal {
		m.link.stats.Unexpected++
		return
	}
	m.state = c.next
	for _, a := range c.do {
		m.act(now, a, e, from)
	}
	switch {
	case !m.state.timed():
		m.deadline = time.Time{}
	case m.deadline.IsZero():
		m.deadline = now.Add(m.link.cfg.Restart)
	}
}

func (m *machine) act(now time.Time, a action, e event, from State) {
	switch a {
	case tlu:
		m.policy.up(now)
	case tld:
		m.policy.down(now)
	case tls:
	case tlf:
		m.policy.finished(now, m.why)
	case irc:
		m.attempt = 0
		m.restarts = m.link.cfg.MaxConfigure
		if m.state == Closing || m.state == Stopping {
			m.restarts = m.link.cfg.MaxTerminate
			m.id++
			m.termID = m.id
		}
	case zrc:
		// RFC 1661, Section 4.4: a pause "to allow the peer to process" the
		// Terminate-Ack; the layer is finished when the timer expires.
		m.restarts, m.attempt, m.termID = 0, 0, 0
		m.deadline = now.Add(m.link.cfg.Restart)
	case scr:
		if !from.negotiating() {
			m.requests, m.why = 0, endClosed
			m.policy.reset()
		}
		if e != evTOp {
			m.id++
			m.reqID = m.id
			m.request = AppendOptions(nil, m.policy.request())
		}
		m.requests++
		m.answered, m.unready = false, false
		m.sentAt = now
		m.arm(now)
		m.link.sendPacket(m.protocol, Packet{ConfigureRequest, m.reqID, m.request})
	case str:
		m.arm(now)
		m.link.sendPacket(m.protocol, Packet{TerminateRequest, m.termID, m.link.clip([]byte(m.text))})
	case sca, scn, sta, scj, ser:
		m.link.sendPacket(m.protocol, m.reply)
	}
}

// unheardRestart is the first Restart timer while nothing at all has come from
// the peer: it may not listen yet, as a client that opens its GRE socket after
// the call is connected. A repetition that proves needless does no harm then,
// as it arrives before the peer can be Opened.
//
// Interop: pppd waits a second for a first packet before it sends one.
const unheardRestart = 250 * time.Millisecond

// arm starts the Restart timer for something just sent: the first time for
// Config.Restart, then twice as long each time, up to Config.RestartMax.
func (m *machine) arm(now time.Time) {
	d := m.link.cfg.Restart
	if !m.link.heard {
		d = min(d, unheardRestart)
	}
	for i := 0; i < m.attempt && d < m.link.cfg.RestartMax; i++ {
		d *= 2
	}
	m.deadline = now.Add(min(d, max(m.link.cfg.RestartMax, m.link.cfg.Restart)))
	m.attempt++
	m.restarts--
}
