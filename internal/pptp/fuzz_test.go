package pptp

import (
	"testing"
	"time"
)

// FuzzConn lets a peer and a user do anything in any order. However the octets are cut, the same happens; each call ends
// once; Closed is last.
func FuzzConn(f *testing.F) {
	m := captured(f)
	f.Add(false, append(append(append([]byte{}, m["server-start-reply"]...), m["server-call-reply"]...), m["server-disconnect"]...), []byte{1, 2, 3})
	f.Add(true, append(append(append([]byte{}, m["client-start-request"]...), m["client-call-request"]...), m["client-call-clear"]...), []byte{200, 0, 0})
	var every []byte
	for _, tt := range []Message{startRequest, &OutgoingCallRequest{CallID: 0xd8c1}, &SetLinkInfo{PeerCallID: 1}, &EchoRequest{1},
		&Unknown{MessageType: 2}, &IncomingCallRequest{}, &CallDisconnectNotify{CallID: 0xd8c1}, &StopControlConnectionRequest{1}} {
		every = Append(every, tt)
	}
	f.Add(true, every, []byte{10, 60, 100})
	f.Fuzz(func(t *testing.T, server bool, stream, cuts []byte) {
		var streams [2]string
		for i, cut := range [2][]byte{nil, cuts} {
			streams[i] = play(t, server, stream, cut)
		}
		if streams[0] != streams[1] {
			t.Errorf("whole:\n%s\ncut by %v:\n%s", streams[0], cuts, streams[1])
		}
	})
}

// play feeds stream to a Conn in pieces, ends it, and returns what it said, the octets sent apart from the events.
func play(t *testing.T, server bool, stream, cuts []byte) string {
	now := time.Unix(1_000_000, 0)
	c := NewConn(Config{MaxCalls: 3})
	if server {
		c = NewConn(Config{Role: Server, MaxCalls: 3})
	}
	var sent []byte
	text := ""
	live := map[[2]uint16]bool{}
	over := false
	drain := func() {
		for e := c.NextEvent(); e != nil; e = c.NextEvent() {
			if over {
				t.Fatalf("%s after Closed", show(e))
			}
			switch e := e.(type) {
			case Send:
				sent = append(sent, e.Data...)
				continue
			case EchoSeen:
				continue // several may be one
			case CallOffered:
				live[[2]uint16{0, e.PeerCallID}] = true
			case CallEnded:
				key := [2]uint16{e.CallID, 0}
				if server {
					key = [2]uint16{0, e.PeerCallID}
				}
				if !live[key] {
					t.Fatalf("%s: no such call, or ended before", show(e))
				}
				delete(live, key)
			case Closed:
				over = true
			}
			text += show(e) + "\n"
		}
	}
	c.Start(now)
	if !server {
		for _, id := range []uint16{0xd8c1, 1} {
			if err := c.PlaceCall(now, id); err != nil {
				t.Fatal(err)
			}
			live[[2]uint16{id, 0}] = true
		}
	}
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		c.Handle(now, stream[:n])
		stream = stream[n:]
	}
	if len(c.queue.events) > maxEvents+len(live)+maxEvents {
		t.Fatalf("%d events", len(c.queue.events))
	}
	drain()
	if server {
		for key := range live {
			c.Answer(now, key[1], key[1]^0xffff)
		}
		for key := range live {
			c.Clear(now, key[1]^0xffff)
		}
	}
	for range 10 {
		at := c.Deadline()
		if at.IsZero() {
			break
		}
		if at.Before(now) {
			t.Fatalf("a deadline %v ago", now.Sub(at))
		}
		now = at
		c.Advance(now)
		drainUnordered(c, &sent, live, server, &over)
	}
	c.Stop(now, StopNone)
	c.ConnectionLost(now, nil)
	drainUnordered(c, &sent, live, server, &over)
	if !over || len(live) > 0 {
		t.Fatalf("over: %v, calls without an end: %v", over, live)
	}
	for b := sent; len(b) > 0; {
		_, n, err := Parse(b)
		if err != nil {
			t.Fatalf("sent %x: %v", b, err)
		}
		b = b[n:]
	}
	return text
}

func drainUnordered(c *Conn, sent *[]byte, live map[[2]uint16]bool, server bool, over *bool) {
	for e := c.NextEvent(); e != nil; e = c.NextEvent() {
		switch e := e.(type) {
		case Send:
			*sent = append(*sent, e.Data...)
		case CallEnded:
			if server {
				delete(live, [2]uint16{0, e.PeerCallID})
			} else {
				delete(live, [2]uint16{e.CallID, 0})
			}
		case Closed:
			*over = true
		}
	}
}

// FuzzScript decodes its input as steps of a peer that speaks PPTP, sensibly or not, of the user, and of time. Each call that was placed
// or offered ends once, or is refused; the connection closes once, and nothing follows.
func FuzzScript(f *testing.F) {
	f.Add(false, []byte{0, 0, 0, 8, 1, 0, 2, 1, 9, 18, 1, 0, 7, 9, 0, 19, 0, 0})
	f.Add(true, []byte{1, 0, 0, 3, 1, 0, 17, 1, 2, 6, 1, 0, 3, 1, 0, 20, 1, 0, 15, 60, 0})
	f.Fuzz(func(t *testing.T, server bool, steps []byte) {
		now := time.Unix(1_000_000, 0)
		cfg := Config{MaxCalls: 3, EchoInterval: 20 * time.Second}
		if server {
			cfg.Role = Server
		}
		c := NewConn(cfg)
		c.Start(now)
		live := map[uint16]bool{} // by our number at a client, by the peer's at a server
		closed := false
		drain := func() {
			for e := c.NextEvent(); e != nil; e = c.NextEvent() {
				if closed {
					t.Fatalf("%s after Closed", show(e))
				}
				switch e := e.(type) {
				case CallOffered:
					if live[e.PeerCallID] {
						t.Fatalf("%s: there is one already", show(e))
					}
					live[e.PeerCallID] = true
				case CallEnded:
					key := e.CallID
					if server {
						key = e.PeerCallID
					}
					if !live[key] {
						t.Fatalf("%s: no such call", show(e))
					}
					delete(live, key)
				case Closed:
					closed = true
				case Send:
					for b := e.Data; len(b) > 0; {
						_, n, err := Parse(b)
						if err != nil {
							t.Fatalf("sent %x: %v", b, err)
						}
						b = b[n:]
					}
				}
			}
			if len(live) > cfg.MaxCalls || closed && len(live) > 0 {
				t.Fatalf("closed %v, %d calls", closed, len(live))
			}
		}
		for ; len(steps) >= 3; steps = steps[3:] {
			a, b := uint16(steps[1]%4), uint16(steps[2]%4)
			now = now.Add(time.Millisecond)
			var m Message
			switch steps[0] % 24 {
			case 0:
				m = &StartControlConnectionReply{Version: Version1, Result: StartResult(a)}
			case 1:
				m = &StartControlConnectionRequest{Version: Version1}
			case 2:
				m = &OutgoingCallReply{CallID: b, PeerCallID: a, Result: CallResult(steps[2] >> 6)}
			case 3:
				m = &OutgoingCallRequest{CallID: a}
			case 4:
				m = &IncomingCallRequest{CallID: a}
			case 5:
				m = &IncomingCallReply{CallID: a, PeerCallID: b}
			case 6:
				m = &CallClearRequest{CallID: a}
			case 7:
				m = &CallDisconnectNotify{CallID: a, Result: DisconnectResult(b)}
			case 8:
				m = &SetLinkInfo{PeerCallID: a}
			case 9:
				m = &WANErrorNotify{PeerCallID: a}
			case 10:
				m = &EchoRequest{}
			case 11:
				m = &EchoReply{}
			case 12:
				m = &Unknown{MessageType: a, ControlType: 40 + MessageType(b)}
			case 13:
				m = &StopControlConnectionReply{}
			case 14:
				if a == 0 {
					m = &StopControlConnectionRequest{}
				}
			case 15:
				now = now.Add(time.Duration(steps[1]) * time.Second)
				c.Advance(now)
			case 16:
				if c.PlaceCall(now, a) == nil {
					if live[a] {
						t.Fatalf("call %d placed twice", a)
					}
					live[a] = true
				}
			case 17:
				if err := c.Answer(now, a, b); err == nil && !live[a] {
					t.Fatalf("answered call %d, which is not there", a)
				}
			case 18:
				c.Clear(now, a)
			case 19:
				if a == 0 {
					c.Stop(now, StopNone)
				}
			case 20:
				if c.Refuse(now, a, CallBusy, 0) == nil {
					if !live[a] {
						t.Fatalf("refused call %d, which is not there", a)
					}
					delete(live, a)
				}
			case 21:
				c.SetLinkInfo(now, a, 1, 2)
			case 22:
				if a == 0 && b == 0 {
					c.ConnectionLost(now, nil)
				}
			case 23:
				c.Handle(now, Append(nil, &EchoRequest{})[:a*b])
			}
			if m != nil {
				c.Handle(now, Append(nil, m))
			}
			drain()
			if d := c.Deadline(); closed != d.IsZero() {
				t.Fatalf("closed %v, deadline %v", closed, d)
			}
		}
		c.Stop(now, StopNone)
		for i := 0; !closed; i++ {
			if i > 10 {
				t.Fatal("stopped, and it never closes")
			}
			now = c.Deadline()
			c.Advance(now)
			drain()
		}
	})
}
