package ppp

import (
	"fmt"
	"strings"
	"unicode"
)

// MPPEError tells that encryption was required and not agreed on.
type MPPEError struct {
	Peer   string // "server" or "client"
	Ours   string // what we require: "128-bit stateless"
	Theirs string // what the peer offers: "40-bit stateless", "none"; empty: it never said
	Detail string // what happened; maybe empty
}

func (e *MPPEError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "MPPE not agreed: we require %s", e.Ours)
	if e.Theirs != "" {
		fmt.Fprintf(&b, "; the %s offers %s", e.Peer, e.Theirs)
	}
	switch {
	case e.Detail == "":
	case e.Theirs != "":
		fmt.Fprintf(&b, " (%s)", e.Detail)
	default:
		b.WriteString("; " + e.Detail)
	}
	return b.String()
}

// TimeoutError tells that the peer did not answer.
type TimeoutError struct {
	Phase     Phase
	Protocol  Protocol
	HeardPeer bool // it has sent something before: packets do come through
}

func (e *TimeoutError) Error() string {
	if !e.HeardPeer {
		return fmt.Sprintf("no PPP packet came from the peer while we negotiated %s: GRE (IP protocol 47) may be blocked on the way", e.Protocol)
	}
	return fmt.Sprintf("the peer stopped answering while we negotiated %s", e.Protocol)
}

// PeerError tells that the peer ended the link.
type PeerError struct {
	Protocol Protocol // what it closed: LCP or IPCP
	Message  string   // its words, maybe empty
}

func (e *PeerError) Error() string {
	s := "the peer ended the session"
	if e.Protocol != ProtocolLCP {
		s += " by closing " + e.Protocol.String()
	}
	if e.Message != "" {
		s += fmt.Sprintf(": %q", e.Message)
	}
	return s
}

// EchoError tells that the peer fell silent.
type EchoError struct{ Failures int }

func (e *EchoError) Error() string {
	return fmt.Sprintf("the peer is silent: %d LCP echo requests without an answer", e.Failures)
}

// LoopError tells that our own packets come back.
type LoopError struct{ Magic uint32 }

func (e *LoopError) Error() string {
	return fmt.Sprintf("the link is looped back: our own magic number %#08x comes back", e.Magic)
}

// NegotiationError tells that a protocol could not be agreed on.
type NegotiationError struct {
	Protocol Protocol
	What     string // what was not agreed, as a clause
	// Authentication is set where the two sides have no authentication method
	// in common.
	Authentication bool
}

func (e *NegotiationError) Error() string {
	return fmt.Sprintf("%s not agreed: %s", e.Protocol, e.What)
}

// printable makes a peer's text fit for a log: one line of printable ASCII and
// UTF-8, 200 characters at most.
func printable(b []byte) string {
	text := strings.ToValidUTF8(string(b), "?")
	var out strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > 200 {
			out.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		out.WriteRune(r)
	}
	return strings.TrimSpace(out.String())
}
