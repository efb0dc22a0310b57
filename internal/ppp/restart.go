package ppp

import (
	"time"
)

// advance lets the Restart timer expire.
func (m *machine) advance(now time.Time) {
	if d := m.due(); d.IsZero() || now.Before(d) {
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

// due returns when the Restart timer expires; zero: it stands still.
func (m *machine) due() time.Time {
	if m == nil || m.talk == nil {
		return time.Time{}
	}
	return m.deadline
}

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

// unheardRestart is the first Restart timer while nothing at all has come from
// the peer: it may not listen yet, as a client that opens its GRE socket after
// the call is connected. A repetition that proves needless does no harm then,
// as it arrives before the peer can be Opened.
//
// Interop: pppd waits a second for a first packet before it sends one.
const unheardRestart = 250 * time.Millisecond

// relax gives the answer to our Configure-Request the time that it is due, now
// that the peer is heard for the first time.
func (m *machine) relax() {
	if m.state.timed() {
		m.deadline = m.sentAt.Add(m.link.cfg.Restart)
	}
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

// retry lets the Restart timer expire soon if the peer was not ready for our
// Configure-Request, and may be now.
func (m *machine) retry(now time.Time) {
	if m != nil && m.state.negotiating() && m.unready {
		m.deadline = now
	}
}
