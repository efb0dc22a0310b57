package pptp

import (
	"errors"
	"testing"
	"time"
)

func TestCallRefused(t *testing.T) {
	for _, tt := range []struct {
		reply OutgoingCallReply
		want  *CallError
	}{
		{OutgoingCallReply{PeerCallID: 1, Result: CallBusy}, &CallError{Result: CallBusy}},
		{OutgoingCallReply{PeerCallID: 1, Result: CallGeneralError, General: ErrorNoResource, Cause: 34}, &CallError{CallGeneralError, ErrorNoResource, 34}},
		{OutgoingCallReply{PeerCallID: 0, Result: CallDoNotAccept}, &CallError{Result: CallDoNotAccept}}, // names no call
		{OutgoingCallReply{PeerCallID: 1, Result: 8}, &CallError{Result: 8}},
	} {
		s := newClient(t, Config{})
		s.c.PlaceCall(s.now, 1)
		s.wantSendType(TypeOutgoingCallRequest)
		s.recv(&tt.reply)
		s.want(CallEnded{CallID: 1, Err: tt.want})
		s.wantIdle()
		s.c.ConnectionLost(s.now, nil)
		s.wantClosed(nil)
	}
}

func TestCallReplies(t *testing.T) {
	s := newClient(t, Config{})
	s.c.PlaceCall(s.now, 1)
	s.wantSendType(TypeOutgoingCallRequest)
	s.recv(&OutgoingCallReply{CallID: 9, PeerCallID: 77, Result: CallOK}) // of a call we do not have
	s.wantIdle()
	zero := &OutgoingCallReply{CallID: 9, PeerCallID: 1} // result 0
	s.recv(zero)
	s.want(CallConnected{1, 9, zero})
	s.recv(zero, &OutgoingCallReply{PeerCallID: 1, Result: CallBusy}) // again, and another mind
	s.wantIdle()
	s.c.PlaceCall(s.now, 2)
	s.c.PlaceCall(s.now, 3)
	s.wantSendType(TypeOutgoingCallRequest)
	s.wantSendType(TypeOutgoingCallRequest)
	s.recv(&OutgoingCallReply{PeerCallID: 77, Result: CallBusy}) // which of the two?
	s.wantIdle()
}

func TestCallTimeout(t *testing.T) {
	s := newClient(t, Config{})
	s.c.PlaceCall(s.now, 1)
	s.wantSendType(TypeOutgoingCallRequest)
	s.advance(4 * time.Second)
	s.c.PlaceCall(s.now, 2)
	s.wantSendType(TypeOutgoingCallRequest)
	s.advance(6 * time.Second)
	s.wantSend(&CallClearRequest{1})
	want := &TimeoutError{TypeOutgoingCallReply, 10 * time.Second}
	s.want(CallEnded{CallID: 1, Err: want})
	s.recv(&OutgoingCallReply{CallID: 9, PeerCallID: 1, Result: CallOK}) // too late
	s.wantIdle()
	s.advance(4 * time.Second)
	s.wantSend(&CallClearRequest{2})
	s.want(CallEnded{CallID: 2, Err: want})
	s.wantIdle()
}

func TestClear(t *testing.T) {
	t.Run("before established", func(t *testing.T) {
		s := newScript(t, Config{})
		s.wantSend(startRequest)
		s.c.PlaceCall(s.now, 1)
		s.c.Clear(s.now, 1)
		s.want(CallEnded{CallID: 1})
		s.recv(startReply)
		peer := ourselves
		peer.MaxChannels = 32
		s.want(Established{peer})
		s.wantIdle()
	})
	t.Run("before the reply", func(t *testing.T) {
		s := newClient(t, Config{})
		s.c.PlaceCall(s.now, 1)
		s.wantSendType(TypeOutgoingCallRequest)
		s.c.Clear(s.now, 1)
		s.wantSend(&CallClearRequest{1})
		s.recv(&OutgoingCallReply{CallID: 11, PeerCallID: 1, Result: CallOK})
		s.wantIdle()
		s.recv(&CallDisconnectNotify{CallID: 11, Result: DisconnectRequest})
		s.want(CallEnded{1, 11, nil})
	})
	t.Run("and the reply is a refusal", func(t *testing.T) {
		s := newClient(t, Config{})
		s.c.PlaceCall(s.now, 1)
		s.wantSendType(TypeOutgoingCallRequest)
		s.c.Clear(s.now, 1)
		s.wantSendType(TypeCallClearRequest)
		s.recv(&OutgoingCallReply{PeerCallID: 1, Result: CallBusy})
		s.want(CallEnded{CallID: 1})
		s.wantIdle()
	})
	t.Run("no answer", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.c.Clear(s.now, 1)
		s.wantSendType(TypeCallClearRequest)
		s.advance(3 * time.Second)
		s.want(CallEnded{1, 11, nil})
		s.wantIdle()
	})
	t.Run("an impatient caller", func(t *testing.T) {
		s := newClient(t, Config{ReplyTimeout: time.Second})
		s.callUp(1, 11)
		s.c.Clear(s.now, 1)
		s.wantSendType(TypeCallClearRequest)
		s.advance(time.Second)
		s.want(CallEnded{1, 11, nil})
	})
	t.Run("an answer that names no call", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.c.Clear(s.now, 1)
		s.wantSendType(TypeCallClearRequest)
		s.recv(&CallDisconnectNotify{CallID: 999})
		s.want(CallEnded{1, 11, nil})
	})
	t.Run("a call that is not there", func(t *testing.T) {
		s := newServer(t, Config{})
		s.c.Clear(s.now, 5)
		s.c.SetLinkInfo(s.now, 5, 0, 0)
		s.recv(&CallClearRequest{5}, &CallDisconnectNotify{CallID: 5}, &SetLinkInfo{PeerCallID: 5}, &WANErrorNotify{PeerCallID: 5})
		s.wantIdle()
	})
	t.Run("server and client at once", func(t *testing.T) {
		s := newServer(t, Config{})
		s.callTaken(1, 11)
		s.c.Clear(s.now, 11)
		s.wantSend(&CallDisconnectNotify{CallID: 1, Result: DisconnectAdminShutdown})
		s.want(CallEnded{11, 1, nil})
		s.recv(&CallClearRequest{1})
		s.wantIdle()
	})
	t.Run("before the answer", func(t *testing.T) {
		s := newServer(t, Config{})
		request := &OutgoingCallRequest{CallID: 1}
		s.recv(request, &CallClearRequest{1})
		s.want(CallOffered{1, request})
		if err := s.c.Answer(s.now, 1, 11); err != ErrNoCall {
			t.Errorf("Answer of a cleared call: %v", err)
		}
		s.wantSend(&CallDisconnectNotify{CallID: 1, Result: DisconnectRequest})
		s.want(CallEnded{0, 1, &DisconnectError{Result: DisconnectRequest}})
		s.wantIdle()
	})
	t.Run("a server that clears as a client would", func(t *testing.T) {
		s := newClient(t, Config{})
		s.callUp(1, 11)
		s.recv(&CallClearRequest{11})
		s.wantSend(&CallDisconnectNotify{CallID: 11, Result: DisconnectRequest})
		s.want(CallEnded{1, 11, &DisconnectError{Result: DisconnectRequest}})
		s.wantIdle()
	})
	t.Run("a client that disconnects as a server would", func(t *testing.T) {
		s := newServer(t, Config{})
		s.callTaken(1, 11)
		s.recv(&CallDisconnectNotify{CallID: 11, Result: DisconnectLostCarrier})
		s.want(CallEnded{11, 1, &DisconnectError{Result: DisconnectLostCarrier}})
		s.wantIdle()
	})
}

// Either side's number finds the call, but the RFC's reading comes first where both would.
func TestWhoseNumber(t *testing.T) {
	s := newClient(t, Config{})
	s.callUp(1, 2)
	s.callUp(2, 3)
	s.recv(&CallDisconnectNotify{CallID: 2, Result: DisconnectLostCarrier})
	s.want(CallEnded{1, 2, &DisconnectError{Result: DisconnectLostCarrier}})
	s.recv(&CallDisconnectNotify{CallID: 2, Result: DisconnectLostCarrier})
	s.want(CallEnded{2, 3, &DisconnectError{Result: DisconnectLostCarrier}})
	s.c.PlaceCall(s.now, 3)
	s.wantSendType(TypeOutgoingCallRequest)
	s.recv(&CallDisconnectNotify{CallID: 0, Result: DisconnectLostCarrier}) // no number the server gave
	s.wantIdle()

	s = newServer(t, Config{})
	s.callTaken(1, 2)
	s.callTaken(2, 3)
	s.recv(&SetLinkInfo{2, 0, 0})
	s.want(LinkInfo{CallID: 2})
	s.recv(&SetLinkInfo{1, 0, 0})
	s.want(LinkInfo{CallID: 2})
	s.recv(&CallClearRequest{2})
	s.wantSendType(TypeCallDisconnectNotify)
	s.want(CallEnded{3, 2, &DisconnectError{Result: DisconnectRequest}})
	s.recv(&CallClearRequest{2})
	s.wantSend(&CallDisconnectNotify{CallID: 2, Result: DisconnectRequest})
	s.want(CallEnded{2, 1, &DisconnectError{Result: DisconnectRequest}})
}

func TestCallLimits(t *testing.T) {
	s := newServer(t, Config{MaxCalls: 2})
	s.callTaken(1, 11)
	s.recv(&OutgoingCallRequest{CallID: 1})
	s.wantSend(&OutgoingCallReply{PeerCallID: 1, Result: CallGeneralError, General: ErrorBadCallID})
	s.recv(&OutgoingCallRequest{CallID: 2})
	s.want(CallOffered{2, &OutgoingCallRequest{CallID: 2}})
	s.recv(&OutgoingCallRequest{CallID: 3})
	s.wantSend(&OutgoingCallReply{PeerCallID: 3, Result: CallGeneralError, General: ErrorNoResource})
	if err := s.c.Answer(s.now, 2, 11); err != ErrCallIDInUse {
		t.Errorf("Answer with a number in use: %v", err)
	}
	if err := s.c.Answer(s.now, 1, 12); err != ErrNoCall {
		t.Errorf("Answer of an answered call: %v", err)
	}
	s.wantIdle()
	if err := s.c.Refuse(s.now, 2, CallBusy, ErrorNone); err != nil {
		t.Error(err)
	}
	s.wantSend(&OutgoingCallReply{PeerCallID: 2, Result: CallBusy})
	if err := s.c.Refuse(s.now, 2, CallBusy, ErrorNone); err != ErrNoCall {
		t.Errorf("Refuse again: %v", err)
	}
	s.wantIdle()
	s.callTaken(2, 12)
	if err := s.c.PlaceCall(s.now, 1); err != ErrRole {
		t.Errorf("PlaceCall by a server: %v", err)
	}

	s = newClient(t, Config{MaxCalls: 2})
	s.callUp(1, 11)
	if err := s.c.PlaceCall(s.now, 1); err != ErrCallIDInUse {
		t.Errorf("PlaceCall with a number in use: %v", err)
	}
	s.callUp(2, 12)
	if err := s.c.PlaceCall(s.now, 3); err != ErrTooManyCalls {
		t.Errorf("PlaceCall beyond the limit: %v", err)
	}
	if err := errors.Join(s.c.Answer(s.now, 1, 1), s.c.Refuse(s.now, 1, CallBusy, 0)); !errors.Is(err, ErrRole) {
		t.Errorf("Answer, Refuse by a client: %v", err)
	}
	s.wantIdle()
}

func TestCallsOfTheOtherRole(t *testing.T) {
	s := newServer(t, Config{})
	s.recv(&IncomingCallRequest{CallID: 5})
	s.wantSend(&IncomingCallReply{PeerCallID: 5, Result: IncomingDoNotAccept})
	s.recv(&IncomingCallConnected{}, &IncomingCallReply{}, &OutgoingCallReply{Result: CallOK}, &StartControlConnectionReply{}, &StopControlConnectionReply{})
	s.wantIdle()

	s = newClient(t, Config{})
	s.recv(&IncomingCallRequest{CallID: 5}, &OutgoingCallRequest{CallID: 6})
	s.wantSend(&IncomingCallReply{PeerCallID: 5, Result: IncomingDoNotAccept})
	s.wantSend(&OutgoingCallReply{PeerCallID: 6, Result: CallDoNotAccept})
	s.recv(&IncomingCallConnected{}, &IncomingCallReply{}, &StopControlConnectionReply{})
	s.wantIdle()
}

// What concerns a call that is not up yet is not for the caller.
func TestInfoBeforeAnswer(t *testing.T) {
	s := newServer(t, Config{})
	s.recv(&OutgoingCallRequest{CallID: 1})
	s.want(CallOffered{1, &OutgoingCallRequest{CallID: 1}})
	s.recv(&SetLinkInfo{PeerCallID: 1}, &WANErrorNotify{PeerCallID: 1})
	s.wantIdle()
}

func TestServerPicksSpeed(t *testing.T) {
	s := newServer(t, Config{MaxBPS: 64000, Window: 9})
	s.recv(&OutgoingCallRequest{CallID: 1, MaxBPS: 1 << 31})
	s.want(CallOffered{1, &OutgoingCallRequest{CallID: 1, MaxBPS: 1 << 31}})
	if err := s.c.Answer(s.now, 1, 2); err != nil {
		t.Fatal(err)
	}
	s.wantSend(&OutgoingCallReply{CallID: 2, PeerCallID: 1, Result: CallOK, Speed: 64000, Window: 9})
}
