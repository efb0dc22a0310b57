package pptp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

// captured returns the messages of testdata/captured.txt by name, with the call numbered id.
func captured(t testing.TB) map[string][]byte {
	t.Helper()
	file, err := os.ReadFile("testdata/captured.txt")
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string][]byte{}
	for line := range strings.Lines(string(file)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, octets, ok := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(octets)
		if !ok || err != nil {
			t.Fatalf("testdata/captured.txt: %q: %v", line, err)
		}
		messages[name] = b
	}
	return messages
}

func TestCaptured(t *testing.T) {
	want := map[string]Message{
		"client-start-request": &StartControlConnectionRequest{Version: Version1, Framing: 3, Bearer: 3, MaxChannels: 0xffff, Firmware: 1, HostName: "local", Vendor: "cananian"},
		"server-start-reply":   &StartControlConnectionReply{Version: Version1, Result: StartOK, MaxChannels: 1, Firmware: 1, HostName: "local", Vendor: "linux"},
		"client-call-request":  &OutgoingCallRequest{CallID: 55489, MinBPS: 2400, MaxBPS: 10000000, Bearer: 3, Framing: 3, Window: 3},
		"server-call-reply":    &OutgoingCallReply{PeerCallID: 55489, Result: CallOK, Speed: 10000000, Window: 3},
		"client-echo-request":  &EchoRequest{Identifier: 1},
		"server-echo-reply":    &EchoReply{Identifier: 1, Result: EchoOK},
		"client-call-clear":    &CallClearRequest{CallID: 55489},
		"server-disconnect":    &CallDisconnectNotify{CallID: 55489, Result: DisconnectAdminShutdown},
		"server-stop-request":  &StopControlConnectionRequest{Reason: StopNone},
		"client-stop-reply":    &StopControlConnectionReply{Result: StopOK},
	}
	messages := captured(t)
	if len(messages) != len(want) {
		t.Errorf("%d messages in the file, %d expected", len(messages), len(want))
	}
	for name, octets := range messages {
		m, n, err := Parse(octets)
		if err != nil || n != len(octets) || !reflect.DeepEqual(m, want[name]) {
			t.Errorf("%s: Parse = %v, %d, %v; want %v", name, m, n, err, want[name])
		}
		if got := Append(nil, want[name]); !bytes.Equal(got, octets) {
			t.Errorf("%s: Append = %x, want %x", name, got, octets)
		}
	}
}

// every is each message once, with a different value in each field.
var every = []struct {
	message Message
	octets  string // behind the header; text fields as (name/size)
}{
	{&StartControlConnectionRequest{0x0102, 1, 2, 0x0304, 0x0506, "host", "maker"}, "0102 0000 00000001 00000002 0304 0506 (host/64) (maker/64)"},
	{&StartControlConnectionReply{0x0102, 3, 4, 1, 2, 0x0304, 0x0506, "host", "maker"}, "0102 03 04 00000001 00000002 0304 0506 (host/64) (maker/64)"},
	{&StopControlConnectionRequest{3}, "03 00 0000"},
	{&StopControlConnectionReply{2, 6}, "02 06 0000"},
	{&EchoRequest{0x01020304}, "01020304"},
	{&EchoReply{0x01020304, 2, 5}, "01020304 02 05 0000"},
	{&OutgoingCallRequest{0x0102, 0x0304, 0x05060708, 0x090a0b0c, 1, 2, 0x0d0e, 0x0f10, "5551234", "sub"},
		"0102 0304 05060708 090a0b0c 00000001 00000002 0d0e 0f10 0007 0000 (5551234/64) (sub/64)"},
	{&OutgoingCallReply{0x0102, 0x0304, 4, 5, 0x0607, 0x08090a0b, 0x0c0d, 0x0e0f, 0x10111213}, "0102 0304 04 05 0607 08090a0b 0c0d 0e0f 10111213"},
	{&IncomingCallRequest{0x0102, 0x0304, 2, 0x05060708, "555", "4321", "sub"}, "0102 0304 00000002 05060708 0003 0004 (555/64) (4321/64) (sub/64)"},
	{&IncomingCallReply{0x0102, 0x0304, 3, 4, 0x0506, 0x0708}, "0102 0304 03 04 0506 0708 0000"},
	{&IncomingCallConnected{0x0102, 0x03040506, 0x0708, 0x090a, 2}, "0102 0000 03040506 0708 090a 00000002"},
	{&CallClearRequest{0x0102}, "0102 0000"},
	{&CallDisconnectNotify{0x0102, 4, 5, 0x0607, "octets: 12"}, "0102 04 05 0607 0000 (octets: 12/128)"},
	{&WANErrorNotify{0x0102, WANErrors{1, 2, 3, 4, 5, 6}}, "0102 0000 00000001 00000002 00000003 00000004 00000005 00000006"},
	{&SetLinkInfo{0x0102, 0x03040506, 0x0708090a}, "0102 0000 03040506 0708090a"},
}

// expand turns the notation of every into octets.
func expand(t *testing.T, s string) []byte {
	t.Helper()
	var b []byte
	for s != "" {
		if s[0] == '(' {
			field, rest, _ := strings.Cut(s[1:], ")")
			value, size, _ := strings.Cut(field, "/")
			n := map[string]int{"64": 64, "128": 128}[size]
			b = append(append(b, value...), make([]byte, n-len(value))...)
			s = rest
		} else {
			field, rest, _ := strings.Cut(s, " ")
			octets, err := hex.DecodeString(field)
			if err != nil {
				t.Fatalf("%q: %v", field, err)
			}
			b = append(b, octets...)
			s = rest
		}
		s = strings.TrimSpace(s)
	}
	return b
}

func TestMessages(t *testing.T) {
	for i, tt := range every {
		m := tt.message
		if want := MessageType(i + 1); m.Type() != want {
			t.Errorf("%T: Type = %d, want %d", m, m.Type(), want)
		}
		body := expand(t, tt.octets)
		octets := binary.BigEndian.AppendUint16(nil, uint16(12+len(body)))
		octets = append(octets, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, byte(i+1), 0, 0)
		octets = append(octets, body...)
		if got := Append([]byte("before"), m); string(got) != "before"+string(octets) {
			t.Errorf("%v: Append = %x, want %x", m.Type(), got[6:], octets)
		}
		got, n, err := Parse(append(bytes.Clone(octets), "behind"...))
		if err != nil || n != len(octets) || !reflect.DeepEqual(got, m) {
			t.Errorf("%v: Parse = %v, %d, %v", m, got, n, err)
		}
		for cut := range octets {
			if _, _, err := Parse(octets[:cut]); err != ErrIncomplete {
				t.Errorf("%v: the first %d octets: %v", m.Type(), cut, err)
			}
		}
		for _, d := range []int{-1, 1} {
			wrong := append(bytes.Clone(octets), 0)
			binary.BigEndian.PutUint16(wrong, uint16(len(octets)+d))
			if _, _, err := Parse(wrong); !errors.Is(err, ErrLength) {
				t.Errorf("%v: length %+d: %v", m.Type(), d, err)
			}
		}
		if s := m.String(); !strings.HasPrefix(s, m.Type().String()+" ") || strings.Contains(s, "%!") || strings.Contains(s, "\n") {
			t.Errorf("%v: String = %q", m.Type(), s)
		}
	}
	if len(every) != len(messageTypeNames)-1 {
		t.Errorf("%d messages tried of %d", len(every), len(messageTypeNames)-1)
	}
}

// Peers leave all manner of things in fields that mean nothing.
func TestReservedIgnored(t *testing.T) {
	octets := Append(nil, &EchoReply{Identifier: 7, Result: EchoOK})
	for _, i := range []int{10, 11, 18, 19} {
		octets[i] = 0xff
	}
	m, _, err := Parse(octets)
	if err != nil || !reflect.DeepEqual(m, &EchoReply{Identifier: 7, Result: EchoOK}) {
		t.Errorf("Parse = %v, %v", m, err)
	}
}

func TestTextFields(t *testing.T) {
	long := strings.Repeat("x", 70)
	octets := Append(nil, &StartControlConnectionRequest{HostName: long, Vendor: long[:64]})
	m, _, err := Parse(octets)
	if got := m.(*StartControlConnectionRequest); err != nil || got.HostName != long[:64] || got.Vendor != long[:64] {
		t.Errorf("Parse = %v, %v", m, err)
	}
	copy(octets[28:], "host\x00junk")
	if m, _, _ = Parse(octets); m.(*StartControlConnectionRequest).HostName != "host" {
		t.Errorf("junk behind the zero: %v", m)
	}

	octets = Append(nil, &OutgoingCallRequest{Phone: long})
	if octets[37] != 64 {
		t.Errorf("phone number length %d", octets[37])
	}
	octets[36] = 0xff // a length of 65344
	if m, _, _ = Parse(octets); m.(*OutgoingCallRequest).Phone != long[:64] {
		t.Errorf("a phone number longer than its field: %v", m)
	}
	octets[36], octets[37] = 0, 3
	if m, _, _ = Parse(octets); m.(*OutgoingCallRequest).Phone != "xxx" {
		t.Errorf("a phone number shorter than its field: %v", m)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		octets string
		want   error
	}{
		{"HTTP", hex.EncodeToString([]byte("GET / HTTP/1.1\r\n")), ErrMagic},
		{"TLS", "1603010200010001fc0303", ErrMagic},
		{"cookie off by one", "001000011a2b3c4e0005000000000001", ErrMagic},
		{"length 0", "000000011a2b3c4d", ErrLength},
		{"length 7", "000700011a2b3c4d", ErrLength},
		{"length 221", "00dd00011a2b3c4d", ErrLength},
		{"length 65535", "ffff00011a2b3c4d", ErrLength},
		{"control message of 8", "000800011a2b3c4d", ErrLength},
		{"unknown control message of 221", "00dd00011a2b3c4d00100000", ErrLength},
		{"half a header", "00100001", ErrIncomplete},
		{"nothing", "", ErrIncomplete},
	} {
		b, _ := hex.DecodeString(tt.octets)
		if m, n, err := Parse(b); !errors.Is(err, tt.want) || m != nil || err != ErrIncomplete && n != 0 && m != nil {
			t.Errorf("%s: Parse = %v, %d, %v; want %v", tt.name, m, n, err, tt.want)
		}
	}
}

func TestParseUnknown(t *testing.T) {
	for _, tt := range []struct {
		octets string
		want   *Unknown
		text   string
	}{
		{"001000011a2b3c4d0010000001020304", &Unknown{1, 16, []byte{1, 2, 3, 4}}, "control message type 16, 16 octets"},
		{"000c00011a2b3c4d00000000", &Unknown{1, 0, []byte{}}, "control message type 0, 12 octets"},
		{"000e00021a2b3c4d000500000102", &Unknown{2, 0, []byte{0, 5, 0, 0, 1, 2}}, "PPTP message type 2, 14 octets"},
		{"000800021a2b3c4d", &Unknown{2, 0, []byte{}}, "PPTP message type 2, 8 octets"},
	} {
		b, _ := hex.DecodeString(tt.octets)
		m, n, err := Parse(append(bytes.Clone(b), 0xff))
		if err != nil || n != len(b) || !reflect.DeepEqual(m, tt.want) {
			t.Errorf("%s: Parse = %#v, %d, %v", tt.octets, m, n, err)
			continue
		}
		if got := Append(nil, m); !bytes.Equal(got, b) {
			t.Errorf("%s: Append = %x", tt.octets, got)
		}
		if got := m.String(); got != tt.text {
			t.Errorf("%s: %q, want %q", tt.octets, got, tt.text)
		}
	}
}

// What is parsed can be written, and reads the same again.
func FuzzParse(f *testing.F) {
	for _, octets := range captured(f) {
		f.Add(octets)
	}
	for _, tt := range every {
		f.Add(Append(nil, tt.message))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add([]byte{0, 14, 0, 2, 0x1a, 0x2b, 0x3c, 0x4d, 0, 5, 0, 0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := Parse(b)
		if err != nil {
			if m != nil || errors.Is(err, ErrIncomplete) && len(b) >= MaxMessageLen {
				t.Fatalf("%x: Parse = %v, %v", b, m, err)
			}
			return
		}
		if n < minMessageLen || n > min(len(b), MaxMessageLen) {
			t.Fatalf("%x: length %d", b, n)
		}
		if s := m.String(); strings.ContainsAny(s, "\n\x1b") {
			t.Errorf("%x: String = %q", b, s)
		}
		out := Append(nil, m)
		if len(out) != n {
			t.Fatalf("%x: written with %d octets, not %d", b, len(out), n)
		}
		again, _, err := Parse(out)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%x: %v, and again %v, %v", b, m, again, err)
		}
	})
}
