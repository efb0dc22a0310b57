package pptp

import (
	"errors"
	"io"
	"testing"
	"time"
)

func TestStop(t *testing.T) {
	t.Run("client with calls", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.c.PlaceCall(s.now, 2)
		s.wantSendType(TypeOutgoingCallRequest)
		s.c.Stop(s.now, StopLocalShutdown)
		s.want(CallEnded{1, 11, nil})
		s.want(CallEnded{CallID: 2})
		s.wantSend(&StopControlConnectionRequest{StopLocalShutdown})
		s.recv(&CallDisconnectNotify{CallID: 11}, &OutgoingCallReply{CallID: 12, PeerCallID: 2, Result: CallOK}, &EchoRequest{3})
		s.want(EchoSeen{})
		s.wantSend(&EchoReply{3, EchoOK, 0})
		if err := s.c.PlaceCall(s.now, 3); err != ErrClosed {
			t.Errorf("PlaceCall after Stop: %v", err)
		}
		s.c.ConnectionLost(s.now, errors.New("reset"))
		s.wantClosed(nil)
	})
	t.Run("server with calls", func(t *testing.T) {
		s := newServer(t, Config{})
		s.callTaken(1, 11)
		s.recv(&OutgoingCallRequest{CallID: 2})
		s.want(CallOffered{2, &OutgoingCallRequest{CallID: 2}})
		s.c.Stop(s.now, StopNone)
		s.wantSend(&CallDisconnectNotify{CallID: 1, Result: DisconnectAdminShutdown})
		s.want(CallEnded{11, 1, nil})
		s.want(CallEnded{0, 2, nil})
		s.wantSend(&StopControlConnectionRequest{StopNone})
		if err := s.c.Answer(s.now, 2, 22); err != ErrClosed {
			t.Errorf("Answer after Stop: %v", err)
		}
		s.recv(&StopControlConnectionReply{Result: StopGeneralError})
		s.wantClosed(nil)
	})
	t.Run("no answer", func(t *testing.T) {
		s := newClient(t, Config{})
		s.c.Stop(s.now, StopNone)
		s.wantSendType(TypeStopControlConnectionRequest)
		s.advance(3 * time.Second)
		s.wantClosed(nil)
	})
	t.Run("both at once", func(t *testing.T) {
		s := newClient(t, Config{})
		s.c.Stop(s.now, StopNone)
		s.wantSendType(TypeStopControlConnectionRequest)
		s.recv(&StopControlConnectionRequest{StopNone})
		s.wantSend(&StopControlConnectionReply{Result: StopOK})
		s.wantClosed(nil)
	})
	t.Run("the peer, with calls up", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.recv(&StopControlConnectionRequest{StopLocalShutdown})
		s.wantSend(&StopControlConnectionReply{Result: StopOK})
		s.want(CallEnded{1, 11, &StopError{StopLocalShutdown}})
		s.wantClosed(&StopError{StopLocalShutdown})
	})
	t.Run("the peer, instead of clearing", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.c.Clear(s.now, 1)
		s.wantSendType(TypeCallClearRequest)
		s.recv(&StopControlConnectionRequest{StopNone})
		s.wantSend(&StopControlConnectionReply{Result: StopOK})
		s.want(CallEnded{1, 11, nil})
		s.wantClosed(nil)
	})
	t.Run("before anything", func(t *testing.T) {
		s := newScript(t, Config{})
		s.wantSend(startRequest)
		s.c.PlaceCall(s.now, 1)
		s.c.Stop(s.now, StopNone)
		s.want(CallEnded{CallID: 1})
		s.wantClosed(nil)
		s = newScript(t, Config{Role: Server})
		s.c.Stop(s.now, StopNone)
		s.wantClosed(nil)
		c := NewConn(Config{})
		c.Stop(s.now, StopNone)
		if e := c.NextEvent(); e != (Closed{}) {
			t.Errorf("Stop before Start: %s", show(e))
		}
	})
}

func TestConnectionLost(t *testing.T) {
	reset := errors.New("connection reset by peer")
	t.Run("before established", func(t *testing.T) {
		s := newScript(t, Config{})
		s.wantSend(startRequest)
		s.c.ConnectionLost(s.now, nil)
		s.wantClosed(&LostError{})
	})
	t.Run("established, no call yet", func(t *testing.T) {
		s := newServer(t, Config{})
		s.c.ConnectionLost(s.now, io.EOF)
		s.wantClosed(&LostError{io.EOF})
	})
	t.Run("a call up, another being cleared", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.callUp(2, 12)
		s.c.Clear(s.now, 1)
		s.wantSendType(TypeCallClearRequest)
		s.c.ConnectionLost(s.now, reset)
		s.want(CallEnded{1, 11, nil})
		s.want(CallEnded{2, 12, &LostError{reset}})
		s.wantClosed(&LostError{reset})
	})
	t.Run("after the last call", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.recv(&CallDisconnectNotify{CallID: 11, Result: DisconnectLostCarrier})
		s.want(CallEnded{1, 11, &DisconnectError{Result: DisconnectLostCarrier}})
		s.c.ConnectionLost(s.now, reset)
		s.wantClosed(nil)
	})
	t.Run("a new call after the last", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.recv(&CallDisconnectNotify{CallID: 11, Result: DisconnectLostCarrier})
		s.want(CallEnded{1, 11, &DisconnectError{Result: DisconnectLostCarrier}})
		s.callUp(1, 12)
		s.c.ConnectionLost(s.now, reset)
		s.want(CallEnded{1, 12, &LostError{reset}})
		s.wantClosed(&LostError{reset})
	})
}
