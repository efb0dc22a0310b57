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

// greErrors is how many errors in a row mean that the socket is broken.
const greErrors = 16

// callKey names a call as its packets do: who sends them, and the call ID
// that we gave it (RFC 2637, Section 4.1: "Peer's Call ID").
type callKey struct {
	peer   netip.Addr
	callID uint16
}

// shards is how many parts the table of calls has. A change copies one part.
const shards = 256

// demux finds the session a GRE packet is for. The reader takes no lock:
// changes replace a part of the table.
type demux struct {
	calls [shards]atomic.Pointer[map[callKey]*session] // by the call ID's low octet
	mu    sync.Mutex                                   // writers

	stray atomic.Uint64 // packets that were nobody's
}

func (d *demux) part(k callKey) *atomic.Pointer[map[callKey]*session] {
	return &d.calls[k.callID%shards]
}

func (d *demux) find(k callKey) *session {
	if m := d.part(k).Load(); m != nil {
		return (*m)[k]
	}
	return nil
}

// add registers s under the first free key that next gives; false when it gives
// none in many attempts.
func (d *demux) add(peer netip.Addr, next func() uint16, s func(callID uint16) *session) (*session, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for range 1 << 10 {
		k := callKey{peer, next()}
		if k.callID == 0 || d.find(k) != nil {
			continue
		}
		m := map[callKey]*session{}
		if old := d.part(k).Load(); old != nil {
			m = maps.Clone(*old)
		}
		m[k] = s(k.callID)
		d.part(k).Store(&m)
		return m[k], true
	}
	return nil, false
}

func (d *demux) remove(k callKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.find(k) == nil {
		return
	}
	m := maps.Clone(*d.part(k).Load())
	delete(m, k)
	if len(m) == 0 {
		d.part(k).Store(nil)
		return
	}
	d.part(k).Store(&m)
}

// read hands what comes off the socket to the sessions, until the socket is
// closed (nil) or broken.
func (d *demux) read(g GRE) error {
	trays := newTrays()
	t := trays.get()
	failures := 0
	for {
		n, err := g.ReadBatch(t.packets)
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, net.ErrClosed):
			trays.wait()
			return nil
		default:
			if _, transient := errors.AsType[*osnet.ICMPError](err); transient {
				continue
			}
			if failures++; failures >= greErrors {
				trays.wait()
				return fmt.Errorf("server: reading GRE: %w", err)
			}
			continue
		}
		if d.deal(t, n) {
			t = trays.get()
		}
	}
}

// deal gives the sessions the n packets on the tray, each its part of them
// whole, whoever's lie between, and reports whether the tray is still in use. One
// session alone is served here and now: the way to a worker costs more than it
// gains. With several the workers share the load.
func (d *demux) deal(t *tray, n int) (inUse bool) {
	t.sessions = t.sessions[:0]
	for i := range n {
		s := d.session(&t.packets[i])
		if s == nil {
			d.stray.Add(1)
			continue
		}
		if s.waiting == 0 {
			t.sessions = append(t.sessions, s)
			s.first = uint8(i)
		} else {
			t.next[s.last] = uint8(i)
		}
		s.last = uint8(i)
		s.waiting++
	}
	t.users.Store(int32(len(t.sessions)))
	rest := t.data[:0]
	for _, s := range t.sessions {
		at := len(rest)
		for i := s.first; s.waiting > 0; i = t.next[i] {
			rest = append(rest, t.packets[i].Data)
			s.waiting--
		}
		mine := rest[at:len(rest):len(rest)]
		if len(t.sessions) == 1 && !s.tun.Handed() {
			s.tun.Receive(mine)
			return false
		}
		s.tun.Hand(mine, t.done)
	}
	return len(t.sessions) > 0
}

// session returns whose packet p is. The rest of the header is the session's
// to check.
func (d *demux) session(p *osnet.Packet) *session {
	if len(p.Data) < 8 {
		return nil
	}
	return d.find(callKey{p.Path.Remote, binary.BigEndian.Uint16(p.Data[6:])})
}
