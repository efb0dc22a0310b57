package ppp

import (
	"encoding/binary"
	"fmt"
	"time"
)

// rejectLimit bounds the Protocol-Rejects sent in a second.
const rejectLimit = 10

// rejectProtocol sends a Protocol-Reject (RFC 1661, Section 5.7), which is for
// the Opened state alone; before the network phase packets are dropped.
func (l *Link) rejectProtocol(now time.Time, p Protocol, info []byte) {
	if l.phase != Network || l.lcpM.state != Opened || l.ending() {
		l.stats.Ignored++
		return
	}
	if now.Sub(l.rejectsAt) >= time.Second {
		l.rejectsAt, l.rejects = now, 0
	}
	if l.rejects++; l.rejects > rejectLimit {
		l.stats.Ignored++
		return
	}
	l.stats.Rejected++
	data := binary.BigEndian.AppendUint16(nil, uint16(p))
	l.lcpM.id++
	l.sendPacket(ProtocolLCP, Packet{ProtocolReject, l.lcpM.id, l.clip(append(data, info...))})
}

// protocolRejected: the peer does not know a protocol we sent.
func (l *Link) protocolRejected(now time.Time, p Protocol) {
	reject := func(m *machine) {
		if m.ready() {
			m.why = endRejected
			m.event(now, evRXJm)
		}
	}
	switch p {
	case ProtocolCCP:
		reject(&l.ccpM)
	case ProtocolIPCP:
		reject(&l.ipcpM)
	case ProtocolIPV6CP, ProtocolIPv6:
		reject(l.ipv6M)
	case ProtocolLCP:
		reject(&l.lcpM)
	case ProtocolPAP, ProtocolCHAP, ProtocolEAP:
		if l.phase == Authenticate && Protocol(l.method.Protocol()) == p {
			l.fail(&NegotiationError{ProtocolLCP, fmt.Sprintf("the peer agreed to authenticate with %s and rejects it", l.method), true}, "authentication failed")
		}
	case ProtocolIP:
		l.tell(now, "the peer rejects IP packets")
	default:
		l.ccp.rejectedNonsense(now)
	}
}
