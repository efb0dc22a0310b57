package pptp

import "fmt"

// MessageType is the Control Message Type (RFC 2637, Section 1.4).
type MessageType uint16

const (
	TypeStartControlConnectionRequest MessageType = 1
	TypeStartControlConnectionReply   MessageType = 2
	TypeStopControlConnectionRequest  MessageType = 3
	TypeStopControlConnectionReply    MessageType = 4
	TypeEchoRequest                   MessageType = 5
	TypeEchoReply                     MessageType = 6
	TypeOutgoingCallRequest           MessageType = 7
	TypeOutgoingCallReply             MessageType = 8
	TypeIncomingCallRequest           MessageType = 9
	TypeIncomingCallReply             MessageType = 10
	TypeIncomingCallConnected         MessageType = 11
	TypeCallClearRequest              MessageType = 12
	TypeCallDisconnectNotify          MessageType = 13
	TypeWANErrorNotify                MessageType = 14
	TypeSetLinkInfo                   MessageType = 15
)

var messageTypeNames = [...]string{
	TypeStartControlConnectionRequest: "Start-Control-Connection-Request",
	TypeStartControlConnectionReply:   "Start-Control-Connection-Reply",
	TypeStopControlConnectionRequest:  "Stop-Control-Connection-Request",
	TypeStopControlConnectionReply:    "Stop-Control-Connection-Reply",
	TypeEchoRequest:                   "Echo-Request",
	TypeEchoReply:                     "Echo-Reply",
	TypeOutgoingCallRequest:           "Outgoing-Call-Request",
	TypeOutgoingCallReply:             "Outgoing-Call-Reply",
	TypeIncomingCallRequest:           "Incoming-Call-Request",
	TypeIncomingCallReply:             "Incoming-Call-Reply",
	TypeIncomingCallConnected:         "Incoming-Call-Connected",
	TypeCallClearRequest:              "Call-Clear-Request",
	TypeCallDisconnectNotify:          "Call-Disconnect-Notify",
	TypeWANErrorNotify:                "WAN-Error-Notify",
	TypeSetLinkInfo:                   "Set-Link-Info",
}

func (t MessageType) String() string {
	return name(messageTypeNames[:], uint(t), "control message type")
}

// name looks up a code's name; codes without one are shown by number.
func name(names []string, code uint, kind string) string {
	if code < uint(len(names)) && names[code] != "" {
		return names[code]
	}
	return fmt.Sprintf("%s %d", kind, code)
}

// Version is a protocol version, the major number in the high octet.
type Version uint16

// Version1 is the version of RFC 2637: 1, revision 0.
const Version1 Version = 0x0100

func (v Version) String() string { return fmt.Sprintf("%d.%d", v>>8, v&0xff) }

// StartResult is the Result Code of a Start-Control-Connection-Reply (RFC 2637, Section 2.2).
type StartResult uint8

const (
	StartOK              StartResult = 1
	StartGeneralError    StartResult = 2
	StartAlreadyExists   StartResult = 3
	StartNotAuthorized   StartResult = 4
	StartVersionRejected StartResult = 5
)

func (r StartResult) String() string {
	return name([]string{1: "established", 2: "general error", 3: "control connection exists already", 4: "not authorized", 5: "protocol version not supported"}, uint(r), "start result")
}

// StopReason is the Reason of a Stop-Control-Connection-Request (RFC 2637, Section 2.3).
type StopReason uint8

const (
	StopNone          StopReason = 1 // a general request to end
	StopProtocol      StopReason = 2 // the peer's protocol version cannot be supported
	StopLocalShutdown StopReason = 3
)

func (r StopReason) String() string {
	return name([]string{1: "general request", 2: "protocol version not supported", 3: "shutting down"}, uint(r), "stop reason")
}

// StopResult is the Result Code of a Stop-Control-Connection-Reply (RFC 2637, Section 2.4).
type StopResult uint8

const (
	StopOK           StopResult = 1
	StopGeneralError StopResult = 2
)

func (r StopResult) String() string {
	return name([]string{1: "OK", 2: "general error"}, uint(r), "stop result")
}

// EchoResult is the Result Code of an Echo-Reply (RFC 2637, Section 2.6).
type EchoResult uint8

const (
	EchoOK           EchoResult = 1
	EchoGeneralError EchoResult = 2
)

func (r EchoResult) String() string {
	return name([]string{1: "OK", 2: "general error"}, uint(r), "echo result")
}

// CallResult is the Result Code of an Outgoing-Call-Reply (RFC 2637, Section 2.8).
type CallResult uint8

const (
	CallOK           CallResult = 1
	CallGeneralError CallResult = 2
	CallNoCarrier    CallResult = 3
	CallBusy         CallResult = 4
	CallNoDialTone   CallResult = 5
	CallTimeOut      CallResult = 6
	CallDoNotAccept  CallResult = 7
)

func (r CallResult) String() string {
	return name([]string{1: "connected", 2: "general error", 3: "no carrier", 4: "busy", 5: "no dial tone", 6: "time-out", 7: "do not accept"}, uint(r), "call result")
}

// IncomingResult is the Result Code of an Incoming-Call-Reply (RFC 2637, Section 2.10).
type IncomingResult uint8

const (
	IncomingOK           IncomingResult = 1
	IncomingGeneralError IncomingResult = 2
	IncomingDoNotAccept  IncomingResult = 3
)

func (r IncomingResult) String() string {
	return name([]string{1: "connect", 2: "general error", 3: "do not accept"}, uint(r), "incoming call result")
}

// DisconnectResult is the Result Code of a Call-Disconnect-Notify (RFC 2637, Section 2.13).
type DisconnectResult uint8

const (
	DisconnectLostCarrier   DisconnectResult = 1
	DisconnectGeneralError  DisconnectResult = 2
	DisconnectAdminShutdown DisconnectResult = 3
	DisconnectRequest       DisconnectResult = 4 // a Call-Clear-Request came
)

func (r DisconnectResult) String() string {
	return name([]string{1: "lost carrier", 2: "general error", 3: "administrative shutdown", 4: "on request"}, uint(r), "disconnect result")
}

// GeneralError is the Error Code beside a result that says general error (RFC 2637, Section 2.16).
type GeneralError uint8

const (
	ErrorNone         GeneralError = 0
	ErrorNotConnected GeneralError = 1 // no control connection exists yet
	ErrorBadFormat    GeneralError = 2 // wrong length or magic cookie
	ErrorBadValue     GeneralError = 3 // a value out of range, or a reserved field not zero
	ErrorNoResource   GeneralError = 4 // insufficient resources now
	ErrorBadCallID    GeneralError = 5
	ErrorPAC          GeneralError = 6 // vendor-specific
)

func (e GeneralError) String() string {
	return name([]string{0: "none", 1: "not connected", 2: "bad format", 3: "bad value", 4: "no resource", 5: "bad call ID", 6: "PAC error"}, uint(e), "general error")
}

// Framing is a set of PPP framings: what a side can do, or what a call is to use.
type Framing uint32

const (
	FramingAsync Framing = 1
	FramingSync  Framing = 2
)

func (f Framing) String() string {
	return name([]string{0: "none", 1: "async", 2: "sync", 3: "async or sync"}, uint(f), "framing")
}

// Bearer is a set of bearer channel types: what a side can do, or what a call is to use.
type Bearer uint32

const (
	BearerAnalog  Bearer = 1
	BearerDigital Bearer = 2
)

func (b Bearer) String() string {
	return name([]string{0: "none", 1: "analog", 2: "digital", 3: "analog or digital"}, uint(b), "bearer")
}
