package server

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"goppptp/internal/osnet"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
)

// session is one call.
type session struct {
	srv        *Server
	ctl        *control
	number     uint64
	callID     uint16 // ours
	peerCallID uint16
	tun        *tunnel.Session

	// owned by the GRE reader: how many packets of the batch at hand are for
	// this session, the first of them and the last
	waiting, first, last uint8

	mu            sync.Mutex
	info          facts  // mu guards, as all that follows
	account       string // the user the session counts for; "" before
	tried         string // the last name that was tried
	authenticated bool
	address       netip.Addr // taken from the pool
	local         netip.Addr // taken from the pool of local addresses
	lastBits      int        // MPPE before it went down
	lastStateful  bool
	reason        string    // why we close it
	cleared       bool      // the call is gone: no notice to the peer
	phase         ppp.Phase // of the link
	probed        bool      // it is being asked whether it is there
	started       bool      // the call is connected
	aborted       bool      // it is not to go on
}

// randomCallID returns a call ID nobody can guess.
func randomCallID() uint16 {
	var b [2]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint16(b[:])
}

// newSession makes the session for a call that is offered, and registers it.
func (srv *Server) newSession(c *control, offer pptp.CallOffered) (*session, bool) {
	pathMTU, err := srv.plat.PathMTU(c.peer.Addr())
	if err != nil {
		pathMTU = 1500
	}
	s, ok := srv.demux.add(c.peer.Addr(), randomCallID, func(callID uint16) *session {
		return srv.makeSession(c, callID, offer, pathMTU)
	})
	if !ok {
		return nil, false
	}
	srv.addSession(s)
	if !c.add(s) {
		srv.removeSession(s)
		srv.demux.remove(s.key())
		return nil, false
	}
	return s, true
}

func (srv *Server) makeSession(c *control, callID uint16, offer pptp.CallOffered, pathMTU int) *session {
	p := srv.policy.Load()
	s := &session{srv: srv, ctl: c, number: srv.lastID.Add(1), callID: callID, peerCallID: offer.PeerCallID}
	s.info.Since = time.Now()
	if p.cfg.MTU > 0 {
		pathMTU = min(pathMTU, p.cfg.MTU+tunnelOverhead)
	}
	path := osnet.Path{Local: c.local, Remote: c.peer.Addr()}
	s.tun = tunnel.New(tunnel.Config{
		PPP:        p.ppp,
		Owner:      s,
		Log:        logOf(srv.log.Handler(), c, s),
		CallID:     callID,
		PeerCallID: offer.PeerCallID,
		PeerWindow: int(offer.Request.Window),
		Workers:    &srv.workers,
		Send:       func(packets [][]byte) error { return srv.gre.WriteBatch(packets, path) },
		OpenTUN:    s.openTUN,
		OnEvent:    s.event,
		PathMTU:    pathMTU,
		Outer:      c.peer.Addr(),
	})
	return s
}

// tunnelOverhead is what is around an IP packet, in octets, at least: IP, GRE,
// PPP, MPPE and the protocol field that it encrypts.
const tunnelOverhead = 20 + 16 + 1 + 2 + 1

// pppSettings says how sessions negotiate.
func pppSettings(cfg *Config) *ppp.Settings {
	c := ppp.Config{
		Role: ppp.Server,
		Auth: cfg.Auth,
		Authenticator: auth.AuthenticatorConfig{
			Name:   cfg.Name,
			EAPMD5: !cfg.MPPE.Require, // it gives no keys
		},
		MPPE: ppp.MPPE{
			Require:  cfg.MPPE.Require,
			Refuse:   !cfg.MPPE.Require && len(cfg.MPPE.Bits) == 0,
			Bits:     cfg.MPPE.Bits,
			Stateful: cfg.MPPE.Stateful,
		},
		DNS: cfg.DNS, WINS: cfg.WINS,
		IPv6: cfg.IPv6,
	}
	c.Echo.Interval, c.Echo.Failures = cfg.Keepalive.Interval, cfg.Keepalive.Failures
	return ppp.NewSettings(c)
}

// Lookup finds the user that the client says it is.
func (s *session) Lookup(user string) (auth.Credential, error) {
	s.mu.Lock()
	s.tried = user
	s.mu.Unlock()
	return s.srv.policy.Load().users.credential(user)
}

// Assign gives the session its addresses.
func (s *session) Assign(user string) (local, remote netip.Addr, err error) {
	return s.srv.assign(s, user)
}

func (s *session) key() callKey { return callKey{s.ctl.peer.Addr(), s.callID} }

// start: the call is connected.
func (s *session) start() {
	s.mu.Lock()
	begin := !s.started && !s.aborted
	s.started = s.started || begin
	s.mu.Unlock()
	if begin {
		s.tun.Start(s.finish)
	}
}

func (s *session) isStarted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// abort ends the session without a word to the peer.
func (s *session) abort(cause error) { s.abortUnless(cause, func() bool { return false }) }

// abortUnless ends the session, unless later is true, which is asked under
// s.mu: then it reports so.
func (s *session) abortUnless(cause error, later func() bool) bool {
	s.mu.Lock()
	started, first := s.started, !s.aborted
	s.aborted = true
	wait := started && later()
	s.mu.Unlock()
	switch {
	case wait:
	case started:
		s.tun.Abort(cause)
	case first: // the link was never begun
		go s.finish(cause)
	}
	return wait
}

// callEnded: the peer has ended the call, or the control connection.
func (s *session) callEnded(cause error) {
	s.mu.Lock()
	s.cleared = true
	s.mu.Unlock()
	refusing := func() bool { return s.phase == ppp.Terminate && !s.authenticated }
	if s.abortUnless(cause, refusing) {
		// A client that was refused hangs up. What it was refused for is the
		// reason, and not that it hung up: the link has it, and ends in a few
		// seconds. It holds nothing that others want.
		time.AfterFunc(refusalTime, func() { s.tun.Abort(cause) })
	}
}

// refusalTime is more than the end of a link takes whose peer does not answer.
const refusalTime = 10 * time.Second

// close ends the session in an orderly way.
func (s *session) close(reason string) {
	s.mu.Lock()
	if s.reason == "" {
		s.reason = reason
	}
	s.mu.Unlock()
	s.tun.Close(reason)
}

// finish takes back what the session had, and says why it ended.
func (s *session) finish(err error) {
	s.srv.demux.remove(s.key())
	s.srv.release(s)
	s.mu.Lock()
	cleared, authenticated := s.cleared, s.authenticated
	s.mu.Unlock()
	if !cleared {
		s.ctl.tc.Clear(s.callID) // Call-Disconnect-Notify
	}
	s.ctl.sessionEnded(s, authenticated)
	s.srv.removeSession(s)
	s.logEnd(err)
	s.ctl.sessionGone()
}

// event is told what happens in the session, from its loop. It does not block.
func (s *session) event(ev tunnel.Event) {
	s.mu.Lock()
	switch ev := ev.(type) {
	case tunnel.Authenticated:
		s.info.User, s.info.Auth = ev.User, ev.Method.String()
		if ev.EAPMethod != "" {
			s.info.Auth += "-" + ev.EAPMethod
		}
		first := !s.authenticated
		s.authenticated = true
		s.mu.Unlock()
		if first {
			s.ctl.sessionAuthenticated()
		}
		return
	case tunnel.Phase:
		s.phase = ev.Phase
	case tunnel.MPPEUp:
		s.info.Bits, s.info.Stateful = ev.SendBits, ev.SendStateful || ev.RecvStateful
	case tunnel.MPPEDown:
		s.lastBits, s.lastStateful = s.info.Bits, s.info.Stateful
		s.info.Bits, s.info.Stateful = 0, false
	case tunnel.Up:
		again := s.info.Interface != ""
		s.info.Up = true
		s.info.Interface, s.info.MTU = ev.Interface, ev.Network.MTU
		s.info.Local, s.info.Peer = ev.Network.Local, ev.Network.Peer
		s.mu.Unlock()
		if info := s.snapshot(); !again {
			s.srv.log.Info("session up", append(sessionAttrs(info), "mtu", info.MTU)...)
		}
		return
	case tunnel.Down:
		s.info.Up = false
	case tunnel.EchoReply:
		s.probed = false
	case tunnel.ProbeFailed:
		s.mu.Unlock()
		s.abort(errStale)
		return
	}
	s.mu.Unlock()
}
