package ppp

import "fmt"

// State is a state of the option negotiation automaton (RFC 1661, Section 4.2).
type State uint8

// The states, numbered as the RFC's table numbers them.
const (
	Initial  State = iota // no lower layer, not opened
	Starting              // no lower layer, opened
	Closed                // lower layer up, not opened
	Stopped               // finished by timeout or by the peer
	Closing               // Terminate-Request sent, on its way to Closed
	Stopping              // the same, on its way to Stopped
	ReqSent               // Configure-Request sent
	AckRcvd               // ours was acknowledged
	AckSent               // theirs was acknowledged
	Opened                // both were
	numStates
)

var stateNames = [numStates]string{"Initial", "Starting", "Closed", "Stopped",
	"Closing", "Stopping", "Req-Sent", "Ack-Rcvd", "Ack-Sent", "Opened"}

func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// event is what moves the automaton (RFC 1661, Section 4.3).
type event uint8

const (
	evUp    event = iota // the lower layer is ready
	evDown               // it is not any more
	evOpen               // we want the layer
	evClose              // we do not
	evTOp                // TO+: the Restart timer expired, tries are left
	evTOm                // TO-: it expired and none is left
	evRCRp               // RCR+: a Configure-Request we agree to
	evRCRm               // RCR-: one we do not
	evRCA                // a Configure-Ack
	evRCN                // a Configure-Nak or Configure-Reject
	evRTR                // a Terminate-Request
	evRTA                // a Terminate-Ack
	evRUC                // a packet of an unknown code
	evRXJp               // RXJ+: a rejection we can live with
	evRXJm               // RXJ-: one we cannot
	evRXR                // Echo-Request, Echo-Reply, Discard-Request
	numEvents
)

var eventNames = [numEvents]string{"Up", "Down", "Open", "Close", "TO+", "TO-", "RCR+", "RCR-",
	"RCA", "RCN", "RTR", "RTA", "RUC", "RXJ+", "RXJ-", "RXR"}

func (e event) String() string { return eventNames[e] }

// action is what the automaton does (RFC 1661, Section 4.4).
type action uint8

const (
	tlu action = iota // This-Layer-Up
	tld               // This-Layer-Down
	tls               // This-Layer-Started
	tlf               // This-Layer-Finished
	irc               // Initialize-Restart-Count
	zrc               // Zero-Restart-Count
	scr               // Send-Configure-Request
	sca               // Send-Configure-Ack
	scn               // Send-Configure-Nak or -Reject
	str               // Send-Terminate-Request
	sta               // Send-Terminate-Ack
	scj               // Send-Code-Reject
	ser               // Send-Echo-Reply
)

var actionNames = [...]string{"tlu", "tld", "tls", "tlf", "irc", "zrc", "scr", "sca", "scn", "str", "sta", "scj", "ser"}

func (a action) String() string { return actionNames[a] }

// cell is one entry of the table: what to do, and the state after it. The zero
// cell is one of the table's dashes, "an illegal transition": the event cannot
// happen in that state, and is ignored should it do so.
type cell struct {
	next  State
	do    []action
	legal bool
}

// to writes a cell: the new state and what is done.
func to(next State, do ...action) cell { return cell{next, do, true} }

// transitions is the table of RFC 1661, Section 4.1. Of its footnotes: the
// passive option [p] and the restart option [r] are not taken; that of a
// crossed connection [x] is as the table has it.
var transitions = [numEvents][numStates]cell{
	evUp: {
		Initial: to(Closed), Starting: to(ReqSent, irc, scr),
	},
	evDown: {
		Closed: to(Initial), Stopped: to(Starting, tls), Closing: to(Initial), Stopping: to(Starting),
		ReqSent: to(Starting), AckRcvd: to(Starting), AckSent: to(Starting), Opened: to(Starting, tld),
	},
	evOpen: {
		Initial: to(Starting, tls), Starting: to(Starting), Closed: to(ReqSent, irc, scr), Stopped: to(Stopped),
		Closing: to(Stopping), Stopping: to(Stopping),
		ReqSent: to(ReqSent), AckRcvd: to(AckRcvd), AckSent: to(AckSent), Opened: to(Opened),
	},
	evClose: {
		Initial: to(Initial), Starting: to(Initial, tlf), Closed: to(Closed), Stopped: to(Closed),
		Closing: to(Closing), Stopping: to(Closing),
		ReqSent: to(Closing, irc, str), AckRcvd: to(Closing, irc, str), AckSent: to(Closing, irc, str),
		Opened: to(Closing, tld, irc, str),
	},
	evTOp: {
		Closing: to(Closing, str), Stopping: to(Stopping, str),
		ReqSent: to(ReqSent, scr), AckRcvd: to(ReqSent, scr), AckSent: to(AckSent, scr),
	},
	evTOm: {
		Closing: to(Closed, tlf), Stopping: to(Stopped, tlf),
		ReqSent: to(Stopped, tlf), AckRcvd: to(Stopped, tlf), AckSent: to(Stopped, tlf),
	},
	evRCRp: {
		Closed: to(Closed, sta), Stopped: to(AckSent, irc, scr, sca), Closing: to(Closing), Stopping: to(Stopping),
		ReqSent: to(AckSent, sca), AckRcvd: to(Opened, sca, tlu), AckSent: to(AckSent, sca),
		Opened: to(AckSent, tld, scr, sca),
	},
	evRCRm: {
		Closed: to(Closed, sta), Stopped: to(ReqSent, irc, scr, scn), Closing: to(Closing), Stopping: to(Stopping),
		ReqSent: to(ReqSent, scn), AckRcvd: to(AckRcvd, scn), AckSent: to(ReqSent, scn),
		Opened: to(ReqSent, tld, scr, scn),
	},
	evRCA: {
		Closed: to(Closed, sta), Stopped: to(Stopped, sta), Closing: to(Closing), Stopping: to(Stopping),
		ReqSent: to(AckRcvd, irc), AckRcvd: to(ReqSent, scr), AckSent: to(Opened, irc, tlu),
		Opened: to(ReqSent, tld, scr),
	},
	evRCN: {
		Closed: to(Closed, sta), Stopped: to(Stopped, sta), Closing: to(Closing), Stopping: to(Stopping),
		ReqSent: to(ReqSent, irc, scr), AckRcvd: to(ReqSent, scr), AckSent: to(AckSent, irc, scr),
		Opened: to(ReqSent, tld, scr),
	},
	evRTR: {
		Closed: to(Closed, sta), Stopped: to(Stopped, sta), Closing: to(Closing, sta), Stopping: to(Stopping, sta),
		ReqSent: to(ReqSent, sta), AckRcvd: to(ReqSent, sta), AckSent: to(ReqSent, sta),
		Opened: to(Stopping, tld, zrc, sta),
	},
	evRTA: {
		Closed: to(Closed), Stopped: to(Stopped), Closing: to(Closed, tlf), Stopping: to(Stopped, tlf),
		ReqSent: to(ReqSent), AckRcvd: to(ReqSent), AckSent: to(AckSent),
		Opened: to(ReqSent, tld, scr),
	},
	evRUC: {
		Closed: to(Closed, scj), Stopped: to(Stopped, scj), Closing: to(Closing, scj), Stopping: to(Stopping, scj),
		ReqSent: to(ReqSent, scj), AckRcvd: to(AckRcvd, scj), AckSent: to(AckSent, scj), Opened: to(Opened, scj),
	},
	evRXJp: {
		Closed: to(Closed), Stopped: to(Stopped), Closing: to(Closing), Stopping: to(Stopping),
		ReqSent: to(ReqSent), AckRcvd: to(ReqSent), AckSent: to(AckSent), Opened: to(Opened),
	},
	evRXJm: {
		Closed: to(Closed, tlf), Stopped: to(Stopped, tlf), Closing: to(Closed, tlf), Stopping: to(Stopped, tlf),
		ReqSent: to(Stopped, tlf), AckRcvd: to(Stopped, tlf), AckSent: to(Stopped, tlf),
		Opened: to(Stopping, tld, irc, str),
	},
	evRXR: {
		Closed: to(Closed), Stopped: to(Stopped), Closing: to(Closing), Stopping: to(Stopping),
		ReqSent: to(ReqSent), AckRcvd: to(AckRcvd), AckSent: to(AckSent), Opened: to(Opened, ser),
	},
}

// timed tells whether the Restart timer runs in a state (RFC 1661, Section 4.2).
func (s State) timed() bool { return s >= Closing && s <= AckSent }

// negotiating tells whether a Configure-Request of ours is under way.
func (s State) negotiating() bool { return s >= ReqSent && s <= AckSent }
