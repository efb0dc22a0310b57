package tunnel

import (
	"testing"

	"goppptp/internal/ppp"
)

func TestMTU(t *testing.T) {
	for _, c := range []struct {
		name      string
		path      int
		link      ppp.LinkUp
		encrypted bool
		want      int
	}{
		// 1500 - IP 20 - GRE 16 - ff03 00fd 4 - MPPE 2 - 0021 2
		{"nothing compressed", 1500, ppp.LinkUp{PeerMRU: 1500}, true, 1456},
		{"all compressed", 1500, ppp.LinkUp{PeerMRU: 1500, SendACFC: true, SendPFC: true}, true, 1460},
		{"the peer's MRU is less", 1500, ppp.LinkUp{PeerMRU: 1400}, true, 1396},
		{"in clear", 1500, ppp.LinkUp{PeerMRU: 1500}, false, 1460},
		{"in clear, the peer's MRU is less", 1500, ppp.LinkUp{PeerMRU: 1400}, false, 1400},
		{"a PPPoE link", 1492, ppp.LinkUp{PeerMRU: 1500}, true, 1448},
		{"never less than every host takes", 300, ppp.LinkUp{PeerMRU: 100}, true, minMTU},
	} {
		if got := MTU(c.path, c.link, c.encrypted); got != c.want {
			t.Errorf("%s: MTU(%d, %+v, %v) = %d, want %d", c.name, c.path, c.link, c.encrypted, got, c.want)
		}
	}
}

// TestMRU: a peer that fills the MRU we ask for fills one packet of the path.
func TestMRU(t *testing.T) {
	if got := MRU(1500) + maxPPP + greHeader + ipHeader; got != 1500 {
		t.Errorf("MRU(1500) makes packets of %d octets", got)
	}
}
