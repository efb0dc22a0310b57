package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"goppptp/internal/osnet"
)

const (
	// greBuffer is the room for one packet: more than an Ethernet with jumbo
	// frames carries. What is not touched of it costs no cache.
	greBuffer = 10 << 10
	// greErrors is how many errors in a row mean that the socket is broken.
	greErrors = 16
)

// callKey names a call as its packets do: who sends them, and the call ID
// that we gave it (RFC 2637, Section 4.1: "Peer's Call ID").
type callKey struct {
	peer   netip.Addr
	callID uint16
}

// demux finds the session a GRE packet is for. Readers take no lock: changes
// replace the map.
type demux struct {
	calls atomic.Pointer[map[callKey]*session]
	mu    sync.Mutex // writers

	stray atomic.Uint64 // packets that were nobody's
}

func (d *demux) find(k callKey) *session {
	if m := d.calls.Load(); m != nil {
		return (*m)[k]
	}
	return nil
}

// add registers s under the first free key that next gives; false when it gives
// none in many attempts.
func (d *demux) add(peer netip.Addr, next func() uint16, s func(callID uint16) *session) (*session, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := map[callKey]*session{}
	if m := d.calls.Load(); m != nil {
		old = *m
	}
	for range 1 << 10 {
		k := callKey{peer, next()}
		if _, taken := old[k]; k.callID == 0 || taken {
			continue
		}
		m := make(map[callKey]*session, len(old)+1)
		maps.Copy(m, old)
		m[k] = s(k.callID)
		d.calls.Store(&m)
		return m[k], true
	}
	return nil, false
}

func (d *demux) remove(k callKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.calls.Load()
	if old == nil {
		return
	}
	m := make(map[callKey]*session, len(*old))
	for key, s := range *old {
		if key != k {
			m[key] = s
		}
	}
	d.calls.Store(&m)
}

// read hands what comes off the socket to the sessions, until the socket is
// closed (nil) or broken.
func (d *demux) read(g GRE) error {
	room := make([]byte, osnet.BatchSize*greBuffer)
	pkts := make([]osnet.Packet, osnet.BatchSize)
	for i := range pkts {
		pkts[i].Buf = room[i*greBuffer : (i+1)*greBuffer : (i+1)*greBuffer]
	}
	var touched []*session
	failures := 0
	for {
		n, err := g.ReadBatch(pkts)
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			if _, transient := errors.AsType[*osnet.ICMPError](err); transient {
				continue
			}
			if failures++; failures >= greErrors {
				return fmt.Errorf("server: reading GRE: %w", err)
			}
			continue
		}
		// Sorted by session first, so that each gets its part of the batch whole,
		// whoever's packets lie between.
		for i := range pkts[:n] {
			s := d.session(&pkts[i])
			if s == nil {
				d.stray.Add(1)
				continue
			}
			if len(s.batch) == 0 {
				touched = append(touched, s)
			}
			s.batch = append(s.batch, pkts[i].Data)
		}
		for i, s := range touched {
			s.tun.Receive(s.batch)
			clear(s.batch)
			s.batch = s.batch[:0]
			touched[i] = nil
		}
		touched = touched[:0]
	}
}

// session returns whose packet p is. The rest of the header is the session's
// to check.
func (d *demux) session(p *osnet.Packet) *session {
	if len(p.Data) < 8 {
		return nil
	}
	return d.find(callKey{p.Path.Remote, binary.BigEndian.Uint16(p.Data[6:])})
}
