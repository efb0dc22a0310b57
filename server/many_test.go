package server

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/osnet/osnettest"
)

// Many sessions that send at the same time share batches and workers; each
// one's packets come through whole, in order and at the right interface, both
// ways.
func TestManySessionsKeepTheirOrder(t *testing.T) {
	const sessions, packets = 12, 400
	bubble(t, func(t *testing.T) {
		r := run(t, "local: 192.168.13.254\nremote: 192.168.13.1-100\nusers: [{name: ann, password: secret, sessions: 100}]\n", Limits{})
		defer r.stop()
		var clients []*dialed
		var servers []*osnettest.TUN
		for i := range sessions {
			d := r.dial(dialOptions{from: fmt.Sprintf("198.51.100.%d", 1+i), user: "ann", pass: "secret"})
			d.wantUp(t)
			clients = append(clients, d)
		}
		synctest.Wait()
		for _, d := range clients {
			servers = append(servers, r.tunOf(d.network.Local))
		}
		numbered := func(d *dialed, up bool, n uint32) []byte {
			from, to := d.network.Local, d.network.Peer
			if !up {
				from, to = to, from
			}
			return packet(from, to, string(binary.BigEndian.AppendUint32(nil, n))+d.from.String())
		}
		send := func(tun func(i int) *osnettest.TUN, up bool) {
			var senders sync.WaitGroup
			for i, d := range clients {
				senders.Go(func() {
					for n := range uint32(packets) {
						tun(i).Inject(numbered(d, up, n))
						if n%32 == 31 {
							<-time.After(time.Millisecond)
						}
					}
				})
			}
			senders.Wait()
			<-time.After(time.Second)
			synctest.Wait()
		}
		client := func(i int) *osnettest.TUN { return clients[i].tun }
		server := func(i int) *osnettest.TUN { return servers[i] }
		for _, way := range []struct {
			name     string
			from, to func(int) *osnettest.TUN
			up       bool
		}{{"up", client, server, true}, {"down", server, client, false}} {
			send(way.from, way.up)
			for i, d := range clients {
				for n := range uint32(packets) {
					select {
					case got := <-way.to(i).Received():
						if want := numbered(d, way.up, n); string(got) != string(want) {
							t.Fatalf("%s, session %d, packet %d: % x, want % x", way.name, i, n, got, want)
						}
					default:
						t.Fatalf("%s, session %d: %d of %d packets came", way.name, i, n, packets)
					}
				}
			}
		}
		for _, d := range clients {
			d.hangUp()
		}
	})
}

// tunOf finds the server's interface to a client.
func (r *running) tunOf(client netip.Addr) *osnettest.TUN {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tuns {
		if t.Config().Peer == client {
			return t.TUN
		}
	}
	return nil
}
