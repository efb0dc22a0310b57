package ppp

import (
	"encoding/binary"
	"time"
)

// ipv6cp is the policy of the IPv6 Control Protocol (RFC 5072): the two sides
// agree on interface identifiers, the lower halves of their link-local
// addresses. Whatever becomes of it, the link stays.
type ipv6cp struct {
	l      *Link
	local  uint64
	peer   uint64
	asking bool
	isUp   bool
}

// newID picks an identifier that is neither zero nor the peer's.
func (p *ipv6cp) newID() uint64 {
	// RFC 5072, Section 4.1: a random one is local, so its "u" bit is zero.
	id := p.l.random() &^ (1 << 57)
	for id == 0 || id == p.local || id == p.peer {
		id++
	}
	return id
}

func idOption(id uint64) Option {
	return Option{OptionInterfaceID, binary.BigEndian.AppendUint64(nil, id)}
}

func (o Option) id() (uint64, bool) {
	if len(o.Value) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(o.Value), true
}

func (p *ipv6cp) reset() {
	p.asking = true
	if p.local == 0 {
		p.local = p.newID()
	}
}

func (p *ipv6cp) request() []Option {
	if !p.asking {
		return nil
	}
	return []Option{idOption(p.local)}
}

func (p *ipv6cp) review(opts []Option) (nak, reject []Option) {
	p.peer = 0
	named := false
	for _, o := range opts {
		v, ok := o.id()
		switch {
		case o.Type != OptionInterfaceID || !ok:
			reject = append(reject, o)
		case v == 0 || v == p.local:
			named = true
			nak = append(nak, idOption(p.newID()))
		default:
			named = true
			p.peer = v
		}
	}
	if !named && len(reject) == 0 {
		nak = append(nak, idOption(p.newID()))
	}
	return nak, reject
}

func (p *ipv6cp) acked() bool { return true }

func (p *ipv6cp) naked(opts []Option) {
	o, found := find(opts, OptionInterfaceID)
	if !found {
		return
	}
	if v, ok := o.id(); ok && v != 0 && v != p.peer {
		p.local = v
	} else {
		p.local = p.newID()
	}
}

func (p *ipv6cp) rejected([]Option) { p.asking = false }

func (p *ipv6cp) up(now time.Time) {
	if p.l.ending() {
		return
	}
	if p.peer == 0 || !p.asking {
		p.l.ipv6M.close(now, "no interface identifier")
		return
	}
	p.isUp = true
	p.l.network6Up()
}

func (p *ipv6cp) down(time.Time) {
	p.isUp = false
	p.l.network6Down()
}

func (p *ipv6cp) finished(time.Time, ending)   {}
func (p *ipv6cp) terminated(time.Time, string) {}

func (p *ipv6cp) extra(time.Time, Packet) bool { return false }
