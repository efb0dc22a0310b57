package ppp

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// unhex reads hexadecimal digits, with spaces anywhere.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		name      string
		frame     string
		p         Protocol
		info      string
		acfc, pfc bool // with which AppendFrame gives frame
	}{
		{"full", "ff03 c021 01", ProtocolLCP, "01", false, false},
		{"LCP is never compressed", "ff03 c021 01", ProtocolLCP, "01", true, true},
		{"no address", "c223 01", ProtocolCHAP, "01", true, false},
		{"IP", "ff03 0021 45", ProtocolIP, "45", false, false},
		{"IP, short protocol", "ff03 21 45", ProtocolIP, "45", false, true},
		{"IP, all short", "21 45", ProtocolIP, "45", true, true},
		{"MPPE", "fd 9000", ProtocolMPPE, "9000", true, true},
		{"control protocols have two octets", "80fd 01", ProtocolCCP, "01", true, true},
		{"nothing in it", "ff03 0021", ProtocolIP, "", false, false},
		{"information like an address", "0021 ff03", ProtocolIP, "ff03", true, false},
	} {
		frame, info := unhex(t, tt.frame), unhex(t, tt.info)
		p, got, err := ParseFrame(frame)
		if err != nil || p != tt.p || !bytes.Equal(got, info) {
			t.Errorf("%s: ParseFrame(%x) = %v, %x, %v", tt.name, frame, p, got, err)
		}
		if got := AppendFrame(nil, tt.p, info, tt.acfc, tt.pfc); !bytes.Equal(got, frame) {
			t.Errorf("%s: AppendFrame = %x, want %x", tt.name, got, frame)
		}
	}
	for _, bad := range []string{"", "ff", "ff03", "00", "ff03 00", "0020", "ff03 c0 22", "ff02"} {
		frame := unhex(t, bad)
		if p, _, err := ParseFrame(frame); err == nil {
			t.Errorf("ParseFrame(%q) = %v, want an error", bad, p)
		}
	}
}

func TestPackets(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want Packet
	}{
		{"01 01 0004", Packet{ConfigureRequest, 1, nil}},
		{"05 ff 0008 62796521", Packet{TerminateRequest, 255, []byte("bye!")}},
	} {
		raw := unhex(t, tt.raw)
		got, err := ParsePacket(raw)
		if err != nil || got.Code != tt.want.Code || got.ID != tt.want.ID || !bytes.Equal(got.Data, tt.want.Data) {
			t.Errorf("ParsePacket(%s) = %v, %v", tt.raw, got, err)
		}
		if b := AppendPacket(nil, tt.want); !bytes.Equal(b, raw) {
			t.Errorf("AppendPacket(%v) = %x, want %s", tt.want, b, tt.raw)
		}
		padded, err := ParsePacket(append(bytes.Clone(raw), 0, 0))
		if err != nil || !bytes.Equal(padded.Data, tt.want.Data) {
			t.Errorf("%s with padding: %v, %v", tt.raw, padded, err)
		}
	}
	for _, bad := range []string{"", "01", "010100", "01010003", "01010005", "0101ffff00"} {
		if p, err := ParsePacket(unhex(t, bad)); err == nil {
			t.Errorf("ParsePacket(%q) = %v, want an error", bad, p)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want []Option
	}{
		{"", nil},
		{"0702", []Option{{Type: OptionPFC, Value: []byte{}}}},
		{"0104 0578 0506 86e0f350", []Option{option16(OptionMRU, 1400), option32(OptionMagic, 0x86e0f350)}},
		{"6303 aa", []Option{{99, []byte{0xaa}}}},
	} {
		raw := unhex(t, tt.raw)
		got, err := ParseOptions(raw)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseOptions(%s) = %v, %v; want %v", tt.raw, got, err, tt.want)
		}
		if b := AppendOptions(nil, tt.want); !bytes.Equal(b, raw) {
			t.Errorf("AppendOptions(%v) = %x, want %s", tt.want, b, tt.raw)
		}
	}
	for _, bad := range []string{"07", "0700", "0701", "0703", "0702 01", "0104 05"} {
		if got, err := ParseOptions(unhex(t, bad)); err == nil {
			t.Errorf("ParseOptions(%q) = %v, want an error", bad, got)
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, s := range []string{"ff03c021 0101000a 0506 86e0f350", "21 45", "fd9000", "ff03 80fd 0101000a 1206 01000040", ""} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		Describe(frame)
		p, info, err := ParseFrame(frame)
		if err != nil {
			return
		}
		for _, form := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
			q, again, err := ParseFrame(AppendFrame(nil, p, info, form[0], form[1]))
			if err != nil || q != p || !bytes.Equal(again, info) {
				t.Fatalf("%x in form %v: %v %x %v", frame, form, q, again, err)
			}
		}
		pkt, err := ParsePacket(info)
		if err != nil {
			return
		}
		if b := AppendPacket(nil, pkt); !bytes.HasPrefix(info, b) {
			t.Fatalf("packet of %x became %x", info, b)
		}
		if opts, err := ParseOptions(pkt.Data); err == nil {
			if b := AppendOptions(nil, opts); !bytes.Equal(b, pkt.Data) {
				t.Fatalf("options %x became %x", pkt.Data, b)
			}
		}
	})
}

func TestMPPEWords(t *testing.T) {
	for _, tt := range []struct {
		bits mppeBits
		want string
	}{
		{0, "none"},
		{0x01000040, "128-bit stateless"},
		{0x00000040, "128-bit stateful"},
		{0x01000060, "40 or 128-bit stateless"},
		{0x010000e0, "40 or 56 or 128-bit stateless"},
		{0x00000001, "none"}, // MPPC is no encryption
	} {
		if got := tt.bits.String(); got != tt.want {
			t.Errorf("%#08x: %q, want %q", uint32(tt.bits), got, tt.want)
		}
	}
	if got, want := (MPPE{Bits: []int{40, 128}, Stateful: true}).words(), "40 or 128-bit stateful or stateless"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
