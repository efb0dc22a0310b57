package tunnel

import (
	"sync/atomic"
	"time"
)

// counters count what happened; all are added to from the data path.
type counters struct {
	grePackets, greAcks, invalid           atomic.Uint64
	rxPackets, rxBytes, txPackets, txBytes atomic.Uint64
	lostStateful, undecryptable, nonsense  atomic.Uint64
	refusedClear, closed                   atomic.Uint64
	sendErrors, tunErrors, controlDropped  atomic.Uint64
	echoRTT                                atomic.Int64
}

// Stats are a session's counters; packets and octets are those of the IP
// packets inside the tunnel unless it says otherwise.
type Stats struct {
	RxPackets     uint64        `json:"rx_packets"`
	RxBytes       uint64        `json:"rx_bytes"`
	TxPackets     uint64        `json:"tx_packets"`
	TxBytes       uint64        `json:"tx_bytes"`
	GREReceived   uint64        `json:"gre_received"`            // GRE packets of this call, acknowledgements included
	GREAcks       uint64        `json:"gre_acks"`                // those of them that acknowledge packets of ours
	Invalid       uint64        `json:"invalid,omitempty"`       // GRE packets that were malformed, or another call's
	Lost          uint64        `json:"lost,omitempty"`          // GRE packets that never came, as far as is known yet
	Late          uint64        `json:"late,omitempty"`          // came after a later one, and were used
	Duplicates    uint64        `json:"duplicates,omitempty"`    // came again
	Old           uint64        `json:"old,omitempty"`           // came too late to be used
	Discarded     uint64        `json:"discarded,omitempty"`     // stateful MPPE: an earlier one was missing
	Undecryptable uint64        `json:"undecryptable,omitempty"` // MPPE packets that could not be decrypted
	Nonsense      uint64        `json:"nonsense,omitempty"`      // decrypted to what is no IP packet
	RefusedClear  uint64        `json:"refused_clear,omitempty"` // IP packets in clear where none may be
	Closed        uint64        `json:"closed,omitempty"`        // packets either way while the tunnel was closed to them
	Waited        uint64        `json:"waited,omitempty"`        // how often packets had to wait until the peer could take them
	SendErrors    uint64        `json:"send_errors,omitempty"`
	TUNErrors     uint64        `json:"tun_errors,omitempty"`
	EchoRTT       time.Duration `json:"echo_rtt_ns,omitempty"` // of the last LCP echo
}

// Stats returns the counters as they are now.
func (s *Session) Stats() Stats {
	c := &s.stats
	s.recv.mu.Lock()
	in := s.recv.seq.Stats()
	s.recv.mu.Unlock()
	return Stats{
		RxPackets: c.rxPackets.Load(), RxBytes: c.rxBytes.Load(),
		TxPackets: c.txPackets.Load(), TxBytes: c.txBytes.Load(),
		GREReceived: c.grePackets.Load(), GREAcks: c.greAcks.Load(), Invalid: c.invalid.Load(),
		Lost: in.Lost, Late: in.Late, Duplicates: in.Duplicate, Old: in.Old,
		Discarded: c.lostStateful.Load(), Undecryptable: c.undecryptable.Load(), Nonsense: c.nonsense.Load(),
		RefusedClear: c.refusedClear.Load(), Closed: c.closed.Load(),
		Waited:     s.send.waited(),
		SendErrors: c.sendErrors.Load(), TUNErrors: c.tunErrors.Load(),
		EchoRTT: time.Duration(c.echoRTT.Load()),
	}
}

// SendError returns the first error that sending to the peer gave, or nil.
func (s *Session) SendError() error {
	if p := s.sendErr.Load(); p != nil {
		return *p
	}
	return nil
}
