package server

import (
	"sync/atomic"

	"goppptp/internal/osnet"
)

const (
	// traysMax is how many batches are read ahead of the workers. What comes
	// beyond that waits in the socket's buffer.
	traysMax = 8
	// packetSize is the room for one packet: more than an Ethernet with jumbo
	// frames carries. What is not touched of it costs no memory.
	packetSize = 10 << 10
)

// A tray holds a batch of packets off the socket while sessions work on them.
type tray struct {
	packets  []osnet.Packet
	next     [osnet.BatchSize]uint8  // the session's next packet
	data     [osnet.BatchSize][]byte // packets, sorted by session
	sessions []*session
	users    atomic.Int32 // sessions that are not done with it
	done     func()       // one more is
}

// trays are the trays there are: made when they are needed, and used again.
type trays struct {
	free chan *tray
	made int
}

func newTrays() *trays { return &trays{free: make(chan *tray, traysMax)} }

// get returns a tray that nobody uses; it waits when all are in use.
func (ts *trays) get() *tray {
	select {
	case t := <-ts.free:
		return t
	default:
	}
	if ts.made == traysMax {
		return <-ts.free
	}
	ts.made++
	room := make([]byte, osnet.BatchSize*packetSize)
	t := &tray{packets: make([]osnet.Packet, osnet.BatchSize)}
	for i := range t.packets {
		t.packets[i].Buf = room[i*packetSize : (i+1)*packetSize : (i+1)*packetSize]
	}
	t.done = func() {
		if t.users.Add(-1) == 0 {
			ts.free <- t
		}
	}
	return t
}

// wait waits until no session uses any of the trays but the reader's own.
func (ts *trays) wait() {
	for range ts.made - 1 {
		<-ts.free
	}
}
