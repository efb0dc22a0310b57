package ppp

import (
	"fmt"
	"time"

	"goppptp/internal/mschap"
	"goppptp/internal/ppp/auth"
)

// dispatch gives a packet to its protocol, if its phase has come (RFC 1661,
// Section 3.4 to 3.7). What comes early because packets overtake each other, or
// because the peer is ahead of us, is kept until then.
func (l *Link) dispatch(now time.Time, p Protocol, info []byte) {
	if p == ProtocolLCP {
		l.lcpM.handle(now, info)
		return
	}
	if l.phase == Terminate {
		if p == ProtocolCCP {
			l.lateOffer(info)
		}
		l.stats.Ignored++
		return
	}
	switch p {
	case ProtocolIP, ProtocolMPPE:
		l.stats.Ignored++
	case ProtocolPAP, ProtocolCHAP, ProtocolEAP:
		switch {
		case l.auth != nil && Protocol(l.method.Protocol()) == p:
			l.auth.Handle(now, uint16(p), info)
			l.pumpAuth(now)
		case l.phase == Establish:
			l.hold(p, info)
		default:
			l.rejectProtocol(now, p, info)
		}
	case ProtocolCCP:
		switch {
		case l.phase != Network:
			l.holdRequest(p, info)
		case l.ccpM.ready():
			l.ccpM.handle(now, info)
		default: // MPPE is refused, or there are no keys for it
			l.rejectProtocol(now, p, info)
		}
	case ProtocolIPCP:
		l.network(now, &l.ipcpM, info)
	case ProtocolIPV6CP:
		if l.cfg.IPv6 {
			l.network(now, l.ipv6M, info)
		} else {
			l.rejectProtocol(now, p, info)
		}
	case ProtocolIPv6:
		if !l.net6Told {
			l.rejectProtocol(now, p, info)
		}
	default:
		l.rejectProtocol(now, p, info)
	}
}

// network gives a packet to IPCP or IPV6CP, or keeps it while they may not
// begin: before authentication, and where MPPE is required before CCP is up.
//
// Interop: accel-ppp asks before CCP is done; RouterOS takes a Terminate-Ack
// for the end of the session.
func (l *Link) network(now time.Time, m *machine, info []byte) {
	if m.ready() {
		m.handle(now, info)
	} else {
		l.holdRequest(m.protocol, info)
	}
}

// hold keeps the newest packet of a protocol for later.
func (l *Link) hold(p Protocol, info []byte) {
	if l.held == nil {
		l.held = map[Protocol][]byte{}
	}
	l.held[p] = append([]byte(nil), info...)
}

// holdRequest does so for Configure-Requests, and drops all else.
func (l *Link) holdRequest(p Protocol, info []byte) {
	if pkt, err := ParsePacket(info); err == nil && pkt.Code == ConfigureRequest {
		l.hold(p, info)
		return
	}
	l.stats.Ignored++
}

// release hands a held packet to its protocol, whose time has come.
func (l *Link) release(now time.Time, p Protocol) {
	if info, ok := l.held[p]; ok {
		if delete(l.held, p); len(l.held) == 0 {
			l.held = nil
		}
		l.dispatch(now, p, info)
	}
}

// linkUp is LCP's This-Layer-Up.
func (l *Link) linkUp(now time.Time) {
	if l.ending() {
		return
	}
	l.emit(LinkUp{PeerMRU: int(l.lcp.peerMRU), SendACFC: l.lcp.peerACFC, SendPFC: l.lcp.peerPFC, PeerMagic: l.lcp.peerMagic})
	l.echo.start(now)
	l.method = l.lcp.peerAuth
	switch {
	case l.cfg.Role == Server && len(l.cfg.Auth) > 0:
		if len(l.lcp.methods) == 0 {
			l.lcp.noMethod(l.cfg.Auth[0]) // unreachable while LCP fails on it
			return
		}
		l.method = l.lcp.methods[0]
		cfg := l.cfg.Authenticator
		if l.owner != nil {
			cfg.Lookup = l.owner.Lookup
		}
		l.auth = auth.NewAuthenticator(l.method, cfg)
	case l.method != 0:
		l.auth = auth.NewPeer(l.method, l.cfg.Peer)
	default:
		l.admit(now, "")
		return
	}
	l.setPhase(Authenticate)
	l.auth.Start(now)
	l.pumpAuth(now)
	l.release(now, Protocol(l.method.Protocol()))
}

// pumpAuth does what the authentication core asks for.
func (l *Link) pumpAuth(now time.Time) {
	for l.auth != nil {
		switch ev := l.auth.NextEvent().(type) {
		case nil:
			l.settleAuth()
			return
		case auth.Send:
			l.sendInfo(Protocol(ev.Protocol), ev.Packet)
		case auth.Done:
			if l.ending() {
				return
			}
			l.emit(Authenticated{ev.Result})
			l.setKeys(&ev.Result)
			l.admit(now, ev.Result.User)
		case auth.Renewed:
			l.setKeys(&ev.Result)
			if l.cfg.Role == Server && ev.Result.User != l.user {
				l.userChanged(ev.Result.User)
			}
		case auth.Failed:
			l.fail(ev.Err, "authentication failed")
		case auth.Notice:
			l.tell(now, ev.Text)
		}
	}
}

// settleAuth lets go of an authenticator whose peer is in for good.
func (l *Link) settleAuth() {
	if a, ok := l.auth.(*auth.Authenticator); ok {
		if s := a.Settled(); s != nil {
			l.auth = s
		}
	}
}

func (l *Link) setKeys(r *auth.Result) {
	l.sendKey, l.recvKey, l.keys = r.StartKeys(l.cfg.Role == Server)
}

func (l *Link) userChanged(user string) {
	l.fail(fmt.Errorf("user %q changed to %q in the middle of a session", l.user, user), "authentication failed")
}

// admit lets the session go on to its networks: the peer is who it should be,
// or nobody has asked.
func (l *Link) admit(now time.Time, user string) {
	switch {
	case l.assigned && user != l.user:
		l.userChanged(user)
		return
	case l.cfg.Role == Server && l.owner != nil && !l.assigned:
		local, remote, err := l.owner.Assign(user)
		if err != nil {
			l.fail(fmt.Errorf("no address for user %q: %w", user, err), "no address: "+err.Error())
			return
		}
		l.local, l.remote = local, remote
	}
	l.user, l.authenticated, l.assigned = user, true, l.cfg.Role == Server
	l.setPhase(Network)
	require := l.cfg.MPPE.Require
	switch {
	case l.keys && (require || !l.cfg.MPPE.Refuse):
		l.ccpM.open(now)
	case require && l.method == 0 && l.lcp.refused != "":
		l.fail(l.noMethod(), "no authentication method in common")
		return
	case require:
		detail := "the peer asks for no authentication, which the keys come from"
		if l.method != 0 {
			detail = fmt.Sprintf("authentication with %s gave no keys for it", l.method)
		}
		l.ccp.fail(detail)
		return
	}
	l.release(now, ProtocolCCP)
	if !require {
		l.startNetworks(now)
	}
}

// startNetworks lets IPCP and IPV6CP begin, and answers what the peer has
// asked them already.
func (l *Link) startNetworks(now time.Time) {
	if !l.ipcpM.ready() {
		l.ipcpM.open(now)
		l.release(now, ProtocolIPCP)
	}
	if l.cfg.IPv6 && !l.ipv6M.ready() {
		l.ipv6M.open(now)
		l.release(now, ProtocolIPV6CP)
	}
}

// compressionUp is CCP's This-Layer-Up, with MPPE agreed on.
func (l *Link) compressionUp(now time.Time) {
	l.startNetworks(now)
	// Interop: pppd that requires MPPE answers IPCP with Terminate-Acks until
	// CCP is up.
	l.ipcpM.retry(now)
	l.ipv6M.retry(now)
	l.networkUp()
	l.network6Up()
}

// mayPass tells whether data may pass as far as encryption goes.
func (l *Link) mayPass() bool { return !l.cfg.MPPE.Require || l.ccp.isUp }

// networkUp tells of IPCP, once, when all that it needs is up.
func (l *Link) networkUp() {
	if l.ipcp.isUp && !l.netTold && l.mayPass() && !l.ending() {
		l.netTold = true
		l.emit(l.ipcp.event())
	}
}

func (l *Link) networkDown() {
	if l.netTold {
		l.netTold = false
		l.emit(NetworkDown{})
	}
}

func (l *Link) network6Up() {
	if l.ipv6 != nil && l.ipv6.isUp && !l.net6Told && l.mayPass() && !l.ending() {
		l.net6Told = true
		l.emit(Network6Up{l.ipv6.local, l.ipv6.peer})
	}
}

func (l *Link) network6Down() {
	if l.net6Told {
		l.net6Told = false
		l.emit(Network6Down{})
	}
}

// linkDown is LCP's This-Layer-Down: the link ends, or begins again.
func (l *Link) linkDown(now time.Time) {
	l.lowerDown(now)
	if s := l.lcpM.state; s == Closing || s == Stopping {
		l.setPhase(Terminate)
	} else if !l.done {
		l.setPhase(Establish)
	}
}

// lowerDown takes all that stands on LCP down, data first.
func (l *Link) lowerDown(now time.Time) {
	for _, m := range []*machine{&l.ipcpM, l.ipv6M, &l.ccpM} {
		if m.ready() {
			m.event(now, evDown)
		}
	}
	l.echo.stop()
	l.held = nil
	l.auth, l.method, l.authenticated = nil, 0, false
	l.keys, l.sendKey, l.recvKey = false, mschap.Key{}, mschap.Key{}
}
