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
