package ppp

import (
	"fmt"
	"net/netip"
	"time"

	"goppptp/internal/mschap"
	"goppptp/internal/ppp/auth"
)

// Phase is where a link is in its life (RFC 1661, Section 3.2).
type Phase uint8

const (
	Dead         Phase = iota // not begun, or over
	Establish                 // LCP negotiates
	Authenticate              // PAP, CHAP or EAP
	Network                   // CCP, IPCP, IPV6CP, data
	Terminate                 // LCP says goodbye
)

func (p Phase) String() string {
	switch p {
	case Dead:
		return "dead"
	case Establish:
		return "establish"
	case Authenticate:
		return "authenticate"
	case Network:
		return "network"
	case Terminate:
		return "terminate"
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// MarshalText gives String, for JSON.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Event is what a Link asks of its owner, or tells it: one of the types below.
type Event interface{ isEvent() }

type (
	// SendFrame asks for a whole PPP frame to be sent. The slice belongs to the
	// receiver of the event.
	SendFrame struct{ Frame []byte }

	// PhaseChanged tells of another phase.
	PhaseChanged struct{ Phase Phase }

	// LinkUp tells that LCP is open and what data frames must keep to. It comes
	// again if LCP is negotiated anew.
	LinkUp struct {
		PeerMRU   int  // octets of information field the peer takes
		SendACFC  bool // address and control may be left out towards the peer
		SendPFC   bool // the protocol field may be one octet towards the peer
		PeerMagic uint32
	}

	// Authenticated tells who the peer is, or that it has let us in.
	Authenticated struct{ auth.Result }

	// CompressionUp tells that MPPE begins, in both directions, anew from the
	// start keys, with packet counts of zero. The keys are those of the last
	// authentication (RFC 3079): CCP negotiated again without one in between
	// gives the same. Bits are 40, 56 or 128; with 40 and 56 the first eight octets
	// of a key count.
	CompressionUp struct {
		SendBits, RecvBits         int
		SendStateful, RecvStateful bool
		SendKey, RecvKey           mschap.Key
	}

	// CompressionDown tells that MPPE ends: no data may pass until the next
	// CompressionUp, if MPPE is required.
	CompressionDown struct{}

	// CompressionFlush tells that the peer lost a packet: the next one sent must
	// be flushed (RFC 3078, Section 8).
	CompressionFlush struct{}

	// CompressionResetAcked tells that the peer has answered our Reset-Request.
	CompressionResetAcked struct{}

	// NetworkUp tells that IP packets may pass. Peer is not valid where the peer
	// does not say its address. DNS and WINS are the servers that the client
	// was given, in order and without repetitions.
	NetworkUp struct {
		Local, Peer netip.Addr
		DNS, WINS   []netip.Addr
	}

	// NetworkDown tells that no IP packet may pass any more.
	NetworkDown struct{}

	// Network6Up tells that IPv6 packets may pass, and the interface
	// identifiers: the lower 64 bits of the link-local addresses.
	Network6Up struct{ LocalID, PeerID uint64 }

	// Network6Down tells that no IPv6 packet may pass any more.
	Network6Down struct{}

	// EchoReplied tells how long an LCP echo took.
	EchoReplied struct{ RTT time.Duration }

	// ProbeFailed tells that nothing answered a Probe.
	ProbeFailed struct{}

	// Message is a text for the log, mostly the peer's words; it is printable,
	// and of the peer's there are few in a minute, whatever it sends.
	Message struct{ Text string }

	// Finished is the last event: the link is dead. Err is nil where that was
	// asked for with Close; otherwise it is an *MPPEError, *TimeoutError,
	// *PeerError, *EchoError, *LoopError or *NegotiationError, an *auth.Error,
	// *auth.ServerError or *auth.TimeoutError, or wraps what Owner.Assign or Down
	// was given.
	Finished struct{ Err error }
)

func (SendFrame) isEvent()             {}
func (PhaseChanged) isEvent()          {}
func (LinkUp) isEvent()                {}
func (Authenticated) isEvent()         {}
func (CompressionUp) isEvent()         {}
func (CompressionDown) isEvent()       {}
func (CompressionFlush) isEvent()      {}
func (CompressionResetAcked) isEvent() {}
func (NetworkUp) isEvent()             {}
func (NetworkDown) isEvent()           {}
func (Network6Up) isEvent()            {}
func (Network6Down) isEvent()          {}
func (EchoReplied) isEvent()           {}
func (ProbeFailed) isEvent()           {}
func (Message) isEvent()               {}
func (Finished) isEvent()              {}
