package pptp

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		code fmt.Stringer
		want string
	}{
		{TypeSetLinkInfo, "Set-Link-Info"},
		{MessageType(0), "control message type 0"},
		{MessageType(16), "control message type 16"},
		{Version1, "1.0"},
		{Version(0x0203), "2.3"},
		{StartOK, "established"},
		{StartGeneralError, "general error"},
		{StartAlreadyExists, "control connection exists already"},
		{StartNotAuthorized, "not authorized"},
		{StartVersionRejected, "protocol version not supported"},
		{StartResult(6), "start result 6"},
		{StopNone, "general request"},
		{StopProtocol, "protocol version not supported"},
		{StopLocalShutdown, "shutting down"},
		{StopReason(0), "stop reason 0"},
		{StopOK, "OK"},
		{StopGeneralError, "general error"},
		{StopResult(3), "stop result 3"},
		{EchoOK, "OK"},
		{EchoGeneralError, "general error"},
		{EchoResult(3), "echo result 3"},
		{CallOK, "connected"},
		{CallGeneralError, "general error"},
		{CallNoCarrier, "no carrier"},
		{CallBusy, "busy"},
		{CallNoDialTone, "no dial tone"},
		{CallTimeOut, "time-out"},
		{CallDoNotAccept, "do not accept"},
		{CallResult(255), "call result 255"},
		{IncomingOK, "connect"},
		{IncomingGeneralError, "general error"},
		{IncomingDoNotAccept, "do not accept"},
		{IncomingResult(4), "incoming call result 4"},
		{DisconnectLostCarrier, "lost carrier"},
		{DisconnectGeneralError, "general error"},
		{DisconnectAdminShutdown, "administrative shutdown"},
		{DisconnectRequest, "on request"},
		{DisconnectResult(5), "disconnect result 5"},
		{ErrorNone, "none"},
		{ErrorNotConnected, "not connected"},
		{ErrorBadFormat, "bad format"},
		{ErrorBadValue, "bad value"},
		{ErrorNoResource, "no resource"},
		{ErrorBadCallID, "bad call ID"},
		{ErrorPAC, "PAC error"},
		{GeneralError(7), "general error 7"},
		{Cause(17), "user busy"},
		{Cause(127), "interworking"},
		{Cause(128), "cause 128"},
		{FramingAsync | FramingSync, "async or sync"},
		{Framing(0xffffffff), "framing 4294967295"},
		{BearerDigital, "digital"},
		{Client, "client"},
		{Server, "server"},
		{Role(2), "role 2"},
	} {
		if got := tt.code.String(); got != tt.want {
			t.Errorf("%T: %q, want %q", tt.code, got, tt.want)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&CallError{Result: CallBusy}, "server refused the call: busy"},
		{&CallError{Result: CallGeneralError, General: ErrorNoResource}, "server refused the call: general error (no resource)"},
		{&CallError{Result: CallGeneralError}, "server refused the call: general error"},
		{&CallError{Result: CallNoCarrier, Cause: 27}, "server refused the call: no carrier, cause 27: destination out of order"},
		{&CallError{Result: 99, General: 88, Cause: 777}, "server refused the call: call result 99 (general error 88), cause 777"},
		{&StartError{Result: StartNotAuthorized}, "server refused the control connection: not authorized"},
		{&StartError{Result: StartGeneralError, General: ErrorPAC}, "server refused the control connection: general error (PAC error)"},
		{&StartError{Result: StartVersionRejected, Version: 0x0200}, "control connection refused: protocol version not supported, the peer has 2.0"},
		{&DisconnectError{Result: DisconnectLostCarrier}, "the peer ended the call: lost carrier"},
		{&DisconnectError{Result: DisconnectRequest}, "the peer ended the call: on request"},
		{&StopError{Reason: StopLocalShutdown}, "the peer ended the control connection: shutting down"},
		{&TimeoutError{Awaited: TypeOutgoingCallReply, After: 10 * time.Second}, "no Outgoing-Call-Reply from the peer within 10s"},
		{&LostError{}, "the peer closed the control connection"},
		{&LostError{io.EOF}, "the peer closed the control connection"},
		{&LostError{errors.New("connection reset")}, "control connection lost: connection reset"},
		{&ProtocolError{TypeSetLinkInfo}, "pptp: Set-Link-Info before Start-Control-Connection-Request"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%#v: %q, want %q", tt.err, got, tt.want)
		}
	}
	if !errors.Is(&LostError{io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF) {
		t.Error("LostError hides its cause")
	}
}
