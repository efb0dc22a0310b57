//go:build linux

package inside

import (
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"

	"goppptp/internal/control"
)

// pushServer answers DHCPINFORM at the server with these options, in
// hexadecimal, whatever they are. It returns how often it was asked.
func (p *place) pushServer(options string) func() int {
	p.t.Helper()
	more, err := hex.DecodeString(strings.ReplaceAll(options, " ", ""))
	if err != nil {
		p.t.Fatal(err)
	}
	var conn net.PacketConn
	err = p.net.Server.Do(func() (err error) {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1) })
		}}
		conn, err = lc.ListenPacket(p.t.Context(), "udp4", ":67")
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	var mu sync.Mutex
	asked := 0
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			request, err := dhcpv4.FromBytes(buf[:n])
			if err != nil || request.MessageType() != dhcpv4.MessageTypeInform {
				continue
			}
			mu.Lock()
			asked++
			mu.Unlock()
			reply, err := dhcpv4.NewReplyFromRequest(request, dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithClientIP(request.ClientIPAddr))
			if err != nil {
				continue
			}
			b := reply.ToBytes()
			b = append(b[:strings.LastIndexByte(string(b), 0xff)], more...)
			conn.WriteTo(append(b, 0xff), &net.UDPAddr{IP: from.(*net.UDPAddr).IP, Port: 68})
		}
	})
	p.t.Cleanup(func() {
		conn.Close()
		reader.Wait()
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

// monitor records every route that is added at the client from now on: its
// subnet.
func (p *place) monitor() func() []string {
	p.t.Helper()
	updates, done := make(chan netlink.RouteUpdate, 1024), make(chan struct{})
	err := p.net.Client.Do(func() error { return netlink.RouteSubscribe(updates, done) })
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { close(done) })
	var mu sync.Mutex
	seen := map[string]bool{}
	go func() {
		for u := range updates {
			if u.Type != syscall.RTM_NEWROUTE || u.Table != 254 || u.Dst != nil && u.Dst.IP.To4() == nil {
				continue
			}
			to := "default"
			if u.Dst != nil {
				to = u.Dst.String()
			}
			mu.Lock()
			seen[to] = true
			mu.Unlock()
		}
	}()
	return func() (list []string) {
		mu.Lock()
		defer mu.Unlock()
		for to := range seen {
			list = append(list, to)
		}
		slices.Sort(list)
		return list
	}
}

const via = "c0a80dfe" // 192.168.13.254

// option is a DHCP option with these routes through 192.168.13.254, in
// hexadecimal; where it is too long for one, in several (RFC 3396).
func option(code byte, routes ...string) string {
	var list dhcpv4.Routes
	for _, r := range routes {
		_, to, err := net.ParseCIDR(r)
		if err != nil {
			panic(err)
		}
		list = append(list, &dhcpv4.Route{Dest: to, Router: net.IPv4(192, 168, 13, 254)})
	}
	var s strings.Builder
	for part := range slices.Chunk(list.ToBytes(), 255) {
		fmt.Fprintf(&s, "%02x%02x%x", code, len(part), part)
	}
	return s.String()
}

// twoHundred are the subnets 10.9.0.0/24 to 10.9.199.0/24.
func twoHundred() (list []string) {
	for i := range 200 {
		list = append(list, fmt.Sprintf("10.9.%d.0/24", i))
	}
	return list
}

// offers is what a server may say: the default route, it in two halves, an
// honest subnet, one inside the profile's, the client's own network and a part
// of it, what covers that, what covers the gateway, the gateway, the server's
// own address, the client's in the tunnel, and what is no destination.
var offers = option(121, "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "192.168.14.0/24", "172.16.5.0/24", "10.250.166.0/24", "10.250.166.1/32",
	"10.0.0.0/8", "203.128.0.0/9", "203.235.199.133/32", "192.168.13.254/32", "192.168.13.240/32", "127.0.0.0/8", "169.254.0.0/16")

// TestPushed: whatever the server offers, only what the profile allows is ever
// in the table, from the first packet to the last; and what was refused is told.
func TestPushed(t *testing.T) {
	const requested = "172.16.0.0/16 192.168.13.254"
	for _, c := range []struct {
		what, pushed, options string
		want                  string // in the tunnel
		told                  int    // of offers
		taken                 int
		why, warning          string // among the reasons, and the warnings
	}{
		{"ignored", "ignore", offers, requested, 14, 0, "0.0.0.0/0: default_route is false", ""},
		{"accepted", "accept", offers, "172.16.0.0/16 172.16.5.0/24 192.168.13.254 192.168.14.0/24", 14, 2, "203.128.0.0/9: it covers the gateway 203.235.199.133", ""},
		{"accepted inside", "[192.168.0.0/16]", offers, "172.16.0.0/16 192.168.13.254 192.168.14.0/24", 14, 1, "172.16.5.0/24: none of the subnets in pushed_routes holds it", ""},
		{"the other option", "accept", option(249, "192.168.14.0/24"), "172.16.0.0/16 192.168.13.254 192.168.14.0/24", 1, 1, "192.168.14.0/24: pushed_routes is accept", ""},
		{"class-based", "accept", "21 10 0a000c77" + via + "c0a80e07" + via, "172.16.0.0/16 192.168.13.254 192.168.14.0/24", 2, 1, "10.0.0.0/8: it covers this machine's own network 10.250.166.0/24 on eth0", ""},
		{"a router", "accept", "03 04" + via, requested, 1, 0, "0.0.0.0/0: default_route is false", ""},
		{"200", "accept", option(121, twoHundred()...), "", 200, 200, "10.9.199.0/24: pushed_routes is accept", ""},
		{"a mask too long", "accept", "79 09 21c0a80e01" + via, requested, 0, 0, "", "its DHCP option 121 is malformed"},
		{"cut off", "accept", "79 06 18c0a80ec0a8", requested, 0, 0, "", "its DHCP option 121 is malformed"},
		{"past its end", "accept", "79 ff 18c0a80e" + via, requested, 0, 0, "", "its answer to DHCPINFORM is malformed"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := open(t, "", "routes: [172.16.0.0/16]\npushed_routes: "+c.pushed+"\n")
			asked := p.pushServer(c.options)
			before, seen := p.routes(), p.monitor()
			p.must("up", "lab")
			st := p.eventually("the server's offers", func(st control.Status) bool {
				return len(st.RoutesOffered) == c.told && (c.told > 0 || len(st.Warnings) > 0)
			})
			taken, why := 0, []string{}
			for _, o := range st.RoutesOffered {
				why = append(why, o.To.String()+": "+o.Why)
				if o.Taken {
					taken++
				}
			}
			if taken != c.taken || c.why != "" && !slices.ContainsFunc(why, func(s string) bool { return strings.HasPrefix(s, c.why) }) {
				t.Errorf("%d taken, want %d; the reasons are\n%s\nwant among them %s", taken, c.taken, strings.Join(why, "\n"), c.why)
			}
			if c.warning != "" && !strings.Contains(strings.Join(st.Warnings, "\n"), c.warning) {
				t.Errorf("warnings %q, want %s", st.Warnings, c.warning)
			}
			want := c.want
			if c.what == "200" {
				want = manyRoutes(requested)
			}
			if got := p.inTunnel(); got != want {
				t.Errorf("in the tunnel:\n%s\nwant\n%s", got, want)
			}
			p.must("down", "lab")
			if after := p.routes(); !slices.Equal(after, before) {
				t.Errorf("after down the table is %q, before it was %q", after, before)
			}
			allowed := append(strings.Fields(want), "203.235.199.133")
			for _, to := range seen() {
				if to = strings.TrimSuffix(to, "/32"); !slices.Contains(allowed, to) {
					t.Errorf("for a time there was a route to %s", to)
				}
			}
			if asked() == 0 {
				t.Error("the server was not asked")
			}
		})
	}
}

func manyRoutes(besides string) string {
	list := append(twoHundred(), strings.Fields(besides)...)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// TestPushedByOurServer: push_routes, dns and domain arrive, 200 routes too; a
// route taken out by hand stays out, one added by hand is kept over a
// reconnection, and --save writes both into the profile.
func TestPushedByOurServer(t *testing.T) {
	p := open(t, "push_routes: ["+strings.Join(twoHundred(), ", ")+"]\ndns: [192.168.13.1]\ndomain: lab.example\n",
		"routes:\n  - 172.16.0.0/16   # the lab\npushed_routes: [10.0.0.0/8]\n")
	before := p.routes()
	p.must("up", "lab")
	st := p.eventually("200 routes", func(st control.Status) bool { return len(st.RoutesOffered) == 200 })
	if got := p.inTunnel(); got != manyRoutes("172.16.0.0/16 192.168.13.254") {
		t.Errorf("in the tunnel:\n%s", got)
	}
	if st.DomainOffered != "lab.example" || len(st.DNS) != 1 || st.DNS[0].String() != "192.168.13.1" {
		t.Errorf("domain %q, name servers %v", st.DomainOffered, st.DNS)
	}
	if out := p.must("status", "lab"); !strings.Contains(out, "10.9.7.0/24 via 192.168.13.254: taken, a subnet in pushed_routes holds it") {
		t.Errorf("status says\n%s", out)
	}
	if out := p.must("route", "del", "lab", "10.9.7.0/24"); out != "- 10.9.7.0/24 via 192.168.13.254 dev ppp0 metric 1\n" {
		t.Errorf("route del said %q", out)
	}
	if out := p.must("route", "add", "lab", "192.168.14.0/24", "--metric", "5", "--save"); out != "+ 192.168.14.0/24 via 192.168.13.254 dev ppp0 metric 5\nsaved in "+p.dir+"/profiles/lab.yaml\n" {
		t.Errorf("route add said %q", out)
	}
	if out, errs, err := p.run("route", "add", "lab", "203.235.199.133"); err != nil || out != "" || !strings.Contains(errs, "the gateway 203.235.199.133 itself cannot be reached through its own tunnel") {
		t.Errorf("the gateway itself as a route: %v, %q, %q", err, out, errs)
	}
	if text := p.must("profile", "show", "lab"); !strings.Contains(text, "- {to: 192.168.14.0/24, metric: 5}") {
		t.Errorf("the profile is\n%s", text)
	}
	since := p.status().Since
	p.kick()
	p.eventually("up again", func(st control.Status) bool {
		return st.State == control.StateUp && st.Since.After(since) && len(st.RoutesOffered) == 200
	})
	got := p.inTunnel()
	if strings.Contains(got, "10.9.7.0/24") || !strings.Contains(got, "192.168.14.0/24") || !strings.Contains(got, "10.9.8.0/24") {
		t.Errorf("after a reconnection, in the tunnel:\n%s", got)
	}
	p.must("down", "lab")
	if after := p.routes(); !slices.Equal(after, before) {
		t.Errorf("after down the table is %q, before it was %q", after, before)
	}
	if out, errs, err := p.run("route", "del", "lab", "192.168.14.0/24", "--save"); err != nil || !strings.Contains(errs, "lab is not up: the change takes effect") || !strings.HasPrefix(out, "saved in") {
		t.Errorf("route del of what is down: %v, %q, %q", err, out, errs)
	}
	if _, _, err := p.run("route", "del", "lab", "192.168.14.0/24"); err == nil {
		t.Error("route del of what is down, without --save, is no error")
	}
}
