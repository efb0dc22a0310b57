package client

import (
	"fmt"
	"log/slog"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/pptp"
	"goppptp/profiles"
	"goppptp/routing"
)

// Config is what a Session is made of.
type Config struct {
	Profile     *profiles.Profile
	Password    profiles.Secret
	NewPassword profiles.Secret // what an expired password is changed to; empty: it is not
	Platform    Platform        // nil: Linux{}
	Routes      routing.Applier
	DNS         Resolver // nil: the system's resolver is left alone
	RunDir      string   // where sessions of one profile keep each other out; empty: they do not
	Log         *slog.Logger
	// OnEvent is told of stages and states in the order they come. It must not
	// block.
	OnEvent func(control.Event)
	// Resume dials as after a loss: until it is up, where the profile says
	// reconnect.
	Resume bool
}

// The answer timers of connecting. A refusal must be plain within 15 s of
// dialling, whatever it is that does not answer.
const (
	controlTimeout = 8 * time.Second // for each answer on the control connection
	greTimeout     = 9 * time.Second // for the first GRE packet of the call
	goodbyeTimeout = 3 * time.Second // for the end of call and control connection
	// lastWordsTimeout is how long a call that the server has ended is listened
	// to: why it was refused comes by GRE, and may be overtaken by TCP.
	lastWordsTimeout = 500 * time.Millisecond
	restartMin       = 300 * time.Millisecond
	restartMax       = 3 * time.Second
)

const (
	vendor   = "goppptp"
	hostName = "goppptp"
)

// ownWindow is how many packets the server is told that we hold, which is what
// our socket has room for. Windows keeps to it.
const ownWindow = 1024

// peerWindow is how many packets the server says that it holds; 0: it does not
// say.
func peerWindow(reply *pptp.OutgoingCallReply) int {
	if reply == nil || reply.Window == ownWindow {
		return 0 // Interop: pptpd says the number that it was told.
	}
	return int(reply.Window)
}

func controlConfig() pptp.Config {
	return pptp.Config{
		Role: pptp.Client, HostName: hostName, Vendor: vendor, Firmware: 1, MaxCalls: 1,
		Window: ownWindow, MinBPS: 300, MaxBPS: 1e9, ReplyTimeout: controlTimeout,
	}
}

// pppConfig turns the profile into what the PPP link is to negotiate. mtu is
// of the path to the gateway, rtt the round trip time measured on it.
func pppConfig(p *profiles.Profile, password, newPassword profiles.Secret, rtt time.Duration) (ppp.Config, error) {
	cfg := ppp.Config{
		Role: ppp.Client,
		MPPE: ppp.MPPE{
			Require: p.MPPE.Require, Refuse: !p.MPPE.Require && len(p.MPPE.Bits) == 0,
			Bits: p.MPPE.Bits, Stateful: p.MPPE.Stateful,
		},
		Peer: auth.PeerConfig{
			User: p.User, Password: auth.Secret(password.Reveal()), NewPassword: auth.Secret(newPassword.Reveal()),
			AllowEAPMD5: !p.MPPE.Require,
		},
		WantDNS:    true,
		Restart:    min(max(restartMin, 3*rtt), restartMax),
		RestartMax: restartMax,
	}
	cfg.Peer.Restart = cfg.Restart
	if p.MTU > 0 {
		// What the peer may send inside, with MPPE's header and the protocol.
		cfg.MRU = p.MTU + 4
	}
	cfg.Echo.Interval, cfg.Echo.Failures = p.Keepalive.Interval, p.Keepalive.Failures
	for _, name := range p.Auth {
		m, err := auth.ParseMethod(name)
		if err != nil {
			return ppp.Config{}, fmt.Errorf("profile %s: auth: %w", p.Name, err)
		}
		cfg.Auth = append(cfg.Auth, m)
	}
	for _, r := range p.Routes {
		if r.Host == "" && r.To.Addr().Is6() {
			cfg.IPv6 = true
		}
	}
	return cfg, nil
}
