package transcripts

import (
	"io"
	"slices"
	"testing"
	"time"

	"goppptp/internal/pptp"
)

// TestPPTP puts our control connection into the place of each of the two
// recorded programs in turn, byte stream and all: also cut into single octets.
func TestPPTP(t *testing.T) {
	for _, client := range []bool{true, false} {
		for _, cut := range []bool{false, true} {
			name := map[bool]string{true: "client", false: "server"}[client] + map[bool]string{true: "-octets"}[cut]
			t.Run(name, func(t *testing.T) {
				all(t, every, func(t *testing.T, r *Recording) { playControl(t, r, client, cut) })
			})
		}
	}
}

// recordedCall finds the call's two identifiers, and which message types each
// side sent.
func recordedCall(t *testing.T, r *Recording) (client, server uint16, types map[bool][]pptp.MessageType) {
	t.Helper()
	types = make(map[bool][]pptp.MessageType)
	for i, p := range r.Packets {
		for b := p.Data; !p.GRE && len(b) > 0; {
			m, n, err := pptp.Parse(b)
			if err != nil {
				t.Fatalf("packet %d: %v", i, err)
			}
			types[p.FromClient] = append(types[p.FromClient], m.Type())
			switch m := m.(type) {
			case *pptp.OutgoingCallRequest:
				client = m.CallID
			case *pptp.OutgoingCallReply:
				server = m.CallID
			}
			b = b[n:]
		}
	}
	return client, server, types
}

func playControl(t *testing.T, r *Recording, client, cut bool) {
	ours, theirs, recorded := recordedCall(t, r)
	role := pptp.Client
	if !client {
		role, ours, theirs = pptp.Server, theirs, ours
	}
	begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	c := pptp.NewConn(pptp.Config{Role: role, ReplyTimeout: time.Hour, EchoInterval: time.Hour})
	var sent []pptp.MessageType
	var connected, established, ended, closed bool
	now := begin
	drain := func() {
		for ev := c.NextEvent(); ev != nil; ev = c.NextEvent() {
			switch ev := ev.(type) {
			case pptp.Send:
				for b := ev.Data; len(b) > 0; {
					m, n, err := pptp.Parse(b)
					if err != nil {
						t.Fatalf("we sent % x: %v", b, err)
					}
					sent, b = append(sent, m.Type()), b[n:]
				}
			case pptp.Established:
				established = true
			case pptp.CallOffered:
				c.Answer(now, ev.PeerCallID, ours)
			case pptp.CallConnected:
				connected = true
				if ev.CallID != ours || ev.PeerCallID != theirs {
					t.Errorf("call %d to %d, recorded was %d to %d", ev.CallID, ev.PeerCallID, ours, theirs)
				}
			case pptp.CallEnded:
				ended = true
			case pptp.Closed:
				closed = true
				if ev.Err != nil {
					t.Errorf("it ended with %v", ev.Err)
				}
			}
		}
	}
	c.Start(now)
	if client {
		c.PlaceCall(now, ours)
	}
	drain()
	cleared := false
	for _, p := range r.Packets {
		if p.GRE {
			continue
		}
		now = begin.Add(p.At)
		if p.FromClient == client {
			// The one thing that the program did of its own accord.
			if m, _, err := pptp.Parse(p.Data); err == nil && m.Type() == pptp.TypeCallClearRequest {
				cleared = true
				c.Clear(now, ours)
				drain()
			}
			continue
		}
		pieces := [][]byte{p.Data}
		if cut {
			pieces = nil
			for piece := range slices.Chunk(p.Data, 1) {
				pieces = append(pieces, piece)
			}
		}
		for _, piece := range pieces {
			c.Handle(now, piece)
			drain()
		}
	}
	if !established || !connected {
		t.Fatalf("established %v, call connected %v", established, connected)
	}
	// Of what pptpd and pptp-linux close without a word we ask to be cleared.
	if !client && !ended || client && !cleared {
		c.Clear(now, ours)
		drain()
	}
	c.ConnectionLost(now, io.EOF)
	drain()
	if !ended || !closed {
		t.Errorf("call ended %v, connection closed %v", ended, closed)
	}
	// What the program said, we said too, in that order: but for its habits in
	// leaving, and its echoes when idle.
	habit := func(m pptp.MessageType) bool {
		return m != pptp.TypeStartControlConnectionRequest && m != pptp.TypeStartControlConnectionReply &&
			m != pptp.TypeOutgoingCallRequest && m != pptp.TypeOutgoingCallReply && m != pptp.TypeEchoReply
	}
	want := slices.DeleteFunc(slices.Clone(recorded[client]), habit)
	if got := slices.DeleteFunc(slices.Clone(sent), habit); !slices.Equal(got, want) {
		t.Errorf("we sent %v, recorded is %v", got, want)
	}
}
