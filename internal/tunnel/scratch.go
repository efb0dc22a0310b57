package tunnel

import (
	"sync"

	"goppptp/internal/mppe"
	"goppptp/internal/offload"
)

// batchSize is how many packets are encrypted, and given to the socket, at
// once: as many as one sendmmsg of package osnet takes.
const batchSize = 64

// slotSize is the room for a packet with all that stands before it, in octets,
// as long as the MTU is not larger.
const slotSize = 2048

// scratch is the room in which the packets of one batch are worked on. It
// belongs to whoever works, and not to a session: those that wait need none.
type scratch struct {
	engine mppe.Engine

	// Out: a frame of the TUN, and what cuts it into packets.
	frame    *tunFrame
	splitter offload.Splitter

	// In: decrypted MPPE packets, and what joins those of one flow.
	opened [][]byte
	joiner offload.Joiner
}

var scratches = sync.Pool{New: func() any { return &scratch{frame: new(tunFrame)} }}

func getScratch() *scratch { return scratches.Get().(*scratch) }

func putScratch(x *scratch) { scratches.Put(x) }

// A load is a batch of packets on the way from the TUN to the socket.
type load struct {
	room     []byte // batchSize slots
	slotSize int
	packets  [][]byte // in slots: room before each, then the IP packet
	whole    [][]byte // those of them that go out
	starts   []int    // where their PPP frames begin
	batch    [][]byte // GRE packets
}

var loads = sync.Pool{New: func() any { return new(load) }}

// getLoad returns a load with slots of n octets.
func getLoad(n int) *load {
	l := loads.Get().(*load)
	if n > l.slotSize {
		l.slotSize = max(slotSize, (n+63)&^63)
		l.room = make([]byte, batchSize*l.slotSize)
	}
	l.packets, l.batch = l.packets[:0], l.batch[:0]
	return l
}

func putLoad(l *load) { loads.Put(l) }

func (l *load) slot(i int) []byte {
	return l.room[i*l.slotSize : (i+1)*l.slotSize : (i+1)*l.slotSize]
}
