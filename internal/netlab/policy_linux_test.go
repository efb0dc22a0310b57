package netlab

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

var errSilence = errors.New("no answer")

func TestPolicy(t *testing.T) {
	bothKinds(t, func(t *testing.T, lab *Lab) {
		serverOn := ServerAddr
		if lab.NAT == Routed {
			serverOn = PublicAddr
		}
		client, server := listenGRE(t, lab.Client, ClientAddr), listenGRE(t, lab.Server, serverOn)
		l, err := lab.Server.Listen("tcp4", ":1723")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		seq := byte(0)
		check := func(p Policy, wantUp, wantDown bool, wantTCP error) {
			t.Helper()
			if err := lab.SetPolicy(p); err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
			seq++
			wait := func(want bool) time.Duration {
				if want {
					return 5 * time.Second
				}
				return 50 * time.Millisecond
			}
			// An ICMP answer to an earlier packet may surface here; unconnected
			// sockets do not get any.
			client.send(t, PublicAddr, grePacket(20, seq))
			if _, got := server.receive(wait(wantUp)); (got == seq) != wantUp {
				t.Errorf("%+v: GRE to the server: got %d of %d, want it: %v", p, got, seq, wantUp)
			}
			server.send(t, ClientAddr, grePacket(7, seq))
			if _, got := client.receive(wait(wantDown)); (got == seq) != wantDown {
				t.Errorf("%+v: GRE to the client: got %d of %d, want it: %v", p, got, seq, wantDown)
			}
			conn, err := dial(t, lab.Client, PublicAddr.String()+":1723")
			if err == nil {
				conn.Close()
			}
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				err = errSilence
			}
			if !errors.Is(err, wantTCP) {
				t.Errorf("%+v: TCP: %v, want %v", p, err, wantTCP)
			}
		}
		check(Policy{}, true, true, nil)
		check(Policy{GREToServer: Drop}, false, true, nil)
		check(Policy{GREToClient: Drop}, true, false, nil)
		check(Policy{GREToServer: Reject, GREToClient: Drop}, false, false, nil)
		check(Policy{Control: Drop}, true, true, errSilence)
		check(Policy{Control: Reject}, true, true, syscall.EHOSTUNREACH)
		check(Policy{}, true, true, nil)
		if err := lab.SetPolicy(Policy{Loss: 1.5}); err == nil {
			t.Error("a loss of 1.5 was taken")
		}
	})
}

// Half of the packets get lost, then none again.
func TestLoss(t *testing.T) {
	bothKinds(t, func(t *testing.T, lab *Lab) {
		// Packets that wait for an ARP reply would wait until nothing is lost.
		wantPing(t, lab.Client, GatewayAddr, true)
		err := lab.SetPolicy(Policy{Loss: .5})
		if errors.Is(err, ErrNoLoss) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		serverOn := ServerAddr
		if lab.NAT == Routed {
			serverOn = PublicAddr
		}
		client, server := listenGRE(t, lab.Client, ClientAddr), listenGRE(t, lab.Server, serverOn)
		run := func() (got int) {
			const mark = 255
			for range 200 {
				client.send(t, PublicAddr, grePacket(20, 1))
			}
			if err := lab.SetPolicy(Policy{}); err != nil {
				t.Fatal(err)
			}
			client.send(t, PublicAddr, grePacket(20, mark))
			for {
				switch _, seq := server.receive(5 * time.Second); seq {
				case mark:
					return got
				case 0:
					t.Fatal("the marking packet was lost")
				default:
					got++
				}
			}
		}
		// 200 tosses of a coin miss this range once in 10^20.
		if got := run(); got < 35 || got > 165 {
			t.Errorf("%d of 200 came through, want about half", got)
		}
		if got := run(); got != 200 {
			t.Errorf("without loss %d of 200 came through", got)
		}
	})
}

func TestDelay(t *testing.T) {
	lab := newLab(t, Options{})
	err := lab.SetDelay(20 * time.Millisecond)
	if errors.Is(err, ErrNoNetem) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := Ping(t.Context(), lab.Client, GatewayAddr, 1, 56)
	if err != nil || r.Received != 1 || r.RTTs[0] < 40*time.Millisecond {
		t.Errorf("ping %+v, %v, want a round trip of 40 ms or more", r, err)
	}
	if err := lab.SetDelay(0); err != nil {
		t.Error(err)
	}
	if err := lab.SetDelay(0); err != nil {
		t.Errorf("twice: %v", err)
	}
}
