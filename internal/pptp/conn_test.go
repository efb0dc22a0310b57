package pptp

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestClientSession(t *testing.T) {
	s := newScript(t, Config{HostName: "here", Vendor: "us", Firmware: 7, Window: 100, MinBPS: 1, MaxBPS: 2, Phone: "555"})
	s.wantSend(&StartControlConnectionRequest{Version: Version1, Framing: 3, Bearer: 3, Firmware: 7, HostName: "here", Vendor: "us"})
	if err := s.c.PlaceCall(s.now, 1000); err != nil {
		t.Fatal(err)
	}
	s.wantIdle()
	s.recv(&StartControlConnectionReply{Version: Version1, Result: StartOK, MaxChannels: 1, Firmware: 2, HostName: "there\x1b[2J", Vendor: "them\xff"})
	s.want(Established{PeerInfo{HostName: "there?[2J", Vendor: "them?", Firmware: 2, MaxChannels: 1, Version: Version1}})
	s.wantSend(&OutgoingCallRequest{CallID: 1000, Serial: 1, MinBPS: 1, MaxBPS: 2, Bearer: 3, Framing: 3, Window: 100, Phone: "555"})
	reply := &OutgoingCallReply{CallID: 2000, PeerCallID: 1000, Result: CallOK, Speed: 2, Window: 5}
	s.recv(reply)
	s.want(CallConnected{1000, 2000, reply})
	s.c.SetLinkInfo(s.now, 1000, 0xffffffff, 0xffffffff)
	s.wantSend(&SetLinkInfo{2000, 0xffffffff, 0xffffffff})
	s.recv(&WANErrorNotify{1000, WANErrors{CRC: 3}})
	s.want(WANError{1000, WANErrors{CRC: 3}})
	s.c.Clear(s.now, 1000)
	s.wantSend(&CallClearRequest{1000})
	s.c.Clear(s.now, 1000)
	s.wantIdle()
	s.recv(&CallDisconnectNotify{CallID: 2000, Result: DisconnectRequest})
	s.want(CallEnded{CallID: 1000, PeerCallID: 2000})
	s.c.Stop(s.now, StopNone)
	s.wantSend(&StopControlConnectionRequest{StopNone})
	s.c.Stop(s.now, StopNone)
	s.wantIdle()
	s.recv(&StopControlConnectionReply{Result: StopOK})
	s.wantClosed(nil)
}

func TestServerSession(t *testing.T) {
	s := newServer(t, Config{MaxBPS: 5000})
	request := &OutgoingCallRequest{CallID: 1000, Serial: 1, MinBPS: 300, MaxBPS: 100000, Bearer: 3, Framing: 3, Window: 64}
	s.recv(request)
	s.want(CallOffered{1000, request})
	s.wantIdle()
	if err := s.c.Answer(s.now, 1000, 7); err != nil {
		t.Fatal(err)
	}
	reply := &OutgoingCallReply{CallID: 7, PeerCallID: 1000, Result: CallOK, Speed: 5000, Window: 64}
	s.wantSend(reply)
	s.want(CallConnected{7, 1000, reply})
	s.recv(&SetLinkInfo{7, 1, 2})
	s.want(LinkInfo{7, 1, 2})
	s.recv(&CallClearRequest{1000})
	s.wantSend(&CallDisconnectNotify{CallID: 1000, Result: DisconnectRequest})
	s.want(CallEnded{7, 1000, &DisconnectError{Result: DisconnectRequest}})
	s.recv(&StopControlConnectionRequest{StopLocalShutdown})
	s.wantSend(&StopControlConnectionReply{Result: StopOK})
	s.wantClosed(nil)
}

// A session as our client has it with pptpd.
func TestClientWithPptpd(t *testing.T) {
	m := captured(t)
	for _, end := range []string{"closes after clear", "disconnects", "closes"} {
		t.Run(end, func(t *testing.T) {
			s := newScript(t, Config{})
			s.wantSend(startRequest)
			s.recvRaw(m["server-start-reply"])
			s.want(Established{PeerInfo{HostName: "local", Vendor: "linux", Firmware: 1, MaxChannels: 1, Version: Version1}})
			s.c.PlaceCall(s.now, 0xd8c1)
			s.wantSendType(TypeOutgoingCallRequest)
			s.recvRaw(m["server-call-reply"])
			s.want(CallConnected{0xd8c1, 0, &OutgoingCallReply{PeerCallID: 0xd8c1, Result: CallOK, Speed: 10000000, Window: 3}})
			s.advance(60 * time.Second)
			s.wantSend(&EchoRequest{1})
			s.recvRaw(m["server-echo-reply"])
			s.want(EchoSeen{Reply: true})
			switch end {
			case "closes after clear":
				s.c.Clear(s.now, 0xd8c1)
				s.wantSend(&CallClearRequest{0xd8c1})
				s.c.ConnectionLost(s.now, io.EOF)
				s.want(CallEnded{CallID: 0xd8c1})
				s.wantClosed(nil)
			case "disconnects": // it is told to end; its Call-Disconnect-Notify has our number
				s.recvRaw(append(m["server-disconnect"], m["server-stop-request"]...))
				s.want(CallEnded{0xd8c1, 0, &DisconnectError{Result: DisconnectAdminShutdown}})
				s.wantSend(&StopControlConnectionReply{Result: StopOK})
				s.wantClosed(nil)
			case "closes": // its pppd has ended
				s.c.ConnectionLost(s.now, io.EOF)
				lost := &LostError{io.EOF}
				s.want(CallEnded{0xd8c1, 0, lost})
				s.wantClosed(lost)
			}
		})
	}
}

// A session as our server has it with pptp-linux.
func TestServerWithPptpLinux(t *testing.T) {
	m := captured(t)
	for _, end := range []string{"client clears", "server ends"} {
		t.Run(end, func(t *testing.T) {
			s := newScript(t, Config{Role: Server})
			s.recvRaw(m["client-start-request"])
			s.wantSend(startReply)
			s.want(Established{PeerInfo{HostName: "local", Vendor: "cananian", Firmware: 1, MaxChannels: 0xffff, Version: Version1, Framing: 3, Bearer: 3}})
			s.recvRaw(m["client-call-request"])
			s.want(CallOffered{0xd8c1, &OutgoingCallRequest{CallID: 0xd8c1, MinBPS: 2400, MaxBPS: 10000000, Bearer: 3, Framing: 3, Window: 3}})
			s.c.Answer(s.now, 0xd8c1, 5)
			reply := &OutgoingCallReply{CallID: 5, PeerCallID: 0xd8c1, Result: CallOK, Speed: 10000000, Window: 64}
			s.wantSend(reply)
			s.want(CallConnected{5, 0xd8c1, reply})
			s.recvRaw(m["client-echo-request"])
			s.want(EchoSeen{})
			s.wantSend(&EchoReply{Identifier: 1, Result: EchoOK})
			switch end {
			case "client clears": // and closes at once
				s.recvRaw(m["client-call-clear"])
				s.wantSend(&CallDisconnectNotify{CallID: 0xd8c1, Result: DisconnectRequest})
				s.want(CallEnded{5, 0xd8c1, &DisconnectError{Result: DisconnectRequest}})
				s.c.ConnectionLost(s.now, io.EOF)
				s.wantClosed(nil)
			case "server ends":
				s.c.Clear(s.now, 5)
				s.wantSend(&CallDisconnectNotify{CallID: 0xd8c1, Result: DisconnectAdminShutdown})
				s.want(CallEnded{5, 0xd8c1, nil})
				s.c.Stop(s.now, StopNone)
				s.wantSend(&StopControlConnectionRequest{StopNone})
				s.recvRaw(append(m["client-stop-reply"], m["client-call-clear"]...))
				s.wantClosed(nil)
			}
		})
	}
}

func TestStartRefused(t *testing.T) {
	for _, tt := range []struct {
		reply StartControlConnectionReply
		want  *StartError
	}{
		{StartControlConnectionReply{Version: Version1, Result: StartNotAuthorized}, &StartError{Result: StartNotAuthorized, Version: Version1}},
		{StartControlConnectionReply{Version: Version1, Result: StartGeneralError, General: ErrorNoResource}, &StartError{StartGeneralError, ErrorNoResource, Version1}},
		{StartControlConnectionReply{Version: 0x0200, Result: StartVersionRejected}, &StartError{Result: StartVersionRejected, Version: 0x0200}},
		{StartControlConnectionReply{Version: Version1, Result: 77}, &StartError{Result: 77, Version: Version1}},
	} {
		s := newScript(t, Config{})
		s.wantSend(startRequest)
		s.c.PlaceCall(s.now, 9)
		s.recv(&tt.reply)
		s.want(CallEnded{CallID: 9, Err: tt.want})
		s.wantClosed(tt.want)
	}
}

func TestStartLeniency(t *testing.T) {
	for _, reply := range []StartControlConnectionReply{
		{Version: Version1},                        // result 0
		{Version: 0x0103, Result: StartOK},         // a later revision
		{Version: Version1, Result: 1, General: 3}, // an error beside success
	} {
		s := newScript(t, Config{})
		s.wantSend(startRequest)
		s.recv(&reply)
		s.want(Established{PeerInfo{Version: reply.Version}})
		s.wantIdle()
	}
}

func TestVersionDisagreement(t *testing.T) {
	s := newScript(t, Config{})
	s.wantSend(startRequest)
	s.recv(&StartControlConnectionReply{Version: 0x0200, Result: StartOK})
	s.wantSend(&StopControlConnectionRequest{StopProtocol})
	s.wantClosed(&StartError{Result: StartVersionRejected, Version: 0x0200})

	s = newScript(t, Config{Role: Server})
	s.recv(&StartControlConnectionRequest{Version: 0x00ff})
	rejected := *startReply
	rejected.Result = StartVersionRejected
	s.wantSend(&rejected)
	s.wantClosed(&StartError{Result: StartVersionRejected, Version: 0x00ff})

	s = newScript(t, Config{Role: Server})
	s.recv(&StartControlConnectionRequest{Version: 0x0200})
	s.wantSend(startReply)
	s.want(Established{PeerInfo{Version: 0x0200}})
}

func TestSecondStart(t *testing.T) {
	exists := *startReply
	exists.Result = StartAlreadyExists
	s := newServer(t, Config{})
	s.callTaken(3, 4)
	s.recv(startRequest)
	s.wantSend(&exists)
	s.wantIdle()

	s = newClient(t, Config{})
	s.recv(startRequest)
	s.wantSend(&exists)
	s.recv(startReply)
	s.wantIdle()

	s = newScript(t, Config{}) // both ask on the same connection
	s.wantSend(startRequest)
	s.recv(startRequest)
	s.wantSend(&exists)
	s.recv(startReply)
	peer := ourselves
	peer.MaxChannels = 32
	s.want(Established{peer})
	s.c.Start(s.now)
	s.wantIdle()
}

func TestBeforeStart(t *testing.T) {
	s := newScript(t, Config{Role: Server})
	s.recv(&OutgoingCallRequest{CallID: 1})
	s.wantClosed(&ProtocolError{TypeOutgoingCallRequest})

	s = newScript(t, Config{Role: Server})
	s.recv(&EchoRequest{5}, &StopControlConnectionRequest{StopNone})
	s.want(EchoSeen{})
	s.wantSend(&EchoReply{5, EchoOK, 0})
	s.wantSend(&StopControlConnectionReply{Result: StopOK})
	s.wantClosed(nil)

	s = newScript(t, Config{})
	s.wantSend(startRequest)
	s.recv(&OutgoingCallRequest{CallID: 1}, &OutgoingCallReply{}, &SetLinkInfo{}, &CallDisconnectNotify{}, &StopControlConnectionReply{})
	s.wantIdle()
	s.recv(&StopControlConnectionRequest{StopLocalShutdown})
	s.wantSend(&StopControlConnectionReply{Result: StopOK})
	s.wantClosed(&StopError{StopLocalShutdown})

	c := NewConn(Config{Role: Server}) // octets before Start: it is implied
	c.Handle(time.Unix(0, 0), Append(nil, startRequest))
	if _, ok := c.NextEvent().(Send); !ok {
		t.Error("Handle before Start is not answered")
	}
}

func TestReplyTimeout(t *testing.T) {
	s := newScript(t, Config{})
	s.wantSend(startRequest)
	s.c.PlaceCall(s.now, 9)
	s.advance(10 * time.Second)
	want := &TimeoutError{TypeStartControlConnectionReply, 10 * time.Second}
	s.want(CallEnded{CallID: 9, Err: want})
	s.wantClosed(want)

	s = newScript(t, Config{Role: Server, ReplyTimeout: 4 * time.Second})
	s.recvRaw([]byte{0, 156, 0})
	s.advance(4 * time.Second)
	s.wantClosed(&TimeoutError{TypeStartControlConnectionRequest, 4 * time.Second})
}

func TestEcho(t *testing.T) {
	s := newClient(t, Config{})
	s.advance(59 * time.Second)
	s.wantIdle()
	s.recv(&SetLinkInfo{}) // any message puts it off
	s.advance(60 * time.Second)
	s.wantSend(&EchoRequest{1})
	s.advance(59 * time.Second)
	s.recv(&EchoReply{1, EchoGeneralError, 0})
	s.want(EchoSeen{Reply: true})
	s.advance(60 * time.Second)
	s.wantSend(&EchoRequest{2})
	s.advance(60 * time.Second)
	s.wantClosed(&TimeoutError{TypeEchoReply, 60 * time.Second})
}

func TestEchoConfigured(t *testing.T) {
	s := newServer(t, Config{EchoInterval: 5 * time.Second, EchoTimeout: 2 * time.Second})
	s.callTaken(1, 2)
	s.advance(5 * time.Second)
	s.wantSend(&EchoRequest{1})
	s.recv(&EchoRequest{77}) // the peer's own question shows that it is alive
	s.want(EchoSeen{})
	s.wantSend(&EchoReply{77, EchoOK, 0})
	s.advance(5 * time.Second)
	s.wantSend(&EchoRequest{2})
	s.advance(2 * time.Second)
	lost := &TimeoutError{TypeEchoReply, 2 * time.Second}
	s.want(CallEnded{2, 1, lost})
	s.wantClosed(lost)

	s = newClient(t, Config{EchoInterval: -1})
	if d := s.c.Deadline(); !d.IsZero() {
		t.Errorf("echo is off, and a deadline in %v", d.Sub(s.now))
	}
}

func TestGarbage(t *testing.T) {
	for _, tt := range []struct {
		octets string
		want   error
	}{
		{"GET / HTTP/1.1\r\n\r\n", ErrMagic},
		{"\x00\xff\x00\x01\x1a\x2b\x3c\x4d", ErrLength},
		{"\x00\x10\x00\x01\x1a\x2b\x3c\x4d\x00\x01\x00\x00zzzz", ErrLength},
	} {
		for _, split := range []bool{false, true} {
			s := newScript(t, Config{Role: Server})
			for i := 0; split && i < len(tt.octets); i++ {
				s.recvRaw([]byte{tt.octets[i]})
			}
			s.recvRaw([]byte(tt.octets))
			closed, ok := s.c.NextEvent().(Closed)
			if !ok || !errors.Is(closed.Err, tt.want) || !strings.HasPrefix(closed.Err.Error(), "pptp: ") {
				t.Errorf("%q: %v", tt.octets, closed)
			}
			s.wantIdle()
		}
	}
}

func TestUnknownMessages(t *testing.T) {
	s := newClient(t, Config{EchoInterval: -1})
	for range 3 {
		for i := range unknownLimit {
			s.recv(&Unknown{MessageType: uint16(1 + i%2), ControlType: 16, Body: make([]byte, i)})
		}
		s.wantIdle()
		s.now = s.now.Add(unknownPeriod)
	}
	s.recv(&EchoRequest{1}) // still in step
	s.want(EchoSeen{})
	s.wantSendType(TypeEchoReply)
	for range unknownLimit + 1 {
		s.recv(&Unknown{MessageType: 2, Body: []byte{1}})
	}
	if closed, ok := s.c.NextEvent().(Closed); !ok || !errors.Is(closed.Err, ErrFlood) {
		t.Errorf("a flood of unknown messages: %v", closed)
	}
}

func TestFlood(t *testing.T) {
	var b []byte
	for range 4096 {
		b = Append(b, &EchoRequest{1})
	}
	s := newServer(t, Config{})
	s.c.Handle(s.now, b[:8192])
	s.want(EchoSeen{})
	for range 8192 / 16 {
		s.wantSend(&EchoReply{1, EchoOK, 0})
	}
	s.wantIdle()

	s.c.Handle(s.now, b) // 80 kB of replies
	for e := s.c.NextEvent(); ; e = s.c.NextEvent() {
		if send, ok := e.(Send); ok {
			if len(send.Data) > maxUnsent {
				t.Errorf("%d octets to send", len(send.Data))
			}
		} else if closed, ok := e.(Closed); ok {
			if closed.Err != ErrFlood {
				t.Errorf("Closed: %v", closed.Err)
			}
			break
		} else if e != (EchoSeen{}) {
			t.Fatal(show(e))
		}
	}

	s = newServer(t, Config{})
	s.callTaken(1, 2)
	b = nil
	for range maxEvents + 1 {
		b = Append(b, &SetLinkInfo{PeerCallID: 2})
	}
	s.c.Handle(s.now, b)
	if n := len(s.c.queue.events); n != maxEvents+2 {
		t.Errorf("%d events", n)
	}
	for range maxEvents {
		s.want(LinkInfo{CallID: 2})
	}
	s.want(CallEnded{2, 1, ErrFlood})
	s.wantClosed(ErrFlood)
}

func TestPartialIsBounded(t *testing.T) {
	s := newServer(t, Config{})
	var b []byte
	for range 400 {
		b = Append(b, &EchoReply{})
	}
	s.c.Handle(s.now, b[:3])
	s.c.Handle(s.now, b[3:])
	s.want(EchoSeen{Reply: true})
	s.wantIdle()
	if n := cap(s.c.partial); n == 0 || n >= 2*MaxMessageLen {
		t.Errorf("%d octets kept", n)
	}
}

func TestTrace(t *testing.T) {
	var lines []string
	s := newScript(t, Config{Role: Server, Trace: func(sent bool, m Message) {
		lines = append(lines, map[bool]string{true: "> ", false: "< "}[sent]+m.Type().String())
	}})
	s.recv(startRequest, &EchoRequest{1}, &Unknown{MessageType: 1, ControlType: 99})
	want := "< Start-Control-Connection-Request\n> Start-Control-Connection-Reply\n< Echo-Request\n> Echo-Reply\n< control message type 99"
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
