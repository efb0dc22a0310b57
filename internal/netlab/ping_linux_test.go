package netlab

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPing(t *testing.T) {
	lab := newLab(t, Options{MTU: 1400})
	r, err := Ping(t.Context(), lab.Client, GatewayAddr, 5, 3000)
	if err != nil || r.Sent != 5 || r.Received != 5 || len(r.RTTs) != 5 {
		t.Errorf("5 of 3000 octets: %+v, %v", r, err)
	}
	// Nobody has this address: the router says so.
	err = lab.Router.sysctl("net/ipv4/neigh/net/mcast_solicit", "1")
	if err != nil {
		t.Fatal(err)
	}
	var unreachable PingResult
	for i := 0; i < 10 && unreachable.Unreachable == 0; i++ {
		if unreachable, err = Ping(t.Context(), lab.Client, netip.MustParseAddr("198.51.100.77"), 1, 56); err != nil {
			t.Fatal(err)
		}
	}
	if unreachable.Received != 0 || unreachable.Unreachable != 1 || unreachable.From != GatewayAddr {
		t.Errorf("nobody there: %+v, want unreachable from %s", unreachable, GatewayAddr)
	}
	if _, err := Ping(t.Context(), lab.Inner, OutsideAddr, 1, 56); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("no route: %v, want ENETUNREACH", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Ping(ctx, lab.Client, ServerAddr, 1000, 56); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestParseEcho(t *testing.T) {
	request := echoRequest(0x1234, 7, 5)
	if checksum(request) != 0 {
		t.Errorf("checksum of % x is not right", request)
	}
	reply := slices.Clone(request)
	reply[0] = 0
	complaint := append(append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, 0x45, 0, 0, 33, 0, 0, 0, 0, 64, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8), request...)
	for _, tt := range []struct {
		name    string
		in      []byte
		id, seq uint16
		want    echoVerdict
	}{
		{"reply", reply, 0x1234, 7, echoAnswered},
		{"another's reply", reply, 0x1235, 7, echoForeign},
		{"late reply", reply, 0x1234, 8, echoForeign},
		{"request", request, 0x1234, 7, echoForeign},
		{"complaint", complaint, 0x1234, 7, echoUnreachable},
		{"another's complaint", complaint, 0x1234, 6, echoForeign},
		{"cut complaint", complaint[:30], 0x1234, 7, echoForeign},
		{"short", reply[:7], 0x1234, 7, echoForeign},
		{"empty", nil, 0, 0, echoForeign},
	} {
		if got := parseEcho(tt.in, tt.id, tt.seq); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func FuzzParseEcho(f *testing.F) {
	f.Add([]byte{3, 1, 0, 0, 0, 0, 0, 0, 0x4f, 0, 0, 33, 0, 0, 0, 0, 64, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if parseEcho(b, 0xffff, 1) == echoAnswered && b[0] != 0 {
			t.Errorf("% x answers", b)
		}
	})
}
