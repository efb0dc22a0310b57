package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"goppptp/internal/ppp/auth"
	"goppptp/internal/tunnel"
)

// SessionInfo is what is known of a session. Interface, Local and Peer are
// empty until the addresses are agreed on; Bits is 0 without MPPE.
type SessionInfo struct {
	ID        string
	User      string         // as the client wrote it
	Client    netip.AddrPort // of its control connection
	Interface string
	Local     netip.Addr
	Peer      netip.Addr // what the client was given
	Auth      string     // method
	Bits      int        // MPPE strength
	Stateful  bool
	MTU       int
	Since     time.Time // of the call
	Up        bool      // packets flow
	Stats     tunnel.Stats
}

// facts are what a session keeps of its SessionInfo.
type facts struct {
	User      string
	Interface string
	Local     netip.Addr
	Peer      netip.Addr
	Auth      string
	Since     time.Time
	MTU       int
	Bits      int
	Stateful  bool
	Up        bool
}

// id is the session's name.
func (s *session) id() string { return strconv.FormatUint(s.number, 10) }

// snapshot returns what is known now.
func (s *session) snapshot() SessionInfo {
	s.mu.Lock()
	f := s.info
	s.mu.Unlock()
	return SessionInfo{ID: s.id(), User: f.User, Client: s.ctl.peer, Interface: f.Interface, Local: f.Local, Peer: f.Peer, Auth: f.Auth,
		Bits: f.Bits, Stateful: f.Stateful, MTU: f.MTU, Since: f.Since, Up: f.Up, Stats: s.tun.Stats()}
}

// logEnd writes the line that says what became of the session.
func (s *session) logEnd(err error) {
	info := s.snapshot()
	s.mu.Lock()
	reason, tried := s.reason, s.tried
	if info.Bits == 0 { // it ends before the session does
		info.Bits, info.Stateful = s.lastBits, s.lastStateful
	}
	s.mu.Unlock()
	switch {
	case err != nil && (reason == "" || !errors.Is(err, errStopped)):
		reason = err.Error()
	case reason == "":
		reason = "closed"
	}
	log := s.srv.log
	if refused, ok := errors.AsType[*auth.Error](err); ok {
		s.srv.floods.warn(log, "authentication refused", "client", info.Client.Addr().String(), "user", tried, "method", refused.Method.String(), "reason", reason)
		return
	}
	if info.User == "" {
		s.srv.floods.info(log, "call ended before authentication", "client", info.Client.Addr().String(), "user", tried, "reason", reason)
		return
	}
	log.Info("session ended", append(sessionAttrs(info),
		"reason", reason,
		"duration", time.Since(info.Since).Round(time.Second).String(),
		"rx_bytes", info.Stats.RxBytes, "tx_bytes", info.Stats.TxBytes,
		"rx_packets", info.Stats.RxPackets, "tx_packets", info.Stats.TxPackets)...)
}

// sessionAttrs are what every line about a session says.
func sessionAttrs(i SessionInfo) []any {
	attrs := []any{"session", i.ID, "client", i.Client.Addr().String(), "user", i.User}
	if i.Interface != "" {
		attrs = append(attrs, "interface", i.Interface, "local", i.Local.String(), "address", i.Peer.String())
	}
	return append(attrs, "mppe", mppeText(i), "auth", i.Auth)
}

func mppeText(i SessionInfo) string {
	switch {
	case i.Bits == 0:
		return "none"
	case i.Stateful:
		return fmt.Sprintf("%d-bit stateful", i.Bits)
	}
	return fmt.Sprintf("%d-bit stateless", i.Bits)
}
