package ppp

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"goppptp/internal/ppp/auth"
)

const (
	defaultMRU  = 1500 // RFC 1661, Section 6.1
	minMRU      = 128  // our tunable: less is a mistake or an attack
	defaultACCM = 0    // our wish: see lcp.request
	loopLimit   = 4    // own magic numbers seen before we believe in a loop
)

// lcp is the policy of the Link Control Protocol (RFC 1661, Sections 5 and 6).
type lcp struct {
	l *Link

	// What we ask for; false or zero: not, or not any more.
	methods []auth.Method // server: those the peer may still be asked for, best first
	magic   uint32
	mru     uint16
	accm    bool
	pfc     bool
	acfc    bool
	noMagic bool // rejected

	// What the peer asks for, as of its last Configure-Request.
	peerMRU   uint16
	peerMagic uint32
	peerPFC   bool
	peerACFC  bool
	peerAuth  auth.Method // client: how we are to prove ourselves; 0: not at all

	loops   uint8
	refused string // names of methods the peer wanted and we do not do
}

// usable returns the methods that serve: with MPPE required, those that give keys.
func (c *Config) usable() []auth.Method {
	var out []auth.Method
	for _, m := range c.Auth {
		if !c.MPPE.Require || m.GivesKeys() {
			out = append(out, m)
		}
	}
	return out
}

func (p *lcp) reset() {
	p.mru = p.l.mru
	p.accm, p.pfc, p.acfc, p.noMagic = true, true, true, false
	p.newMagic()
	p.methods = nil
	if p.l.cfg.Role == Server {
		p.methods = p.l.cfg.usable()
	}
}

// newMagic picks a magic number. RFC 1661, Section 6.4: "a Magic-Number of zero
// is illegal".
func (p *lcp) newMagic() {
	p.magic = max(1, uint32(p.l.random()))
}

func (p *lcp) request() []Option {
	var opts []Option
	if p.mru != defaultMRU {
		opts = append(opts, option16(OptionMRU, p.mru))
	}
	if p.accm {
		// Interop: PPTP has no use for it, but pppd behind pptpd or pptp-linux
		// escapes all control characters on its pty without it.
		opts = append(opts, option32(OptionACCM, defaultACCM))
	}
	if len(p.methods) > 0 {
		opts = append(opts, Option{OptionAuth, p.methods[0].Option()})
	}
	if !p.noMagic {
		opts = append(opts, option32(OptionMagic, p.magic))
	}
	if p.pfc {
		opts = append(opts, Option{Type: OptionPFC})
	}
	if p.acfc {
		opts = append(opts, Option{Type: OptionACFC})
	}
	return opts
}

func (p *lcp) review(opts []Option) (nak, reject []Option) {
	p.peerMRU, p.peerMagic, p.peerPFC, p.peerACFC, p.peerAuth = defaultMRU, 0, false, false, 0
	for _, o := range opts {
		switch o.Type {
		case OptionMRU:
			v, ok := o.uint16()
			switch {
			case !ok:
				reject = append(reject, o)
			case v < minMRU:
				nak = append(nak, option16(OptionMRU, minMRU))
			default:
				p.peerMRU = v
			}
		case OptionACCM:
			if _, ok := o.uint32(); !ok {
				reject = append(reject, o)
			}
		case OptionAuth:
			want, ours := p.reviewAuth(o)
			switch {
			case want != 0:
				p.peerAuth = want
			case ours != 0:
				nak = append(nak, Option{OptionAuth, ours.Option()})
			default:
				reject = append(reject, o)
			}
		case OptionMagic:
			v, ok := o.uint32()
			switch {
			case !ok:
				reject = append(reject, o)
			case v == 0 || v == p.magic && !p.noMagic:
				if v != 0 {
					p.looped()
				}
				nak = append(nak, option32(OptionMagic, uint32(p.l.random())|1))
			default:
				p.peerMagic = v
			}
		case OptionPFC:
			if len(o.Value) != 0 {
				reject = append(reject, o)
			} else {
				p.peerPFC = true
			}
		case OptionACFC:
			if len(o.Value) != 0 {
				reject = append(reject, o)
			} else {
				p.peerACFC = true
			}
		default: // callback, multilink, link quality and all that is to come
			reject = append(reject, o)
		}
	}
	return nak, reject
}

// reviewAuth judges the peer's Authentication-Protocol option: agreed is the
// method we will use, or else suggest is the one to offer instead, if any.
func (p *lcp) reviewAuth(o Option) (agreed, suggest auth.Method) {
	if p.l.cfg.Role == Server {
		return 0, 0 // we have no name to prove
	}
	ours := p.l.cfg.usable()
	m, known := auth.MethodFromOption(o.Value)
	if known && slices.Contains(ours, m) {
		return m, 0
	}
	name := m.String()
	if !known {
		name = fmt.Sprintf("an unknown method (%x)", o.Value)
	}
	if !strings.Contains(p.refused, name) && len(p.refused) < 100 {
		p.refused = strings.TrimPrefix(p.refused+", "+name, ", ")
	}
	if len(ours) == 0 {
		return 0, 0
	}
	return 0, ours[0]
}

// looped counts signs that we hear ourselves.
func (p *lcp) looped() {
	if p.loops++; p.loops >= loopLimit {
		p.l.fail(&LoopError{p.magic}, "the link is looped back")
	}
}

func (p *lcp) acked() bool { return true }

func (p *lcp) naked(opts []Option) {
	for _, o := range opts {
		switch o.Type {
		case OptionMRU:
			if v, ok := o.uint16(); ok && v >= minMRU && v <= defaultMRU {
				p.mru = v
			} else {
				p.mru = defaultMRU
			}
		case OptionACCM:
			p.accm = false
		case OptionAuth:
			p.nakedAuth(o)
		case OptionMagic:
			if v, ok := o.uint32(); ok && v == p.magic {
				p.looped()
			}
			p.newMagic()
		case OptionPFC:
			p.pfc = false
		case OptionACFC:
			p.acfc = false
		}
	}
}

// nakedAuth drops the method the peer does not want, and takes the one it
// names if we take it too.
func (p *lcp) nakedAuth(o Option) {
	if len(p.methods) == 0 {
		return
	}
	wanted := p.methods[0]
	p.methods = p.methods[1:]
	if m, ok := auth.MethodFromOption(o.Value); ok {
		if i := slices.Index(p.methods, m); i >= 0 {
			p.methods = p.methods[i:]
			return
		}
		p.refused = m.String()
	}
	if len(p.methods) == 0 {
		p.noMethod(wanted)
	}
}

// noMethod ends the link of a server whose client will not authenticate.
func (p *lcp) noMethod(wanted auth.Method) {
	what := fmt.Sprintf("the client refuses to authenticate with %s", wanted)
	if p.refused != "" {
		what += ", it offers " + p.refused
	}
	p.l.fail(&NegotiationError{ProtocolLCP, what, true}, "authentication required")
}

func (p *lcp) rejected(opts []Option) {
	for _, o := range opts {
		switch o.Type {
		case OptionMRU:
			p.mru = defaultMRU
		case OptionACCM:
			p.accm = false
		case OptionAuth:
			if len(p.methods) > 0 {
				wanted := p.methods[0]
				p.methods = nil
				p.noMethod(wanted)
			}
		case OptionMagic:
			p.noMagic = true
		case OptionPFC:
			p.pfc = false
		case OptionACFC:
			p.acfc = false
		}
	}
}

func (p *lcp) up(now time.Time) {
	p.loops = 0
	p.l.linkUp(now)
}

func (p *lcp) down(now time.Time) { p.l.linkDown(now) }

func (p *lcp) finished(now time.Time, why ending) {
	switch why {
	case endTimeout:
		p.l.fail(&TimeoutError{Establish, ProtocolLCP, p.l.heard}, "")
	case endNoConverge:
		p.l.fail(&NegotiationError{Protocol: ProtocolLCP, What: "the peer refuses what we ask for again and again"}, "")
	case endRejected:
		p.l.fail(&NegotiationError{Protocol: ProtocolLCP, What: "the peer rejects LCP itself"}, "")
	}
	p.l.finish(now)
}

func (p *lcp) terminated(now time.Time, text string) {
	if text != "" {
		p.l.tell(now, text)
	}
	p.l.peerLeft(text)
}

// extra handles LCP's own packets (RFC 1661, Sections 5.7 to 5.9; 1570).
func (p *lcp) extra(now time.Time, pkt Packet) bool {
	m := &p.l.lcpM
	switch pkt.Code {
	case ProtocolReject:
		if len(pkt.Data) < 2 {
			p.l.stats.Malformed++
		} else if m.state == Opened { // Section 5.7: otherwise "silently discarded"
			p.l.protocolRejected(now, Protocol(binary.BigEndian.Uint16(pkt.Data)))
		}
	case EchoRequest, EchoReply, DiscardRequest:
		if len(pkt.Data) < 4 {
			p.l.stats.Malformed++
			return true
		}
		magic := binary.BigEndian.Uint32(pkt.Data)
		if m.state == Opened && magic != 0 && magic == p.magic && !p.noMagic {
			p.looped()
			return true
		}
		switch pkt.Code {
		case EchoRequest:
			reply := Packet{EchoReply, pkt.ID, binary.BigEndian.AppendUint32(nil, p.ourMagic())}
			reply.Data = append(reply.Data, pkt.Data[4:]...)
			m.answer(now, evRXR, reply)
		case EchoReply:
			p.l.echo.replied(now, pkt.ID)
		}
	case Identification:
		if len(pkt.Data) > 4 {
			p.l.tell(now, printable(pkt.Data[4:]))
		}
	case TimeRemaining: // how long the peer means to stay: we will see
	default:
		return false
	}
	return true
}

// ourMagic is the number we put into packets: zero if it was not agreed on.
func (p *lcp) ourMagic() uint32 {
	if p.noMagic {
		return 0
	}
	return p.magic
}
