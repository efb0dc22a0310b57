package gre

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHeader(t *testing.T) {
	for _, tt := range []struct {
		name    string
		packet  string
		header  Header
		payload string
	}{
		{"data", "3001880b0004000100000000deadbeef", Header{CallID: 1, HasSeq: true}, "deadbeef"},
		{"data and ack", "3081880b00021234fffffffe00000007c021", Header{CallID: 0x1234, HasSeq: true, Seq: 0xfffffffe, HasAck: true, Ack: 7}, "c021"},
		{"ack only", "2081880b0000d8c10000000a", Header{CallID: 0xd8c1, HasAck: true, Ack: 10}, ""},
		{"neither", "2001880b0000ffff", Header{CallID: 0xffff}, ""},
		{"empty payload", "3001880b0000000500000009", Header{CallID: 5, HasSeq: true, Seq: 9}, ""},
	} {
		packet, want := unhex(t, tt.packet), unhex(t, tt.payload)
		h, payload, err := Parse(packet)
		if err != nil || h != tt.header || !bytes.Equal(payload, want) {
			t.Errorf("%s: Parse = %+v, %x, %v; want %+v, %x", tt.name, h, payload, err, tt.header, want)
		}
		got := make([]byte, MaxHeaderLen+len(want))
		n := h.Put(got, len(want))
		if n != h.Len() {
			t.Errorf("%s: Put = %d, Len = %d", tt.name, n, h.Len())
		}
		if got = append(got[:n], want...); !bytes.Equal(got, packet) {
			t.Errorf("%s: Put wrote %x, want %x", tt.name, got, packet)
		}
	}
}

func TestParsePadding(t *testing.T) {
	h, payload, err := Parse(unhex(t, "3001880b00020001000000050021ffffff"))
	if err != nil || h.Seq != 5 || !bytes.Equal(payload, []byte{0, 0x21}) {
		t.Fatalf("Parse = %+v, %x, %v", h, payload, err)
	}
	if cap(payload) != 2 {
		t.Errorf("cap(payload) = %d: an append would write over the padding", cap(payload))
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packet string
		want   error
	}{
		{"nothing", "", ErrShort},
		{"seven octets", "3001880b000000", ErrShort},
		{"no room for the sequence number", "3001880b00000001000000", ErrShort},
		{"no room for the acknowledgment", "3081880b00000001000000010000", ErrShort},
		{"payload length beyond the packet", "3001880b0005000100000000deadbeef", ErrShort},
		{"largest payload length", "3001880bffff000100000000deadbeef", ErrShort},
		{"version 0", "3000880b0004000100000000deadbeef", ErrForeign},
		{"version 2", "3002880b0004000100000000deadbeef", ErrForeign},
		{"IP in GRE", "300108000004000100000000deadbeef", ErrForeign},
		{"no key", "1001880b0004000100000000deadbeef", ErrFlags},
		{"checksum", "b001880b0004000100000000deadbeef", ErrFlags},
		{"routing", "7001880b0004000100000000deadbeef", ErrFlags},
		{"strict source route", "3801880b0004000100000000deadbeef", ErrFlags},
		{"recursion", "3101880b0004000100000000deadbeef", ErrFlags},
		{"reserved flag", "3009880b0004000100000000deadbeef", ErrFlags},
		{"payload without number", "2001880b00040001deadbeef", ErrNoNumber},
		{"acknowledgment with payload without number", "2081880b0004000100000000deadbeef", ErrNoNumber},
	} {
		h, payload, err := Parse(unhex(t, tt.packet))
		if !errors.Is(err, tt.want) || h != (Header{}) || payload != nil {
			t.Errorf("%s: Parse = %+v, %x, %v; want %v", tt.name, h, payload, err, tt.want)
		}
	}
}

// The first packets of a session between pptp-linux 1.10 and pptpd 1.4.
func TestParseCaptured(t *testing.T) {
	for _, tt := range []struct {
		packet string
		header Header
		length int
	}{
		{"3001880b0018000000000001ff03c021010100140206000000000506aacee40d07020802", Header{HasSeq: true, Seq: 1}, 24},
		{"3001880b001dd8c100000000ff03c021010100190206000000000305c22381050686e0f35007020802", Header{CallID: 0xd8c1, HasSeq: true}, 29},
		{"2081880b0000d8c100000015", Header{CallID: 0xd8c1, HasAck: true, Ack: 21}, 0},
	} {
		h, payload, err := Parse(unhex(t, tt.packet))
		if err != nil || h != tt.header || len(payload) != tt.length {
			t.Errorf("Parse(%s) = %+v, %d octets, %v", tt.packet, h, len(payload), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"3001880b0004000100000000deadbeef", "3081880b00021234fffffffe00000007c021", "2081880b0000d8c10000000a", "2001880b0000ffff", "b001880b"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := Parse(b)
		if err != nil {
			if h != (Header{}) || payload != nil {
				t.Errorf("%x: a result beside the error %v", b, err)
			}
			return
		}
		out := make([]byte, MaxHeaderLen+len(payload))
		n := h.Put(out, len(payload))
		out = append(out[:n], payload...)
		if !bytes.HasPrefix(b, out) {
			t.Errorf("%x: written again as %x", b, out)
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	packet := make([]byte, 1500)
	s := NewSender(7, 0)
	b.ReportAllocs()
	for b.Loop() {
		h := s.Next(5, true)
		n := h.Put(packet, 1400)
		if _, _, err := Parse(packet[:n+1400]); err != nil {
			b.Fatal(err)
		}
	}
}
