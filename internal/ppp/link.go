package ppp

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"goppptp/internal/mschap"
	"goppptp/internal/ppp/auth"
)

// Link is one PPP session, as a core: it is not safe for concurrent use.
type Link struct {
	cfg    *Config // shared with other links
	owner  Owner   // nil: cfg says it all
	events []Event
	stats  Stats
	mru    uint16 // what we ask for at first
	phase  Phase
	heard  bool // the peer has sent something that is PPP

	lcpM, ccpM, ipcpM machine
	lcp               lcp
	ccp               ccp
	ipcp              ipcp
	ipv6M             *machine // nil, as ipv6: IPV6CP is not configured
	ipv6              *ipv6cp
	echo              echo

	auth          authCore
	user          string
	method        auth.Method // of auth
	authenticated bool
	assigned      bool // Assign was asked
	keys          bool // the method gave start keys
	sendKey       mschap.Key
	recvKey       mschap.Key
	local, remote netip.Addr

	held map[Protocol][]byte // packets that came too early; nil: none

	rejects   int // Protocol-Rejects sent since
	rejectsAt time.Time
	told      int // texts of the peer's handed out since
	toldAt    time.Time

	err      error  // why the link ends
	text     string // the same for the peer
	closing  bool   // LCP has been told
	done     bool   // Finished was handed out
	netTold  bool   // NetworkUp was
	net6Told bool   // Network6Up was
}

// authCore is what *auth.Peer, *auth.Authenticator and *auth.Settled have in common.
type authCore interface {
	Start(now time.Time)
	Handle(now time.Time, protocol uint16, packet []byte)
	Advance(now time.Time)
	Deadline() time.Time
	NextEvent() auth.Event
}

// Stats counts what was received and not acted on.
type Stats struct {
	Malformed     uint64 // lengths that do not fit, answers that do not match
	BadIdentifier uint64 // answers to something else, or for the second time
	UnknownCode   uint64 // answered with a Code-Reject
	Unexpected    uint64 // impossible or meaningless in the state it came in
	Ignored       uint64 // data frames, and protocols before their phase
	Rejected      uint64 // protocols answered with a Protocol-Reject
}

// defaultOwnMRU is what we ask for where nothing else is said: our tunable.
const defaultOwnMRU = 1400

// NewLink makes a Link that waits for Open, with Settings of its own.
func NewLink(cfg Config) *Link { return NewSettings(cfg).NewLink(0, nil) }

// NewLink makes a Link that waits for Open. mru is the Config.MRU of this link
// where the settings have none; 0: 1400. owner may be nil: then Config alone
// says whom a server lets in, and which addresses it gives.
func (s *Settings) NewLink(mru int, owner Owner) *Link {
	l := &Link{cfg: &s.cfg, owner: owner}
	l.mru = uint16(max(minMRU, min(cmp.Or(s.cfg.MRU, mru, defaultOwnMRU), 65535)))
	l.local, l.remote = l.cfg.Local, l.cfg.Remote
	l.lcp.l, l.ccp.l, l.ipcp.l, l.echo.l = l, l, l, l
	l.lcpM = machine{protocol: ProtocolLCP, policy: &l.lcp, link: l}
	l.ccpM = machine{protocol: ProtocolCCP, policy: &l.ccp, link: l}
	l.ipcpM = machine{protocol: ProtocolIPCP, policy: &l.ipcp, link: l}
	if l.cfg.IPv6 {
		l.ipv6 = &ipv6cp{l: l}
		l.ipv6M = &machine{protocol: ProtocolIPV6CP, policy: l.ipv6, link: l}
	}
	return l
}

// Phase returns the phase the link is in.
func (l *Link) Phase() Phase { return l.phase }

// Stats returns the counters.
func (l *Link) Stats() Stats { return l.stats }

// NextEvent returns what is to be done or known next, nil if there is nothing.
func (l *Link) NextEvent() Event {
	if len(l.events) == 0 {
		return nil
	}
	ev := l.events[0]
	l.events[0] = nil
	if l.events = l.events[1:]; len(l.events) == 0 {
		l.events = nil // most links are idle most of the time
	}
	return ev
}

func (l *Link) emit(ev Event) {
	if !l.done {
		l.events = append(l.events, ev)
	}
}

// Our tunables: how many of the peer's texts are handed out in tellSpan. Anybody
// can send them, and they end in a log.
const (
	tellLimit = 8
	tellSpan  = time.Minute
)

// tell hands a text of the peer's out, but no more than tellLimit in tellSpan.
func (l *Link) tell(now time.Time, text string) {
	if now.Sub(l.toldAt) >= tellSpan {
		l.toldAt, l.told = now, 0
	}
	if l.told++; l.told > tellLimit {
		l.stats.Ignored++
		return
	}
	l.emit(Message{text})
}

// Open begins: the call is connected. The first Configure-Request is sent.
func (l *Link) Open(now time.Time) {
	if l.done || l.lcpM.state != Initial {
		return
	}
	if l.cfg.MPPE.Require && len(l.cfg.usable()) == 0 {
		l.err = &MPPEError{Peer: l.cfg.Role.peer(), Ours: l.cfg.MPPE.words(),
			Detail: "none of the authentication methods allowed gives the keys for it: allow mschapv2"}
		l.finish(now)
		return
	}
	l.setPhase(Establish)
	l.lcpM.open(now)
	l.settle(now)
}

// Handle takes a whole PPP frame from the wire, with whatever headers it has.
// Data frames may come here; those of protocols that are open are ignored.
// The frame is not kept.
func (l *Link) Handle(now time.Time, frame []byte) {
	if l.done || l.phase == Dead {
		return
	}
	p, info, err := ParseFrame(frame)
	if err != nil {
		l.stats.Malformed++
		return
	}
	l.hear(now)
	l.dispatch(now, p, info)
	l.settle(now)
}

// Advance does what is due by now.
func (l *Link) Advance(now time.Time) {
	if l.done {
		return
	}
	l.lcpM.advance(now)
	l.ccpM.advance(now)
	l.ipcpM.advance(now)
	l.ipv6M.advance(now)
	l.ccp.advance(now)
	if l.auth != nil {
		if d := l.auth.Deadline(); !d.IsZero() && !now.Before(d) {
			l.auth.Advance(now)
			l.pumpAuth(now)
		}
	}
	if !l.ending() {
		l.echo.advance(now)
	}
	l.settle(now)
}

// Deadline returns when Advance is to be called next; zero: not before
// something else happens.
func (l *Link) Deadline() time.Time {
	var first time.Time
	if l.done {
		return first
	}
	consider := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	consider(l.lcpM.due())
	consider(l.ccpM.due())
	consider(l.ipcpM.due())
	consider(l.ipv6M.due())
	consider(l.ccp.resetDeadline)
	if l.auth != nil {
		consider(l.auth.Deadline())
	}
	if !l.ending() {
		consider(l.echo.due())
	}
	return first
}

// Activity tells that data came from the peer at that time: it is alive.
func (l *Link) Activity(now time.Time) { l.hear(now) }

func (l *Link) hear(now time.Time) {
	if !l.heard {
		l.heard = true
		l.lcpM.relax()
	}
	l.echo.heard(now)
}

// Probe asks the peer at once whether it is there, with LCP Echo-Requests: an
// EchoReplied comes out, or ProbeFailed when there was none within that time.
// While LCP is not open nothing is asked, and nothing comes out.
func (l *Link) Probe(now time.Time, within time.Duration) {
	if !l.ending() {
		l.echo.probe(now, within)
	}
}

// RequestReset tells that a packet of stateful MPPE is missing: the peer is
// asked to start afresh with a CCP Reset-Request. It may be called for every
// packet that cannot be opened meanwhile; one request a second goes out.
func (l *Link) RequestReset(now time.Time) { l.ccp.requestReset(now) }

// Renegotiate negotiates MPPE anew, because what is decrypted makes no sense.
// CompressionDown follows at once, CompressionUp when it is agreed on; a link
// that needs this again and again is ended with an MPPEError.
func (l *Link) Renegotiate(now time.Time) {
	if l.ending() || l.ccpM.state != Opened || !l.ccp.isUp {
		return
	}
	l.ccp.again(now, "what the peer sends cannot be decrypted")
	l.settle(now)
}

func (l *Link) setPhase(p Phase) {
	if l.phase != p {
		l.phase = p
		l.emit(PhaseChanged{p})
	}
}

// sendPacket sends a packet of LCP, CCP, IPCP or IPV6CP.
func (l *Link) sendPacket(p Protocol, pkt Packet) {
	if l.err != nil && (p != ProtocolLCP || !l.closing && pkt.Code <= ConfigureReject) {
		return // the link is about to end: nothing is left to negotiate
	}
	l.sendInfo(p, AppendPacket(nil, pkt))
}

// sendInfo sends a frame in the form the peer has asked for.
func (l *Link) sendInfo(p Protocol, info []byte) {
	open := l.lcpM.state == Opened
	l.emit(SendFrame{AppendFrame(nil, p, info, open && l.lcp.peerACFC, open && l.lcp.peerPFC)})
}

// clip cuts what goes into a packet down to what the peer takes.
func (l *Link) clip(b []byte) []byte {
	limit := defaultMRU
	if l.lcpM.state == Opened {
		limit = int(l.lcp.peerMRU)
	}
	return b[:min(len(b), limit-packetHeader-2)]
}

// random gives 64 random bits.
func (l *Link) random() uint64 {
	var b [8]byte
	src := l.cfg.Rand
	if src == nil {
		src = rand.Reader
	}
	if _, err := io.ReadFull(src, b[:]); err != nil {
		rand.Read(b[:]) // never fails
	}
	return binary.BigEndian.Uint64(b[:])
}
