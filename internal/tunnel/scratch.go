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
	// Out: a frame of the TUN, and the packets it was cut into.
	frame    [offload.MaxFrame]byte
	splitter offload.Splitter
	room     []byte // batchSize slots
	slotSize int
	packets  [][]byte // room before each, then the IP packet
	whole    [][]byte // those of them that go out
	starts   []int    // where their PPP frames begin
	batch    [][]byte // GRE packets

	// In: decrypted MPPE packets.
	opened [][]byte
	joiner offload.Joiner

	engine mppe.Engine
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func getScratch() *scratch { return scratches.Get().(*scratch) }

func putScratch(x *scratch) { scratches.Put(x) }

// slots has room for packets of n octets in each slot.
func (x *scratch) slots(n int) {
	if n > x.slotSize {
		x.slotSize = max(slotSize, (n+63)&^63)
		x.room = make([]byte, batchSize*x.slotSize)
	}
}

func (x *scratch) slot(i int) []byte {
	if x.room == nil {
		x.slots(slotSize)
	}
	return x.room[i*x.slotSize : (i+1)*x.slotSize : (i+1)*x.slotSize]
}
