package ppp

import (
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
// Restart timer and the identifiers, and does the actions. A nil machine is that
// of a protocol we do not have.
type machine struct {
	policy policy
	link   *Link
	*talk  // nil: the Restart timer stands still

	agreed   []byte    // options, time and Identifier of the last
	agreedAt time.Time // Configure-Request of the peer that we
	agreedID byte      // acknowledged, and how often it has
	repeats  uint8     // come again since

	protocol Protocol
	state    State
	why      ending
	id       byte // the last Identifier used
}

// talk is what a machine must know only while it waits for the peer: there is
// one in the states in which the Restart timer runs (State.timed), and not in
// Opened, in which links spend their lives.
type talk struct {
	deadline time.Time // of the Restart timer
	restarts int       // how often it may still lead to a retransmission
	attempt  int       // retransmissions since the last sign of progress: the timer grows

	request  []byte    // the options of our last Configure-Request, as sent
	sentAt   time.Time // when it was sent
	requests int       // Configure-Requests in this negotiation
	failures int       // Configure-Naks sent since we last agreed
	naked    []byte    // options and Identifier of the last
	nakedID  byte      // Configure-Request that got one
	tired    bool      // they were Max-Failure: no more of them
	reqID    byte      // of our last Configure-Request
	answered bool      // it has its answer: a second one is a duplicate
	unready  bool      // the answer was a Terminate-Ack: the peer has not opened the layer yet
	termID   byte      // of our Terminate-Request
	text     string    // its text
}

// begin makes sure that there is a talk.
func (m *machine) begin() {
	if m.talk == nil {
		m.talk = &talk{restarts: m.link.cfg.MaxConfigure}
	}
}

// open makes the layer wanted and its lower layer ready.
func (m *machine) open(now time.Time) {
	m.event(now, evOpen)
	if m.state == Starting {
		m.event(now, evUp)
	}
}

// close ends the layer; text goes with the Terminate-Request.
func (m *machine) close(now time.Time, text string) {
	m.begin()
	m.text = text
	m.event(now, evClose)
}

// restart negotiates anew, which the peer learns from our Configure-Request.
func (m *machine) restart(now time.Time) {
	m.event(now, evDown)
	m.event(now, evUp)
}

// ready tells whether the layer below is up, so that packets are for the automaton.
func (m *machine) ready() bool { return m != nil && m.state >= Closed }

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
		m.answer(now, evRTR, Packet{Code: TerminateAck, ID: p.ID})
	case TerminateAck:
		if (m.state == Closing || m.state == Stopping) && m.termID != 0 && p.ID != m.termID {
			m.link.stats.BadIdentifier++
			return
		}
		if m.why != endRejected { // our closing was about that
			m.why = endTerminated
		}
		if m.state.negotiating() {
			m.unready = true
		}
		m.event(now, evRTA)
	case CodeReject:
		m.codeReject(now, p)
	default:
		if m.policy.extra(now, p) {
			return
		}
		m.link.stats.UnknownCode++
		m.id++
		m.answer(now, evRUC, Packet{Code: CodeReject, ID: m.id, Data: m.link.clip(info[:packetHeader+len(p.Data)])})
	}
}

// event moves the automaton, where what it sends does not answer a packet.
func (m *machine) event(now time.Time, e event) { m.answer(now, e, Packet{}) }

// answer moves the automaton; reply is what sca, scn, sta, scj and ser send.
func (m *machine) answer(now time.Time, e event, reply Packet) {
	from := m.state
	c := transitions[e][from]
	if !c.legal {
		m.link.stats.Unexpected++
		return
	}
	m.state = c.next
	for _, a := range c.do {
		m.act(now, a, e, from, reply)
	}
	if !m.state.timed() {
		m.talk = nil
		return
	}
	m.begin()
	if m.deadline.IsZero() {
		m.deadline = now.Add(m.link.cfg.Restart)
	}
}

func (m *machine) act(now time.Time, a action, e event, from State, reply Packet) {
	if a == irc || a == zrc || a == scr || a == str {
		m.begin()
	}
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
		m.link.sendPacket(m.protocol, reply)
	}
}
