package tunnel

import (
	"net/netip"
	"time"

	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
)

// A Network is what the two ends agreed on for the tunnel's interface.
type Network struct {
	Local, Peer   netip.Addr
	DNS, WINS     []netip.Addr
	MTU           int    // octets of the largest IP packet
	Local6, Peer6 uint64 // IPv6 interface identifiers, 0: none
}

// An Event is something that happened to a session: Phase, LinkUp,
// Authenticated, MPPEUp, MPPEDown, Up, IPv6, Down, EchoReply, ProbeFailed,
// Message or Finished.
type Event interface{ isEvent() }

type (
	// Phase is the phase of the link (RFC 1661, Section 3.2).
	Phase struct{ Phase ppp.Phase }
	// LinkUp tells what LCP agreed on.
	LinkUp struct{ ppp.LinkUp }
	// Authenticated tells who was believed to whom.
	Authenticated struct{ auth.Result }
	// MPPEUp tells that both directions are encrypted, and how.
	MPPEUp struct {
		SendBits, RecvBits         int
		SendStateful, RecvStateful bool
	}
	// MPPEDown tells that encryption ended.
	MPPEDown struct{}
	// Up tells that packets flow, for the first time or after a Down; a session
	// keeps its addresses and its interface.
	Up struct {
		Network   Network
		Interface string
	}
	// IPv6 tells the interface identifiers with which IPv6 packets flow; zero:
	// they do not any more. It may come before Up, and after.
	IPv6 struct{ Local, Peer uint64 }
	// Down tells that packets have ceased to flow; the session may come Up
	// again or be Finished.
	Down struct{}
	// EchoReply tells that the peer has answered an LCP Echo-Request.
	EchoReply struct{ RTT time.Duration }
	// ProbeFailed tells that it has not answered those of a Probe.
	ProbeFailed struct{}
	// Message is a text that the peer sent for people to read.
	Message struct{ Text string }
	// Finished is the last event; Err is what Run returns.
	Finished struct{ Err error }
)

func (Phase) isEvent()         {}
func (LinkUp) isEvent()        {}
func (Authenticated) isEvent() {}
func (MPPEUp) isEvent()        {}
func (MPPEDown) isEvent()      {}
func (Up) isEvent()            {}
func (Down) isEvent()          {}
func (IPv6) isEvent()          {}
func (EchoReply) isEvent()     {}
func (ProbeFailed) isEvent()   {}
func (Message) isEvent()       {}
func (Finished) isEvent()      {}
