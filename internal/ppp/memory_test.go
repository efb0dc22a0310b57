package ppp

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// TestMemoryAtRest: what a server keeps of a session that is established and
// idle: it may have thousands of them.
func TestMemoryAtRest(t *testing.T) {
	const (
		links = 500
		limit = 1400 // octets of a link, with all that only it refers to
	)
	for _, m := range []auth.Method{auth.MSCHAPv2, auth.EAP} {
		t.Run(m.String(), func(t *testing.T) {
			client, server := clientConfig(m, MPPE{Require: true}), serverConfig(m, MPPE{Require: true})
			settings := NewSettings(server)
			kept := make([]*Link, links)
			before := heapInUse()
			for i := range kept {
				kept[i] = settings.NewLink(0, nil)
				establish(t, NewLink(client), kept[i])
			}
			each := int64(heapInUse()-before) / links
			runtime.KeepAlive(kept)
			t.Logf("%d octets a link", each)
			if each > limit {
				t.Errorf("%d octets a link, no more than %d are wanted", each, limit)
			}
		})
	}
}

// heapInUse gives the octets that are reachable.
func heapInUse() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// establish negotiates until nobody has anything to say.
func establish(t *testing.T, client, server *Link) {
	t.Helper()
	var networks []NetworkUp
	client.Open(epoch)
	server.Open(epoch)
	for spoke := true; spoke; {
		spoke = false
		for _, way := range [][2]*Link{{client, server}, {server, client}} {
			for ev := way[0].NextEvent(); ev != nil; ev = way[0].NextEvent() {
				switch ev := ev.(type) {
				case SendFrame:
					way[1].Handle(epoch, ev.Frame)
					spoke = true
				case NetworkUp:
					networks = append(networks, ev)
				}
			}
		}
	}
	if len(networks) != 2 || networks[0].Peer != networks[1].Local || networks[0].Local == (netip.Addr{}) {
		t.Fatalf("not established: %+v", networks)
	}
}

// TestLateResponse: "the authenticator MUST allow repeated Response packets
// during the Network-Layer Protocol phase", and gives the same answer (RFC 1994,
// Section 4.1).
func TestLateResponse(t *testing.T) {
	late := func(from, _ int, frame []byte) []time.Duration {
		if p, info, _ := ParseFrame(frame); from == 0 && p == ProtocolCHAP && info[0] == 2 {
			return []time.Duration{transit, 5 * time.Second, 6 * time.Second}
		}
		return good(0, 0, nil)
	}
	w := join(t, clientConfig(auth.MSCHAPv2, MPPE{Require: true}), serverConfig(auth.MSCHAPv2, MPPE{Require: true}), late)
	w.open()
	w.mustUp(4 * time.Second)
	w.run(10*time.Second, w.never)
	said := strings.Join(w.server().log, "\n")
	if n := strings.Count(said, "CHAP Success"); n != 3 || strings.Contains(said, "Reject") || !w.bothUp() {
		t.Errorf("%d times Success:\n%s", n, w.tail())
	}
}
