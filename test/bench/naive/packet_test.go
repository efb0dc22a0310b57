package naive

import (
	"bytes"
	"testing"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
)

// TestWire has the codecs of the product read what the baseline sends: it would
// be no fair comparison if the work were another.
func TestWire(t *testing.T) {
	s := &sealer{chain: newChain(clientKey)}
	opener := mppe.NewOpener(clientKey, mppe.Bits128, false)
	for i := range 300 {
		packet := bytes.Repeat([]byte{0x45, byte(i)}, 20+i)
		out, err := s.seal(packet)
		if err != nil {
			t.Fatal(err)
		}
		h, payload, err := gre.Parse(out)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if !h.HasSeq || h.Seq != uint32(i) || !bytes.HasPrefix(payload, []byte{0xff, 0x03, 0x00, 0xfd}) {
			t.Fatalf("packet %d: header %+v, payload % x", i, h, payload[:4])
		}
		plain, err := opener.Open(payload[4:], h.Seq)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if want := append([]byte{0x00, 0x21}, packet...); !bytes.Equal(plain, want) {
			t.Fatalf("packet %d: % x, want % x", i, plain, want)
		}
	}
}

func TestOpen(t *testing.T) {
	s, o := &sealer{chain: newChain(serverKey)}, &opener{chain: newChain(serverKey)}
	packet := bytes.Repeat([]byte("packet"), 100)
	for i := range 20 {
		out, err := s.seal(packet)
		if err != nil {
			t.Fatal(err)
		}
		if i%7 == 3 {
			continue // lost
		}
		got, err := o.open(bytes.Clone(out))
		if err != nil || !bytes.Equal(got, packet) {
			t.Fatalf("packet %d: % x, %v", i, got, err)
		}
		if _, err := o.open(out); err == nil {
			t.Fatalf("packet %d opens a second time", i)
		}
	}
	for n := range headers {
		if _, err := o.open(make([]byte, n)); err == nil {
			t.Errorf("%d octets open", n)
		}
	}
}
