package server

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
)

const (
	dhcpHeader   = 240 // octets before the options, the magic cookie included
	dhcpCookie   = 0x63825363
	dhcpReply    = 2
	optionDNS    = 6
	optionDomain = 15
	optionType   = 53
	optionServer = 54
	optionRoutes = 121
	optionMS     = 249
	optionEnd    = 255
)

// inform makes a DHCPINFORM of the client at addr, as Windows sends it over PPP.
func inform(addr netip.Addr, options string) []byte {
	b := make([]byte, dhcpHeader)
	b[0], b[1], b[2] = 1, 8, 6
	binary.BigEndian.PutUint32(b[4:], 0xfeedbeef)
	a := addr.As4()
	copy(b[12:], a[:])
	copy(b[28:], "\x00\x53\x45\x00\x00\x00")
	binary.BigEndian.PutUint32(b[236:], dhcpCookie)
	o, err := hex.DecodeString(strings.ReplaceAll(options, " ", ""))
	if err != nil {
		panic(err)
	}
	return append(b, o...)
}

// wholeInform asks for routers, DNS, and both kinds of routes.
const wholeInform = "350108 3c084d53465420352e30 3704 03 06 79 f9 ff"

func options(t *testing.T, reply []byte) map[byte][]byte {
	t.Helper()
	out := map[byte][]byte{}
	for o := reply[dhcpHeader:]; o[0] != optionEnd; o = o[2+int(o[1]):] {
		out[o[0]] = append(out[o[0]], o[2:2+int(o[1])]...)
	}
	return out
}

func TestInformReply(t *testing.T) {
	request := inform(ip("192.168.13.240"), wholeInform)
	routes := []netip.Prefix{netip.MustParsePrefix("192.168.13.0/24"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("10.0.0.0/8")}
	a := &informAnswer{ip("192.168.13.254"), ip("192.168.13.240"), []netip.Addr{ip("192.168.13.1")}, "lab.example", routes}
	b, _, err := a.reply(request)
	if err != nil {
		t.Fatal(err)
	}
	if b[0] != dhcpReply || !bytes.Equal(b[1:8], request[1:8]) || !bytes.Equal(b[12:16], []byte{192, 168, 13, 240}) || !bytes.Equal(b[28:44], request[28:44]) ||
		binary.BigEndian.Uint32(b[236:]) != dhcpCookie || len(b) < 300 {
		t.Errorf("header %x", b[:dhcpHeader])
	}
	if yiaddr := binary.BigEndian.Uint32(b[16:]); yiaddr != 0 {
		t.Errorf("yiaddr %08x: an answer to DHCPINFORM gives no address (RFC 2131, Section 4.3.5)", yiaddr)
	}
	// RFC 3442: width, the octets that matter, router.
	encoded := "18c0a80d c0a80dfe 0cac10 c0a80dfe 200a010203 c0a80dfe 080a c0a80dfe"
	got := options(t, b)
	for code, want := range map[byte]string{
		optionType: "05", optionServer: "c0a80dfe", optionDNS: "c0a80d01", optionRoutes: encoded, optionMS: encoded,
		optionDomain: hex.EncodeToString([]byte("lab.example")),
	} {
		if w := strings.ReplaceAll(want, " ", ""); hex.EncodeToString(got[code]) != w {
			t.Errorf("option %d is %x, want %s", code, got[code], w)
		}
	}
	if _, lease := got[51]; lease {
		t.Error("an answer to DHCPINFORM has no lease time (RFC 2131, Section 4.3.5)")
	}
}

func TestInformReplySplitsLongOptions(t *testing.T) {
	var routes []netip.Prefix
	for i := range 60 {
		routes = append(routes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24))
	}
	a := &informAnswer{local: ip("10.9.9.1"), peer: ip("10.9.9.9"), routes: routes}
	b, _, err := a.reply(inform(ip("10.9.9.9"), wholeInform))
	if err != nil {
		t.Fatal(err)
	}
	if got := options(t, b)[optionRoutes]; !bytes.Equal(got, classlessRoutes(routes, ip("10.9.9.1"))) {
		t.Errorf("%d octets of routes, want %d", len(got), len(routes)*8)
	}
	if _, there := options(t, b)[optionDNS]; there {
		t.Error("an empty list of name servers was sent")
	}
}

// TestInformReplyFits: a client is told no more than it has room for, and in
// the notation it knows.
func TestInformReplyFits(t *testing.T) {
	var routes []netip.Prefix
	for i := range 200 {
		routes = append(routes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24))
	}
	for name, c := range map[string]struct {
		options string
		size    int  // of the datagram, at most
		ms      bool // option 249 is the one that counts
		both    bool // and the other is there too
		whole   bool // with all routes
	}{
		"nothing said":       {"350108 3704 03 06 79 f9 ff", 1500, false, false, false},
		"the least":          {"350108 39020240 3701 79 ff", 576, false, false, false},
		"too little":         {"350108 39020010 3701 79 ff", 576, false, false, false},
		"old, and the least": {"350108 39020240 3701 f9 ff", 576, true, false, false},
		"room for one":       {"350108 39020800 3702 79 f9 ff", 2048, false, false, true},
		"plenty":             {"350108 3902ffff 3702 79 f9 ff", 65535, false, true, true},
	} {
		a := &informAnswer{local: ip("10.9.9.1"), peer: ip("10.9.9.9"), routes: routes}
		b, dropped, err := a.reply(inform(ip("10.9.9.9"), c.options))
		if err != nil {
			t.Fatal(name, err)
		}
		counts, other := options(t, b)[optionRoutes], options(t, b)[optionMS]
		if c.ms {
			counts, other = other, counts
		}
		size := len(b) + 28
		if !bytes.Equal(counts, classlessRoutes(routes[:200-dropped], ip("10.9.9.1"))) || c.both != (len(other) > 0) || c.whole != (dropped == 0) {
			t.Errorf("%s: %d dropped, %d octets of routes, %d in the other option", name, dropped, len(counts), len(other))
		}
		if size > c.size || !c.whole && c.size-size > 30 {
			t.Errorf("%s: %d octets, of %d", name, size, c.size)
		}
	}
}

func TestNotInform(t *testing.T) {
	good := inform(ip("10.9.9.9"), wholeInform)
	for name, spoil := range map[string]func([]byte) []byte{
		"short":           func(b []byte) []byte { return b[:dhcpHeader-1] },
		"a reply":         func(b []byte) []byte { b[0] = dhcpReply; return b },
		"another cookie":  func(b []byte) []byte { b[236]++; return b },
		"a discover":      func(b []byte) []byte { b[dhcpHeader+2] = 1; return b },
		"no options":      func(b []byte) []byte { return b[:dhcpHeader] },
		"half an option":  func(b []byte) []byte { return b[:dhcpHeader+2] },
		"an empty option": func(b []byte) []byte { b[dhcpHeader+1] = 0; return b[:dhcpHeader+2] },
	} {
		a := &informAnswer{local: ip("10.9.9.1"), peer: ip("10.9.9.9")}
		if _, _, err := a.reply(spoil(bytes.Clone(good))); err == nil {
			t.Errorf("%s was answered", name)
		}
	}
}

func TestPushRoutes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig+"push_routes: [192.168.13.0/24]\n", Limits{})
		defer r.stop()
		r.dhcp = newMemoryUDP()
		d := r.dial(dialOptions{user: "ann", pass: "secret"})
		d.wantUp(t)
		me := d.network.Local
		r.dhcp.in <- datagram{[]byte("noise"), netip.AddrPortFrom(me, 68)}
		r.dhcp.in <- datagram{inform(me, wholeInform), netip.AddrPortFrom(ip("192.168.13.77"), 68)} // somebody else
		r.dhcp.in <- datagram{inform(me, wholeInform), netip.AddrPortFrom(me, 68)}
		answer := <-r.dhcp.out
		if answer.addr != netip.AddrPortFrom(me, 68) {
			t.Errorf("the answer goes to %v", answer.addr)
		}
		if got := options(t, answer.data)[optionRoutes]; hex.EncodeToString(got) != "18c0a80dc0a80dfe" {
			t.Errorf("routes %x", got)
		}
		synctest.Wait()
		if len(r.dhcp.out) != 0 {
			t.Error("more was answered than the client's own request")
		}
		d.hangUp()
		synctest.Wait()
		select {
		case <-r.dhcp.closed:
		default:
			t.Error("the socket stays when the session is over")
		}
	})
}

func FuzzInformReply(f *testing.F) {
	f.Add(inform(ip("192.168.13.240"), wholeInform))
	f.Add(inform(ip("192.168.13.240"), "00 00 35"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &informAnswer{local: ip("10.0.0.1"), peer: ip("10.0.0.2")}
		reply, _, err := a.reply(b)
		if err == nil && (len(reply) < 300 || !bytes.Equal(reply[4:8], b[4:8])) {
			t.Fatalf("answer %x", reply)
		}
	})
}
