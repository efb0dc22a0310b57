package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
)

// maxCalls is how many calls one control connection may have at a time.
const maxCalls = 128

// ownWindow is how many packets a client is told that we hold. It is not what our
// own client says, which believes no server that repeats its number.
const ownWindow = 2048

// Why a session or a control connection ended, where no other error says it.
var (
	errHandshake   = errors.New("no authenticated session in time")
	errCallCleared = errors.New("the client cleared the call")
	errStopped     = errors.New("the server stopped")
)

// control is one control connection and its calls.
type control struct {
	srv   *Server
	tc    *tunnel.Control
	peer  netip.AddrPort
	local netip.Addr
	log   *slog.Logger

	mu            sync.Mutex
	sessions      []*session  // mu guards; few: most have one
	pending       int         // mu guards; sessions not authenticated
	authenticated int         // mu guards
	counted       bool        // mu guards; among the gate's
	timer         *time.Timer // mu guards; while counted
	closed        bool        // mu guards; no more sessions
	left          int         // mu guards; sessions that are not gone
	err           error       // mu guards; why it was closed
}

// serveControl begins to serve a connection that the gate let in.
func (s *Server) serveControl(conn net.Conn, peer netip.AddrPort) {
	c := &control{srv: s, peer: peer, counted: true}
	c.log = logOf(s.log.Handler(), c, nil)
	c.tc = tunnel.NewControl(conn, tunnel.ControlConfig{
		PPTP: pptp.Config{Role: pptp.Server, HostName: s.policy.Load().cfg.Name, Vendor: s.opts.Vendor, MaxCalls: maxCalls, Window: ownWindow},
		Log:  c.log,
		// The control connection's loop calls it.
		OnEvent: c.event,
	})
	c.local = c.tc.LocalAddr().Addr()
	if !s.addControl(c) {
		conn.Close()
		s.gate.leave(peer.Addr())
		return
	}
	c.timer = time.AfterFunc(s.gate.limits.Handshake, c.handshakeOver)
	s.floods.info(c.log, "control connection started", "port", peer.Port())
	c.tc.Start(c.end)
}

// end ends what still belongs to the connection, which is closed.
func (c *control) end(err error) {
	cause := errors.New("the control connection ended")
	if err != nil {
		cause = fmt.Errorf("the control connection ended: %w", err)
	}
	c.mu.Lock()
	c.closed, c.err = true, err
	c.left++ // until all are told
	c.stopTimerLocked()
	if c.counted {
		c.counted = false
		c.srv.gate.leave(c.peer.Addr())
	}
	left := slices.Clone(c.sessions)
	c.mu.Unlock()
	for _, s := range left {
		s.callEnded(cause)
	}
	c.sessionGone()
}

// sessionGone: one session less is left. The last one turns off the light.
func (c *control) sessionGone() {
	c.mu.Lock()
	c.left--
	last := c.left == 0 && c.closed
	err := c.err
	c.mu.Unlock()
	if !last {
		return
	}
	reason := "orderly"
	if err != nil {
		reason = err.Error()
	}
	c.srv.floods.info(c.log, "control connection ended", "reason", reason)
	c.srv.removeControl(c)
}

func (c *control) stopTimerLocked() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// handshakeOver ends a connection that has taken too long to authenticate.
func (c *control) handshakeOver() {
	c.mu.Lock()
	late := c.counted && !c.closed
	c.mu.Unlock()
	if late {
		c.tc.Abort(errHandshake)
	}
}

// event is told what happens on the connection. It does not block.
func (c *control) event(ev pptp.Event) {
	switch ev := ev.(type) {
	case pptp.Established:
		c.log.Debug("control connection established", "host", ev.Peer.HostName, "vendor", ev.Peer.Vendor)
	case pptp.CallOffered:
		c.offered(ev)
	case pptp.CallConnected:
		if s := c.session(ev.CallID); s != nil {
			s.start()
		}
	case pptp.CallEnded:
		s := c.session(ev.CallID)
		if ev.CallID == 0 { // before our answer came into effect
			s = c.unanswered(ev.PeerCallID)
		}
		if s != nil {
			err := ev.Err
			if err == nil {
				err = errCallCleared
			}
			s.callEnded(err)
		}
	case pptp.LinkInfo:
		// Character maps belong to asynchronous lines; there are none here.
		c.log.Debug("link info ignored", "call", ev.CallID)
	}
}

func (c *control) session(callID uint16) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		if s.callID == callID {
			return s
		}
	}
	return nil
}

// unanswered finds the session of a call that the client knows as peerCallID and
// that is not connected yet.
func (c *control) unanswered(peerCallID uint16) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		if s.peerCallID == peerCallID && !s.isStarted() {
			return s
		}
	}
	return nil
}

// offered decides about a call, before anything is made for it.
func (c *control) offered(offer pptp.CallOffered) {
	peerCallID := offer.PeerCallID
	c.mu.Lock()
	pending := c.pending
	c.mu.Unlock()
	if pending >= c.srv.gate.limits.PendingCalls {
		c.srv.floods.warn(c.log, "call refused", "reason", fmt.Sprintf("%d calls of this connection are not authenticated yet", pending))
		c.tc.Refuse(peerCallID, pptp.CallBusy, 0)
		return
	}
	if err := c.srv.roomForSession(); err != nil {
		c.srv.floods.warn(c.log, "call refused", "reason", err)
		c.tc.Refuse(peerCallID, pptp.CallGeneralError, pptp.ErrorNoResource)
		return
	}
	s, ok := c.srv.newSession(c, offer)
	if !ok {
		c.tc.Refuse(peerCallID, pptp.CallGeneralError, pptp.ErrorNoResource)
		return
	}
	c.tc.Answer(peerCallID, s.callID)
}

// add takes a session in; false when the connection has ended.
func (c *control) add(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.sessions = append(c.sessions, s)
	c.pending++
	c.left++
	return true
}

// sessionAuthenticated: the connection is no stranger's any more.
func (c *control) sessionAuthenticated() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending--
	c.authenticated++
	if c.counted {
		c.counted = false
		c.stopTimerLocked()
		c.srv.gate.leave(c.peer.Addr())
	}
}

// sessionEnded: with its last session a connection becomes a stranger's again.
func (c *control) sessionEnded(s *session, authenticated bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.sessions, s); i >= 0 {
		c.sessions = slices.Delete(c.sessions, i, i+1)
	}
	if authenticated {
		c.authenticated--
	} else {
		c.pending--
	}
	if c.authenticated == 0 && !c.counted && !c.closed {
		c.counted = true
		c.srv.gate.reenter(c.peer.Addr())
		c.timer = time.AfterFunc(c.srv.gate.limits.Handshake, c.handshakeOver)
	}
}
