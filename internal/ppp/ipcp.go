package ppp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// ipcp is the policy of the IP Control Protocol (RFC 1332, 1877).
type ipcp struct {
	l *Link

	local netip.Addr   // ours, as we ask for it; 0.0.0.0: to be given
	names []nameServer // client: what we ask for
	peer  netip.Addr   // the peer's, as it asks for it

	askAddr bool
	asked   bool // server: a peer that names no address was asked for it
	isUp    bool
}

// nameServer is one of the four servers of RFC 1877.
type nameServer struct {
	option byte
	addr   netip.Addr
	ask    bool
}

func (p *ipcp) reset() {
	if !p.local.IsValid() || p.l.cfg.Role == Server {
		p.local = p.l.local
	}
	p.askAddr = true
	if !p.local.IsValid() {
		p.local = netip.IPv4Unspecified()
		p.askAddr = p.l.cfg.Role == Client
	}
	if p.names == nil && p.l.cfg.Role == Client {
		p.names = []nameServer{{option: OptionPrimaryDNS}, {option: OptionSecondaryDNS}, {option: OptionPrimaryWINS}, {option: OptionSecondaryWINS}}
	}
	for i := range p.names {
		n := &p.names[i]
		n.ask = p.l.cfg.WantDNS
		if n.option == OptionPrimaryWINS || n.option == OptionSecondaryWINS {
			n.ask = p.l.cfg.WantWINS
		}
		if !n.addr.IsValid() {
			n.addr = netip.IPv4Unspecified()
		}
	}
	p.asked = false
}

func addrOption(t byte, a netip.Addr) Option {
	v := a.As4()
	return Option{t, v[:]}
}

func (o Option) addr() (netip.Addr, bool) {
	if len(o.Value) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(o.Value)
}

func (p *ipcp) request() []Option {
	var opts []Option
	if p.askAddr {
		opts = append(opts, addrOption(OptionIPAddress, p.local))
	}
	for _, n := range p.names {
		if n.ask {
			opts = append(opts, addrOption(n.option, n.addr))
		}
	}
	return opts
}

func (p *ipcp) review(opts []Option) (nak, reject []Option) {
	p.peer = netip.Addr{}
	named := false
	for _, o := range opts {
		v, ok := o.addr()
		if !ok {
			reject = append(reject, o)
			continue
		}
		switch o.Type {
		case OptionIPAddress:
			named = true
			switch want := p.l.remote; {
			case p.l.cfg.Role == Server && want.IsValid() && v != want, v.IsUnspecified() && want.IsValid():
				nak = append(nak, addrOption(o.Type, want))
			case v.IsUnspecified():
				reject = append(reject, o)
			default:
				p.peer = v
			}
		case OptionPrimaryDNS, OptionSecondaryDNS, OptionPrimaryWINS, OptionSecondaryWINS:
			switch want := p.server(o.Type); {
			case !want.IsValid():
				reject = append(reject, o)
			case v != want:
				nak = append(nak, addrOption(o.Type, want))
			}
		default: // Van Jacobson's compression, the deprecated IP-Addresses, mobile IP
			reject = append(reject, o)
		}
	}
	if !named && p.l.cfg.Role == Server && p.l.remote.IsValid() {
		if !p.asked {
			p.asked = true
			nak = append(nak, addrOption(OptionIPAddress, p.l.remote))
		}
		p.peer = p.l.remote
	}
	return nak, reject
}

// server gives the name server to hand out for an option; not valid: none.
// Where there is but one it is the second as well, as pppd has it: a rejection
// would cost a round trip.
func (p *ipcp) server(option byte) netip.Addr {
	list, i := p.l.cfg.DNS, 0
	switch option {
	case OptionSecondaryDNS:
		i = 1
	case OptionPrimaryWINS:
		list = p.l.cfg.WINS
	case OptionSecondaryWINS:
		list, i = p.l.cfg.WINS, 1
	}
	if p.l.cfg.Role != Server || len(list) == 0 {
		return netip.Addr{}
	}
	return list[min(i, len(list)-1)]
}

func (p *ipcp) acked() bool {
	if p.l.cfg.Role == Client && p.local.IsUnspecified() {
		p.noAddress("the server gives us no address")
	}
	return true
}

func (p *ipcp) noAddress(what string) {
	p.l.fail(&NegotiationError{Protocol: ProtocolIPCP, What: what}, "no IP address")
}

func (p *ipcp) naked(opts []Option) {
	for _, o := range opts {
		v, ok := o.addr()
		if !ok {
			continue
		}
		if o.Type == OptionIPAddress && p.l.cfg.Role == Client && !v.IsUnspecified() {
			p.local = v
		}
		for i := range p.names {
			if n := &p.names[i]; n.option == o.Type {
				n.addr = v
			}
		}
	}
}

func (p *ipcp) rejected(opts []Option) {
	for _, o := range opts {
		if o.Type == OptionIPAddress {
			p.askAddr = false
			if p.local.IsUnspecified() {
				p.noAddress("the server does not give addresses")
			}
		}
		for i := range p.names {
			if n := &p.names[i]; n.option == o.Type {
				n.ask = false
			}
		}
	}
}

func (p *ipcp) up(now time.Time) {
	if p.l.ending() {
		return
	}
	if p.peer.IsValid() && p.peer == p.local {
		p.l.fail(&NegotiationError{Protocol: ProtocolIPCP, What: fmt.Sprintf("the %s calls itself %v, which is our own address", p.l.cfg.Role.peer(), p.peer)}, "address conflict")
		return
	}
	for _, a := range []netip.Addr{p.local, p.peer} {
		if a.IsValid() && (a.IsMulticast() || a.IsLoopback() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})) {
			p.noAddress(fmt.Sprintf("%v is no address for a host", a))
			return
		}
	}
	p.isUp = true
	p.l.networkUp()
}

// event makes the NetworkUp of what was agreed on.
func (p *ipcp) event() NetworkUp {
	ev := NetworkUp{Local: p.local, Peer: p.peer}
	if p.l.cfg.Role == Server {
		ev.DNS, ev.WINS = slices.Clone(p.l.cfg.DNS), slices.Clone(p.l.cfg.WINS)
		return ev
	}
	for _, n := range p.names {
		list := &ev.DNS
		if n.option == OptionPrimaryWINS || n.option == OptionSecondaryWINS {
			list = &ev.WINS
		}
		if n.ask && !n.addr.IsUnspecified() && !slices.Contains(*list, n.addr) {
			*list = append(*list, n.addr)
		}
	}
	return ev
}

func (p *ipcp) down(now time.Time) {
	p.isUp = false
	p.l.networkDown()
}

func (p *ipcp) finished(now time.Time, why ending) {
	switch why {
	case endTimeout:
		p.l.fail(&TimeoutError{Network, ProtocolIPCP, p.l.heard}, "IPCP timed out")
	case endNoConverge:
		p.noAddress("the peer refuses what we ask for again and again")
	case endRejected:
		p.l.fail(&NegotiationError{Protocol: ProtocolIPCP, What: "the peer rejects IPCP: it does no IP"}, "no network protocol")
	case endTerminated:
		p.l.fail(&PeerError{Protocol: ProtocolIPCP}, "no network protocol running")
	}
}

func (p *ipcp) terminated(now time.Time, text string) {
	if text != "" {
		p.l.tell(now, text)
	}
}

func (p *ipcp) extra(time.Time, Packet) bool { return false }
