package pptp

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// What a caller of Conn can do wrong.
var (
	ErrClosed       = errors.New("pptp: control connection is closed or closing")
	ErrRole         = errors.New("pptp: not for this role")
	ErrNoCall       = errors.New("pptp: no such call")
	ErrCallIDInUse  = errors.New("pptp: call ID in use")
	ErrTooManyCalls = errors.New("pptp: too many calls")
)

// ErrFlood says that the peer sends more than any PPTP peer has reason to.
var ErrFlood = errors.New("pptp: the peer floods the control connection")

// detail is what follows a result: its general error, and the cause.
func detail(result string, general GeneralError, cause Cause) string {
	var b strings.Builder
	b.WriteString(result)
	if general != ErrorNone {
		fmt.Fprintf(&b, " (%v)", general)
	}
	if cause != 0 {
		fmt.Fprintf(&b, ", cause %d", uint16(cause))
		if s, ok := causeNames[cause]; ok {
			fmt.Fprintf(&b, ": %s", s)
		}
	}
	return b.String()
}

// CallError is a server's refusal of a call.
type CallError struct {
	Result  CallResult
	General GeneralError
	Cause   Cause
}

func (e *CallError) Error() string {
	return "server refused the call: " + detail(e.Result.String(), e.General, e.Cause)
}

// StartError is a refusal of the control connection: the server's of ours, or, for its protocol version, ours of the peer's.
type StartError struct {
	Result  StartResult
	General GeneralError
	Version Version // the peer's
}

func (e *StartError) Error() string {
	if e.Result == StartVersionRejected {
		return fmt.Sprintf("control connection refused: protocol version not supported, the peer has %v", e.Version)
	}
	return "server refused the control connection: " + detail(e.Result.String(), e.General, 0)
}

// DisconnectError says that the peer ended a call that was up or about to be.
type DisconnectError struct {
	Result  DisconnectResult // DisconnectRequest: the client cleared the call
	General GeneralError
	Cause   Cause
}

func (e *DisconnectError) Error() string {
	return "the peer ended the call: " + detail(e.Result.String(), e.General, e.Cause)
}

// StopError says that the peer ended the control connection while calls were up, or before it was established.
type StopError struct{ Reason StopReason }

func (e *StopError) Error() string {
	return fmt.Sprintf("the peer ended the control connection: %v", e.Reason)
}

// TimeoutError says that the peer did not send a message in time.
type TimeoutError struct {
	Awaited MessageType
	After   time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("no %v from the peer within %v", e.Awaited, e.After)
}

// Timeout reports true, as in net.Error.
func (e *TimeoutError) Timeout() bool { return true }

// LostError says that the TCP connection ended without a goodbye. Err is nil or io.EOF where the peer closed it.
type LostError struct{ Err error }

func (e *LostError) Error() string {
	if e.Err == nil || errors.Is(e.Err, io.EOF) {
		return "the peer closed the control connection"
	}
	return "control connection lost: " + e.Err.Error()
}

func (e *LostError) Unwrap() error { return e.Err }

// ProtocolError says that a peer sent a message it may not send yet.
type ProtocolError struct{ Unexpected MessageType }

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("pptp: %v before Start-Control-Connection-Request", e.Unexpected)
}
