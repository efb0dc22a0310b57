package tunnel

import "goppptp/internal/ppp"

const (
	ipHeader   = 20 // the outer IPv4 header
	greHeader  = 16 // with sequence and acknowledgement number
	mppeHeader = 2
	maxPPP     = 4 // address, control and a protocol field of two octets
	minMTU     = 576
)

// MTU returns the size in octets of the largest IP packet that reaches the
// peer whole over a path of pathMTU octets, when LCP agreed on l: such a
// packet makes, with all that is put around it, no more than one packet of the
// path, and no more than the peer's MRU.
func MTU(pathMTU int, l ppp.LinkUp, encrypted bool) int {
	protocol := 2
	if l.SendPFC {
		protocol = 1
	}
	header := protocol
	if !l.SendACFC {
		header += 2
	}
	inside := 0 // MPPE's header and the protocol field that it encrypts
	if encrypted {
		// The MRU counts the information field, in which a protocol field of
		// two octets is allowed for: it is what Linux does, too.
		inside = mppeHeader + protocol
	}
	mtu := pathMTU - ipHeader - greHeader - header - inside
	if l.PeerMRU > 0 {
		limit := l.PeerMRU
		if encrypted {
			limit -= mppeHeader + 2
		}
		mtu = min(mtu, limit)
	}
	return max(mtu, minMTU)
}

// MRU returns what to ask the peer to keep its frames' information fields to,
// so that each of its packets fits a path of pathMTU octets whole.
func MRU(pathMTU int) int {
	return max(pathMTU-ipHeader-greHeader-maxPPP, minMTU)
}
