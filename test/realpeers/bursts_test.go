//go:build linux

package realpeers

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testBursts has large segments and many connections come upon a real peer whose
// sockets have room for some fifty packets. None may be lost there: pptp-linux and
// pptpd would wait a third of a second for it.
func testBursts(t *testing.T) {
	const (
		room  = 131072 // octets, half of the usual; a packet counts for 2304
		flows = 4
		size  = 2 << 20 // octets, each way
	)
	for _, e := range []ends{{"ours", "theirs", false}, {"theirs", "ours", false}} {
		t.Run(e.String(), func(t *testing.T) {
			begin(t)
			n := newNetwork(t, natHelper)
			n.inner.serveTransfers(t)
			receiveBuffer(t, room)
			s := n.connect(t, e)
			peer := n.client
			if e.server == "theirs" {
				peer = n.server
			}
			moved := make(chan error, flows)
			for range flows {
				go func() { moved <- n.client.transfer(behindAddr, size, 120*time.Second) }()
			}
			for range flows {
				if err := <-moved; err != nil {
					t.Error(err)
				}
			}
			if s.client.ended() {
				t.Error("the client's session did not live")
			}
			sockets, dropped := peer.droppedGRE(t)
			if sockets == 0 || dropped > 0 {
				t.Errorf("%d GRE sockets of the peer had no room for %d packets", sockets, dropped)
			}
		})
	}
}

// receiveBuffer sets the receive buffer of sockets that are opened from now on.
func receiveBuffer(t *testing.T, octets int) {
	t.Helper()
	const file = "/proc/sys/net/core/rmem_default"
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, old, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(file, []byte(strconv.Itoa(octets)), 0); err != nil {
		t.Fatal(err)
	}
}

// droppedGRE counts the raw sockets for GRE, and the packets for which their
// receive buffers had no room.
func (p *place) droppedGRE(t *testing.T) (sockets, dropped int) {
	t.Helper()
	p.must(t, func() error {
		table, err := os.ReadFile("/proc/thread-self/net/raw")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) < 13 || !strings.HasSuffix(f[1], ":002F") { // protocol 47
				continue
			}
			n, err := strconv.Atoi(f[len(f)-1])
			if err != nil {
				return fmt.Errorf("/proc/net/raw: %w in %q", err, line)
			}
			sockets++
			dropped += n
		}
		return nil
	})
	return sockets, dropped
}
