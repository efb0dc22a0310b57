package pptp

import (
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"time"
)

// pair is a client and a server in one process, with a stream between them that cuts messages anywhere.
type pair struct {
	client, server       *Conn
	toServer, toClient   []byte
	clientSays, servSays []string
	rng                  *rand.Rand
	now                  time.Time
}

func newPair(seed int64) *pair {
	p := &pair{rng: rand.New(rand.NewSource(seed)), now: time.Unix(1_000_000, 0)}
	p.client, p.server = NewConn(Config{}), NewConn(Config{Role: Server})
	p.client.Start(p.now)
	p.server.Start(p.now)
	return p
}

// drain fetches the events of one side; the server takes every call, as number 100 more.
func (p *pair) drain(c *Conn, out *[]byte, says *[]string) {
	for e := c.NextEvent(); e != nil; e = c.NextEvent() {
		switch e := e.(type) {
		case Send:
			*out = append(*out, e.Data...)
			continue
		case CallOffered:
			if err := c.Answer(p.now, e.PeerCallID, e.PeerCallID+100); err != nil {
				*says = append(*says, err.Error())
			}
			continue
		case CallConnected:
			*says = append(*says, fmt.Sprintf("up %d %d", e.CallID, e.PeerCallID))
		case CallEnded:
			*says = append(*says, fmt.Sprintf("ended %d %d %v", e.CallID, e.PeerCallID, e.Err))
		case Closed:
			*says = append(*says, fmt.Sprintf("closed %v", e.Err))
		default:
			*says = append(*says, fmt.Sprintf("%T", e))
		}
	}
}

func (p *pair) run() {
	for {
		p.drain(p.client, &p.toServer, &p.clientSays)
		p.drain(p.server, &p.toClient, &p.servSays)
		if len(p.toServer)+len(p.toClient) == 0 {
			return
		}
		for _, d := range []struct {
			c *Conn
			b *[]byte
		}{{p.server, &p.toServer}, {p.client, &p.toClient}} {
			n := p.rng.Intn(len(*d.b) + 1)
			d.c.Handle(p.now, (*d.b)[:n])
			*d.b = (*d.b)[n:]
		}
	}
}

func TestClientWithServer(t *testing.T) {
	for seed := range int64(20) {
		p := newPair(seed)
		for id := range uint16(3) {
			p.client.PlaceCall(p.now, id)
		}
		p.run()
		for range 3 { // three quiet minutes
			p.now = p.now.Add(time.Minute)
			p.client.Advance(p.now)
			p.run()
			p.server.Advance(p.now)
			p.run()
		}
		p.client.Clear(p.now, 1)
		p.server.Clear(p.now, 102)
		p.run()
		p.client.Clear(p.now, 0)
		p.run()
		p.client.Stop(p.now, StopNone)
		p.run()
		echo := "pptp.EchoSeen"
		if got, want := p.clientSays, []string{"pptp.Established", "up 0 100", "up 1 101", "up 2 102", echo, echo, echo,
			"ended 1 101 <nil>", "ended 2 102 the peer ended the call: administrative shutdown", "ended 0 100 <nil>", "closed <nil>"}; !sameSet(got, want) {
			t.Errorf("seed %d: the client says %q, want %q", seed, got, want)
		}
		if got, want := p.servSays, []string{"pptp.Established", "up 100 0", "up 101 1", "up 102 2", echo, echo, echo,
			"ended 102 2 <nil>", "ended 101 1 the peer ended the call: on request", "ended 100 0 the peer ended the call: on request", "closed <nil>"}; !sameSet(got, want) {
			t.Errorf("seed %d: the server says %q, want %q", seed, got, want)
		}
	}
}

// sameSet compares in order but for the echoes and the two calls that end at once.
func sameSet(got, want []string) bool {
	if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
		return false
	}
	count := map[string]int{}
	for i := range got {
		count[got[i]]++
		count[want[i]]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

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

func TestQueueKeepsOrder(t *testing.T) {
	var q queue
	for _, e := range []Event{EchoSeen{}, Send{[]byte("a")}, EchoSeen{}, Send{[]byte("b")}, EchoSeen{Reply: true}, LinkInfo{CallID: 1}, EchoSeen{}, Send{[]byte("c")}, LinkInfo{CallID: 2}, Send{[]byte("d")}} {
		if !q.push(e) {
			t.Fatalf("no room for %v", e)
		}
	}
	want := []Event{EchoSeen{}, Send{[]byte("ab")}, EchoSeen{Reply: true}, LinkInfo{CallID: 1}, EchoSeen{}, Send{[]byte("c")}, LinkInfo{CallID: 2}, Send{[]byte("d")}}
	for i, w := range want {
		if got := q.pop(); !reflect.DeepEqual(got, w) {
			t.Errorf("event %d: %s, want %s", i, show(got), show(w))
		}
	}
	if e := q.pop(); e != nil || q.unsent != 0 {
		t.Errorf("left: %v, %d octets", e, q.unsent)
	}
}
