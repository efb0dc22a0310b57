package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

var me = addr("192.168.13.240")

// ack makes the answer to request with options in hexadecimal; the end option
// is added.
func ack(request *dhcpv4.DHCPv4, options string) []byte {
	r, err := dhcpv4.NewReplyFromRequest(request, dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithClientIP(me.AsSlice()))
	if err != nil {
		panic(err)
	}
	b := r.ToBytes()
	b = b[:strings.LastIndexByte(string(b), 0xff)] // up to the end option
	o, err := hex.DecodeString(strings.ReplaceAll(options, " ", ""))
	if err != nil {
		panic(err)
	}
	return append(append(b, o...), 0xff)
}

func TestInformRequest(t *testing.T) {
	m, err := informRequest(me)
	if err != nil {
		t.Fatal(err)
	}
	// The one that goes over the wire, read back.
	m, err = dhcpv4.FromBytes(m.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	if m.OpCode != dhcpv4.OpcodeBootRequest || m.MessageType() != dhcpv4.MessageTypeInform || !m.ClientIPAddr.Equal(me.AsSlice()) || !m.YourIPAddr.IsUnspecified() {
		t.Errorf("%v", m.Summary())
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.GenericOptionCode(121), dhcpv4.GenericOptionCode(249), dhcpv4.GenericOptionCode(33), dhcpv4.GenericOptionCode(3), dhcpv4.GenericOptionCode(6), dhcpv4.GenericOptionCode(15)} {
		if !m.IsOptionRequested(code) {
			t.Errorf("option %d is not asked for", code.Code())
		}
	}
	if again, _ := informRequest(me); again.TransactionID == m.TransactionID {
		t.Error("two requests with one transaction ID")
	}
}

// show writes what was read of an answer as one line.
func show(in *informed) string {
	var list []string
	for _, o := range in.offers {
		s := strings.TrimPrefix(o.source, "dhcp option ") + " " + o.to.String()
		if o.via.IsValid() {
			s += " via " + o.via.String()
		}
		if o.instead != "" {
			s += " (" + o.instead + ")"
		}
		list = append(list, s)
	}
	for _, a := range in.dns {
		list = append(list, "dns "+a.String())
	}
	if in.domain != "" {
		list = append(list, "domain "+in.domain)
	}
	for _, s := range in.trouble {
		list = append(list, "! "+s)
	}
	return strings.Join(list, "; ")
}

func TestParseAnswer(t *testing.T) {
	const via = "c0a80dfe" // 192.168.13.254
	request, err := informRequest(me)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, options, want string
	}{
		{"nothing", "", ""},
		{"routes", "79 10 18c0a80d" + via + " 10ac10" + via + " 00", "! its DHCP option 121 is malformed and ignored: buffer too short at offset 16: have 0 bytes, want 4 bytes"},
		{"routes", "79 0f 18c0a80d" + via + " 10ac10" + via, "121 192.168.13.0/24 via 192.168.13.254; 121 172.16.0.0/16 via 192.168.13.254"},
		{"a default route", "79 05 00" + via, "121 0.0.0.0/0 via 192.168.13.254"},
		{"the pair", "79 0c 0100" + via + " 0180" + via, "121 0.0.0.0/1 via 192.168.13.254; 121 128.0.0.0/1 via 192.168.13.254"},
		{"bits beyond the mask", "79 07 0b acff" + via, "121 172.224.0.0/11 via 192.168.13.254"},
		{"on the link", "79 08 18c0a80e 00000000", "121 192.168.14.0/24"},
		{"one host", "79 09 20 0a010203" + via, "121 10.1.2.3/32 via 192.168.13.254"},
		{"in two options (RFC 3396)", "79 04 18c0a80d 79 04 " + via, "121 192.168.13.0/24 via 192.168.13.254"},
		{"a mask too long", "79 09 21 0a010203" + via, "! its DHCP option 121 is malformed and ignored: invalid mask length 33 in route option"},
		{"cut off", "79 06 18c0a80d c0a8", "! its DHCP option 121 is malformed and ignored: buffer too short at offset 4: have 2 bytes, want 4 bytes"},
		{"an empty option", "79 00", ""},
		{"Microsoft's alone", "f9 08 18c0a80d" + via, "249 192.168.13.0/24 via 192.168.13.254"},
		{"both", "79 08 18c0a80d" + via + "f9 07 10ac10" + via,
			"121 192.168.13.0/24 via 192.168.13.254; 249 172.16.0.0/16 via 192.168.13.254 (DHCP option 121 counts instead)"},
		{"121 unreadable, 249 fine", "79 01 18 f9 08 18c0a80d" + via,
			"249 192.168.13.0/24 via 192.168.13.254; ! its DHCP option 121 is malformed and ignored: buffer too short at offset 1: have 0 bytes, want 3 bytes"},
		{"class-based", "21 10 0a000c77" + via + "c0a80e05" + via, "33 10.0.0.0/8 via 192.168.13.254; 33 192.168.14.0/24 via 192.168.13.254"},
		{"class-based default", "21 08 00000000" + via, "33 0.0.0.0/0 via 192.168.13.254"},
		{"class-based multicast", "21 08 e0000001" + via, ""},
		{"half a pair", "21 0c 0a000c77" + via + "c0a80e05", "! its DHCP option 33 is malformed and ignored: 12 octets are no pairs of addresses"},
		{"routers", "03 08 " + via + "c0a80dfd", "3 0.0.0.0/0 via 192.168.13.254; 3 0.0.0.0/0 via 192.168.13.253"},
		{"a router beside routes", "03 04 " + via + "79 08 18c0a80d" + via,
			"121 192.168.13.0/24 via 192.168.13.254; 3 0.0.0.0/0 via 192.168.13.254 (DHCP option 121 counts instead)"},
		{"half a router", "03 03 c0a80d", "! its DHCP option 3 is malformed and ignored: 3 octets are no addresses"},
		{"names", "06 08 c0a80d01 00000000 0f 0c 6c61622e6578616d706c6500", "dns 192.168.13.1; domain lab.example"},
		{"half a name server", "06 05 c0a80d0100", "! its DHCP option 6 is malformed and ignored: 5 octets are no addresses"},
		{"a domain that is none", "0f 08 61200a1b5b306d62", "! its DHCP option 15 is malformed and ignored: not a domain"},
		{"an option past the end", "79 ff 18c0a80d", "! its answer to DHCPINFORM is malformed: error collecting options: buffer too short at offset 21: have 5 bytes, want 255 bytes"},
	} {
		got, ok := parseAnswer(ack(request, c.options), request)
		if !ok {
			t.Errorf("%s: no answer", c.what)
			continue
		}
		if s := show(got); s != c.want {
			// How the library counts is its own affair.
			if head, _, found := strings.Cut(c.want, " at offset"); !found || !strings.HasPrefix(s, head) {
				t.Errorf("%s:\n got %s\nwant %s", c.what, s, c.want)
			}
		}
	}
}

func TestTooManyOffers(t *testing.T) {
	in := readOptions(dhcpv4.Options{121: []byte(strings.Repeat("\x00\x0a\x00\x00\x01", 3*maxOffers))})
	if len(in.offers) != maxOffers || !reflect.DeepEqual(in.trouble, []string{tooMany}) {
		t.Errorf("%d offers, %q", len(in.offers), in.trouble)
	}
}

func TestNotTheAnswer(t *testing.T) {
	request, err := informRequest(me)
	if err != nil {
		t.Fatal(err)
	}
	good := ack(request, "79 05 00c0a80dfe")
	if _, ok := parseAnswer(good, request); !ok {
		t.Fatal("the answer itself is not taken")
	}
	for what, spoil := range map[string]func(b []byte) []byte{
		"empty":               func(b []byte) []byte { return nil },
		"short":               func(b []byte) []byte { return b[:239] },
		"a request":           func(b []byte) []byte { b[0] = 1; return b },
		"another transaction": func(b []byte) []byte { b[4]++; return b },
		"another's":           func(b []byte) []byte { b[28]++; return b },
		"another's address":   func(b []byte) []byte { b[15]++; return b },
		"an offer":            func(b []byte) []byte { b[242] = 2; return b },
	} {
		if in, ok := parseAnswer(spoil(append([]byte(nil), good...)), request); ok {
			t.Errorf("%s is taken: %s", what, show(in))
		}
	}
}

// wire is a net.PacketConn in memory, with the server's half of it.
type wire struct {
	in, out chan []byte
	mu      sync.Mutex
	read    time.Time     // deadline
	moved   chan struct{} // closed when it is
}

func newWire() *wire {
	return &wire{in: make(chan []byte, 8), out: make(chan []byte, 8), moved: make(chan struct{})}
}

type timeout struct{}

func (timeout) Error() string   { return "timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		w.mu.Lock()
		until, moved := w.read, w.moved
		w.mu.Unlock()
		var late <-chan time.Time
		if !until.IsZero() {
			late = time.After(time.Until(until))
		}
		select {
		case p := <-w.in:
			return copy(b, p), &net.UDPAddr{}, nil
		case <-late:
			return 0, nil, timeout{}
		case <-moved:
		}
	}
}

func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	if to.String() != "255.255.255.255:67" {
		return 0, fmt.Errorf("sent to %v", to)
	}
	w.out <- append([]byte(nil), b...)
	return len(b), nil
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = t
	close(w.moved)
	w.moved = make(chan struct{})
	return nil
}

func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (w *wire) SetDeadline(t time.Time) error    { return w.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// asked reads the next question.
func (w *wire) asked(t *testing.T) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.FromBytes(<-w.out)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestInform: the first two questions are lost; of what comes then only the
// answer is taken.
func TestInform(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		go func() {
			w.asked(t)
			w.asked(t)
			m := w.asked(t)
			w.in <- []byte("noise")
			other := *m
			other.TransactionID[0]++
			w.in <- ack(&other, "79 05 00c0a80dfe")
			w.in <- ack(m, "79 08 18c0a80d c0a80dfe")
		}()
		start := time.Now()
		in, err := inform(t.Context(), w, me)
		if err != nil || show(in) != "121 192.168.13.0/24 via 192.168.13.254" {
			t.Errorf("%v, %v", in, err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("the third question after %v", took)
		}
	})
}

func TestInformUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		start := time.Now()
		if _, err := inform(t.Context(), w, me); !errors.Is(err, errNoAnswer) {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took != 15*time.Second || len(w.out) != len(informWaits) {
			t.Errorf("%d questions, %v", len(w.out), took)
		}
	})
}

func TestInformCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := inform(ctx, newWire(), me); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	request, err := informRequest(me)
	if err != nil {
		f.Fatal(err)
	}
	request.TransactionID = dhcpv4.TransactionID{1, 2, 3, 4}
	f.Add(ack(request, "79 0f 18c0a80d c0a80dfe 10ac10 c0a80dfe 06 04 c0a80d01 0f 0b 6c61622e6578616d706c65"))
	f.Add(ack(request, "21 10 0a000c77c0a80dfe c0a80e05c0a80dfe 03 04 c0a80dfe f9 05 00c0a80dfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 8 { // so that more than one in four thousand million gets further
			copy(b[4:8], request.TransactionID[:])
		}
		in, ok := parseAnswer(b, request)
		if !ok {
			return
		}
		if len(in.offers) > maxOffers || len(in.dns) > maxNameServers {
			t.Fatalf("%d offers, %d name servers", len(in.offers), len(in.dns))
		}
		for _, o := range in.offers {
			if !o.to.IsValid() || !o.to.Addr().Is4() || o.to != o.to.Masked() || o.via.IsValid() && !o.via.Is4() {
				t.Fatalf("offer %+v", o)
			}
		}
		for _, s := range append(in.trouble, in.domain) {
			if strings.ContainsAny(s, "\x1b\n\x00") {
				t.Fatalf("%q", s)
			}
		}
	})
}

var _ net.PacketConn = (*wire)(nil)
