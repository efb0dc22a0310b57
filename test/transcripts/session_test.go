package transcripts

import (
	"encoding/binary"
	"fmt"
	"testing"

	"goppptp/internal/gre"
)

// all loads the recordings and runs a subtest for each that the test wants.
func all(t *testing.T, want func(*Recording) bool, f func(t *testing.T, r *Recording)) {
	t.Helper()
	recordings, err := Load("../testdata")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, r := range recordings {
		if want(r) {
			ran++
			t.Run(r.Name, func(t *testing.T) { f(t, r) })
		}
	}
	if ran == 0 {
		t.Fatal("no recording of that kind")
	}
}

func every(*Recording) bool { return true }

// The PPP protocols a recording has, by number.
const (
	pppIP     = 0x0021
	pppIPv6   = 0x0057
	pppMPPE   = 0x00fd
	pppIPCP   = 0x8021
	pppIPV6CP = 0x8057
	pppCCP    = 0x80fd
	pppLCP    = 0xc021
	pppPAP    = 0xc023
	pppCHAP   = 0xc223
	pppEAP    = 0xc227
)

// A pppFrame is a GRE payload, read by the test's own rules.
type pppFrame struct {
	number     int // of its packet in the recording
	fromClient bool
	seq        uint32
	protocol   uint16
	info       []byte // behind the protocol field
	raw        []byte // the whole frame
}

// frames takes the PPP frames out of a recording. Nothing of a real peer may be
// refused on the way.
func frames(t *testing.T, r *Recording) []pppFrame {
	t.Helper()
	var list []pppFrame
	for i, p := range r.Packets {
		if !p.GRE {
			continue
		}
		h, payload, err := gre.Parse(p.Data)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if len(payload) == 0 {
			continue
		}
		f, err := parsePPP(payload)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		f.number, f.fromClient, f.seq = i, p.FromClient, h.Seq
		list = append(list, f)
	}
	return list
}

func parsePPP(b []byte) (pppFrame, error) {
	f := pppFrame{raw: b}
	if len(b) > 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	var err error
	f.protocol, f.info, err = parseProtocol(b)
	return f, err
}

// parseProtocol reads a protocol field, compressed or not.
func parseProtocol(b []byte) (uint16, []byte, error) {
	switch {
	case len(b) > 0 && b[0]&1 == 1:
		return uint16(b[0]), b[1:], nil
	case len(b) > 1:
		return binary.BigEndian.Uint16(b), b[2:], nil
	}
	return 0, nil, fmt.Errorf("PPP frame of %d octets", len(b))
}
