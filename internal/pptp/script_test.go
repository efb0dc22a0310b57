package pptp

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// script drives one Conn by hand: what comes in, what must go out, and nothing else.
type script struct {
	t      *testing.T
	c      *Conn
	now    time.Time
	unread []byte // of the last Send event
}

func newScript(t *testing.T, cfg Config) *script {
	s := &script{t: t, c: NewConn(cfg), now: time.Unix(1_000_000, 0)}
	s.c.Start(s.now)
	return s
}

var (
	startRequest = &StartControlConnectionRequest{Version: Version1, Framing: 3, Bearer: 3, HostName: "local", Vendor: "goppptp"}
	startReply   = &StartControlConnectionReply{Version: Version1, Result: StartOK, Framing: 3, Bearer: 3, MaxChannels: 32, HostName: "local", Vendor: "goppptp"}
	ourselves    = PeerInfo{HostName: "local", Vendor: "goppptp", Version: Version1, Framing: 3, Bearer: 3}
)

// newClient is a client whose control connection is established.
func newClient(t *testing.T, cfg Config) *script {
	t.Helper()
	cfg.Role = Client
	s := newScript(t, cfg)
	s.wantSend(startRequest)
	s.recv(startReply)
	peer := ourselves
	peer.MaxChannels = 32
	s.want(Established{peer})
	s.wantIdle()
	return s
}

// newServer is a server whose control connection is established.
func newServer(t *testing.T, cfg Config) *script {
	t.Helper()
	cfg.Role = Server
	s := newScript(t, cfg)
	s.wantIdle()
	s.recv(startRequest)
	reply := *startReply
	if cfg.MaxCalls > 0 {
		reply.MaxChannels = uint16(cfg.MaxCalls)
	}
	s.wantSend(&reply)
	s.want(Established{ourselves})
	s.wantIdle()
	return s
}

// callUp brings a client's call up.
func (s *script) callUp(id, peer uint16) {
	s.t.Helper()
	if err := s.c.PlaceCall(s.now, id); err != nil {
		s.t.Fatal(err)
	}
	s.wantSendType(TypeOutgoingCallRequest)
	reply := &OutgoingCallReply{CallID: peer, PeerCallID: id, Result: CallOK}
	s.recv(reply)
	s.want(CallConnected{CallID: id, PeerCallID: peer, Reply: reply})
	s.wantIdle()
}

// callTaken brings a server's call up.
func (s *script) callTaken(peer, id uint16) {
	s.t.Helper()
	request := &OutgoingCallRequest{CallID: peer, MaxBPS: 1000}
	s.recv(request)
	s.want(CallOffered{peer, request})
	if err := s.c.Answer(s.now, peer, id); err != nil {
		s.t.Fatal(err)
	}
	reply := &OutgoingCallReply{CallID: id, PeerCallID: peer, Result: CallOK, Speed: 1000, Window: 64}
	s.wantSend(reply)
	s.want(CallConnected{id, peer, reply})
	s.wantIdle()
}

func (s *script) recv(messages ...Message) {
	s.t.Helper()
	var b []byte
	for _, m := range messages {
		b = Append(b, m)
	}
	s.recvRaw(b)
}

func (s *script) recvRaw(b []byte) {
	b = append([]byte(nil), b...)
	s.c.Handle(s.now, b)
	for i := range b {
		b[i] = 0xee // Handle keeps no part of it
	}
}

func (s *script) next() Event {
	if len(s.unread) > 0 {
		return nil
	}
	return s.c.NextEvent()
}

func (s *script) nextSent() Message {
	s.t.Helper()
	if len(s.unread) == 0 {
		e := s.c.NextEvent()
		send, ok := e.(Send)
		if !ok {
			s.t.Fatalf("%s, where a message should be sent", show(e))
		}
		s.unread = send.Data
	}
	m, n, err := Parse(s.unread)
	if err != nil {
		s.t.Fatalf("sent %x: %v", s.unread, err)
	}
	s.unread = s.unread[n:]
	return m
}

func (s *script) wantSend(want Message) {
	s.t.Helper()
	if got := s.nextSent(); !reflect.DeepEqual(got, want) {
		s.t.Fatalf("sent %v, want %v", got, want)
	}
}

func (s *script) wantSendType(want MessageType) Message {
	s.t.Helper()
	m := s.nextSent()
	if m.Type() != want {
		s.t.Fatalf("sent %v, want %v", m, want)
	}
	return m
}

func (s *script) want(want Event) {
	s.t.Helper()
	if len(s.unread) > 0 {
		s.t.Fatalf("sent %x besides", s.unread)
	}
	if got := s.c.NextEvent(); !reflect.DeepEqual(got, want) {
		s.t.Fatalf("%s, want %s", show(got), show(want))
	}
}

// wantClosed wants the last event, and that nothing follows whatever happens.
func (s *script) wantClosed(err error) {
	s.t.Helper()
	s.want(Closed{err})
	s.wantIdle()
	if d := s.c.Deadline(); !d.IsZero() {
		s.t.Fatalf("closed, and a deadline in %v", d.Sub(s.now))
	}
	s.recv(&EchoRequest{1}, &StopControlConnectionRequest{StopNone})
	s.c.Stop(s.now, StopNone)
	s.c.Clear(s.now, 1)
	s.c.ConnectionLost(s.now, nil)
	s.c.Advance(s.now.Add(time.Hour))
	s.wantIdle()
}

func (s *script) wantIdle() {
	s.t.Helper()
	if len(s.unread) > 0 {
		s.t.Fatalf("sent %x besides", s.unread)
	}
	if e := s.c.NextEvent(); e != nil {
		s.t.Fatalf("%s, where nothing should happen", show(e))
	}
}

// advance lets time pass, with a call of Advance at each deadline, until something happens or d is over.
func (s *script) advance(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for range 100 {
		at := s.c.Deadline()
		if at.IsZero() || at.After(end) {
			s.now = end
			return
		}
		if at.After(s.now) {
			s.now = at
		}
		s.c.Advance(s.now)
		if len(s.c.queue.events) > 0 {
			if s.now != end {
				s.t.Fatalf("something happens %v early", end.Sub(s.now))
			}
			return
		}
	}
	s.t.Fatal("a deadline that never passes")
}

func show(e Event) string {
	if send, ok := e.(Send); ok {
		text := "Send{"
		for b := send.Data; len(b) > 0; {
			m, n, err := Parse(b)
			if err != nil {
				return fmt.Sprintf("%s%x: %v}", text, b, err)
			}
			text += m.String() + "; "
			b = b[n:]
		}
		return text + "}"
	}
	return fmt.Sprintf("%T%+v", e, e)
}
