package netlab

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
}

// newLab makes a lab for one test.
func newLab(t testing.TB, opts Options) *Lab {
	t.Helper()
	needRoot(t)
	lab, err := New(t.Context(), opts)
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("needs to make network namespaces: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return lab
}

// bothKinds runs a test on a lab that translates and on one that routes.
func bothKinds(t *testing.T, f func(t *testing.T, lab *Lab)) {
	needRoot(t)
	for _, routed := range []bool{false, true} {
		name := "translated"
		if routed {
			name = "routed"
		}
		t.Run(name, func(t *testing.T) {
			lab := newLab(t, Options{NoNAT: routed})
			if !routed && lab.NAT != Translated {
				t.Skip("the kernel has no nf_tables with address translation")
			}
			f(t, lab)
		})
	}
}

// wantPing expects an answer, or none.
func wantPing(t *testing.T, from *Namespace, to netip.Addr, answered bool) {
	t.Helper()
	wait := 5 * time.Second
	if !answered {
		wait = 100 * time.Millisecond
	}
	r, err := ping(t.Context(), from, to, 1, 56, wait)
	if err != nil && (answered || !errors.Is(err, unix.ENETUNREACH)) {
		t.Errorf("ping from %s to %s: %v", from.Name, to, err)
		return
	}
	if (r.Received == 1) != answered {
		t.Errorf("ping from %s to %s: %+v, want answered: %v", from.Name, to, r, answered)
	}
}

func TestReachability(t *testing.T) {
	bothKinds(t, func(t *testing.T, lab *Lab) {
		for _, to := range []netip.Addr{GatewayAddr, OutsideAddr} {
			wantPing(t, lab.Client, to, true)
		}
		wantPing(t, lab.Client, ServerAddr, false)
		wantPing(t, lab.Client, InnerAddr, false)
		wantPing(t, lab.Client, BehindAddrs[0], false)
		wantPing(t, lab.Outside, ServerAddr, false)
		for _, to := range append([]netip.Addr{RouterAddr, InnerAddr}, BehindAddrs...) {
			wantPing(t, lab.Server, to, true)
		}
		wantPing(t, lab.Inner, ServerAddr, true)
		wantPing(t, lab.Inner, ClientAddr, false)
	})
}

// answer accepts one connection and tells it who it is.
func answer(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	io.WriteString(conn, conn.RemoteAddr().String())
	conn.Close()
}

func dial(t *testing.T, n *Namespace, address string) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	return n.Dial(ctx, "tcp4", address)
}

// The public address's port 1723 is the server's; nothing else of it is, and the
// server's own address is not reachable even on that port.
func TestControlConnection(t *testing.T) {
	bothKinds(t, func(t *testing.T, lab *Lab) {
		l, err := lab.Server.Listen("tcp4", ":1723")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go answer(l)
		conn, err := dial(t, lab.Client, PublicAddr.String()+":1723")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		seen, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(seen), ClientAddr.String()+":") {
			t.Errorf("the server saw %q, %v, want the client's address", seen, err)
		}
		if conn, err := dial(t, lab.Client, ServerAddr.String()+":1723"); err == nil {
			conn.Close()
			t.Error("the server's own address is reachable")
		}
	})
}

// grePacket is enhanced GRE with a call ID and a sequence number.
func grePacket(callID, seq byte) []byte {
	return []byte{0x30, 0x01, 0x88, 0x0b, 0, 2, 0, callID, 0, 0, 0, seq, 0xc0, 0x21}
}

// A greSocket is what carries GRE in a test.
type greSocket struct{ net.PacketConn }

func listenGRE(t *testing.T, n *Namespace, on netip.Addr) greSocket {
	t.Helper()
	var conn net.PacketConn
	err := n.Do(func() (err error) {
		conn, err = net.ListenPacket("ip4:47", on.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return greSocket{conn}
}

func (s greSocket) send(t *testing.T, to netip.Addr, packet []byte) error {
	_, err := s.WriteTo(packet, &net.IPAddr{IP: to.AsSlice()})
	return err
}

// receive gives the sender and the sequence number of the next packet; 0 if none
// comes in time.
func (s greSocket) receive(wait time.Duration) (from string, seq byte) {
	s.SetReadDeadline(time.Now().Add(wait))
	var b [100]byte
	n, addr, err := s.ReadFrom(b[:])
	if err != nil || n < 12 {
		return "", 0
	}
	return addr.String(), b[11]
}

// GRE passes both ways between the client and the public address, whoever
// begins, with different call IDs each way.
func TestGRE(t *testing.T) {
	bothKinds(t, func(t *testing.T, lab *Lab) {
		serverOn := ServerAddr
		if lab.NAT == Routed {
			serverOn = PublicAddr
		}
		client, server := listenGRE(t, lab.Client, ClientAddr), listenGRE(t, lab.Server, serverOn)
		for i, first := range []string{"client", "server", "client"} {
			seq := byte(i + 1)
			clientSends := func() {
				if err := client.send(t, PublicAddr, grePacket(20, seq)); err != nil {
					t.Errorf("client sends: %v", err)
				}
				if from, got := server.receive(5 * time.Second); from != ClientAddr.String() || got != seq {
					t.Errorf("server got packet %d from %s, want %d from %s", got, from, seq, ClientAddr)
				}
			}
			serverSends := func() {
				if err := server.send(t, ClientAddr, grePacket(7, seq)); err != nil {
					t.Errorf("server sends: %v", err)
				}
				if from, got := client.receive(5 * time.Second); from != PublicAddr.String() || got != seq {
					t.Errorf("client got packet %d from %s, want %d from %s", got, from, seq, PublicAddr)
				}
			}
			if first == "client" {
				clientSends()
				serverSends()
			} else {
				serverSends()
				clientSends()
			}
		}
	})
}

var errSilence = errors.New("no answer")

func TestPolicy(t *testing.T) {
	bothKinds(t, func(t *testing.T, lab *Lab) {
		serverOn := ServerAddr
		if lab.NAT == Routed {
			serverOn = PublicAddr
		}
		client, server := listenGRE(t, lab.Client, ClientAddr), listenGRE(t, lab.Server, serverOn)
		l, err := lab.Server.Listen("tcp4", ":1723")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		seq := byte(0)
		check := func(p Policy, wantUp, wantDown bool, wantTCP error) {
			t.Helper()
			if err := lab.SetPolicy(p); err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
			seq++
			wait := func(want bool) time.Duration {
				if want {
					return 5 * time.Second
				}
				return 50 * time.Millisecond
			}
			// An ICMP answer to an earlier packet may surface here; unconnected
			// sockets do not get any.
			client.send(t, PublicAddr, grePacket(20, seq))
			if _, got := server.receive(wait(wantUp)); (got == seq) != wantUp {
				t.Errorf("%+v: GRE to the server: got %d of %d, want it: %v", p, got, seq, wantUp)
			}
			server.send(t, ClientAddr, grePacket(7, seq))
			if _, got := client.receive(wait(wantDown)); (got == seq) != wantDown {
				t.Errorf("%+v: GRE to the client: got %d of %d, want it: %v", p, got, seq, wantDown)
			}
			conn, err := dial(t, lab.Client, PublicAddr.String()+":1723")
			if err == nil {
				conn.Close()
			}
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				err = errSilence
			}
			if !errors.Is(err, wantTCP) {
				t.Errorf("%+v: TCP: %v, want %v", p, err, wantTCP)
			}
		}
		check(Policy{}, true, true, nil)
		check(Policy{GREToServer: Drop}, false, true, nil)
		check(Policy{GREToClient: Drop}, true, false, nil)
		check(Policy{GREToServer: Reject, GREToClient: Drop}, false, false, nil)
		check(Policy{Control: Drop}, true, true, errSilence)
		check(Policy{Control: Reject}, true, true, syscall.EHOSTUNREACH)
		check(Policy{}, true, true, nil)
		if err := lab.SetPolicy(Policy{Loss: 1.5}); err == nil {
			t.Error("a loss of 1.5 was taken")
		}
	})
}

// Half of the packets get lost, then none again.
func TestLoss(t *testing.T) {
	bothKinds(t, func(t *testing.T, lab *Lab) {
		err := lab.SetPolicy(Policy{Loss: .5})
		if errors.Is(err, ErrNoLoss) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		serverOn := ServerAddr
		if lab.NAT == Routed {
			serverOn = PublicAddr
		}
		client, server := listenGRE(t, lab.Client, ClientAddr), listenGRE(t, lab.Server, serverOn)
		run := func() (got int) {
			const mark = 255
			for range 200 {
				client.send(t, PublicAddr, grePacket(20, 1))
			}
			if err := lab.SetPolicy(Policy{}); err != nil {
				t.Fatal(err)
			}
			client.send(t, PublicAddr, grePacket(20, mark))
			for {
				switch _, seq := server.receive(5 * time.Second); seq {
				case mark:
					return got
				case 0:
					t.Fatal("the marking packet was lost")
				default:
					got++
				}
			}
		}
		// 200 tosses of a coin miss this range once in 10^20.
		if got := run(); got < 35 || got > 165 {
			t.Errorf("%d of 200 came through, want about half", got)
		}
		if got := run(); got != 200 {
			t.Errorf("without loss %d of 200 came through", got)
		}
	})
}

func TestDelay(t *testing.T) {
	lab := newLab(t, Options{})
	err := lab.SetDelay(20 * time.Millisecond)
	if errors.Is(err, ErrNoNetem) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := Ping(t.Context(), lab.Client, GatewayAddr, 1, 56)
	if err != nil || r.Received != 1 || r.RTTs[0] < 40*time.Millisecond {
		t.Errorf("ping %+v, %v, want a round trip of 40 ms or more", r, err)
	}
	if err := lab.SetDelay(0); err != nil {
		t.Error(err)
	}
	if err := lab.SetDelay(0); err != nil {
		t.Errorf("twice: %v", err)
	}
}

func TestRoutes(t *testing.T) {
	lab := newLab(t, Options{})
	for _, tt := range []struct {
		ns   *Namespace
		want []string
	}{
		{lab.Client, []string{
			"default via 10.250.166.1 dev eth0",
			"10.250.166.0/24 dev eth0 proto kernel scope link src 10.250.166.10"}},
		{lab.Server, []string{
			"default via 192.168.13.1 dev eth0",
			"172.16.0.0/16 via 192.168.13.50 dev eth0",
			"192.168.13.0/24 dev eth0 proto kernel scope link src 192.168.13.3",
			"192.168.14.0/24 via 192.168.13.50 dev eth0"}},
		{lab.Inner, []string{"192.168.13.0/24 dev eth0 proto kernel scope link src 192.168.13.50"}},
	} {
		got, err := tt.ns.Routes()
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", tt.ns.Name, err, got, tt.want)
		}
	}
}

// What we print of odd routes is what iproute2 prints.
func TestRoutesAsIproute2(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs iproute2 to compare with")
	}
	lab := newLab(t, Options{})
	n := lab.Client
	add := func(r netlink.Route, to string) {
		t.Helper()
		if to != "" {
			r.Dst = ipNet(netip.MustParsePrefix(to))
		}
		if err := netlink.RouteAdd(&r); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	err := n.Do(func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		i, gw := eth0.Attrs().Index, net.IP(GatewayAddr.AsSlice())
		add(netlink.Route{LinkIndex: i, Scope: netlink.SCOPE_LINK, Protocol: 178}, "192.168.13.254/32")
		add(netlink.Route{LinkIndex: i, Gw: gw, Protocol: 178, Priority: 1}, "172.16.0.0/16")
		add(netlink.Route{LinkIndex: i, Gw: gw, Protocol: 16, Priority: 5, MTU: 1400, Src: ClientAddr.AsSlice()}, "192.0.2.0/24")
		add(netlink.Route{LinkIndex: i, Gw: gw, MTU: 1300, MTULock: true, AdvMSS: 1200}, "192.0.3.0/24")
		add(netlink.Route{LinkIndex: i, Gw: net.IPv4(203, 0, 113, 1), Flags: int(netlink.FLAG_ONLINK)}, "192.0.4.0/24")
		add(netlink.Route{Type: unix.RTN_BLACKHOLE, Protocol: 4}, "192.0.5.0/24")
		add(netlink.Route{Type: unix.RTN_UNREACHABLE, Priority: 4278198272}, "0.0.0.0/0")
		add(netlink.Route{Type: unix.RTN_THROW}, "192.0.6.7/32")
		add(netlink.Route{LinkIndex: i, Gw: gw, Tos: 16}, "192.0.7.0/24")
		add(netlink.Route{MultiPath: []*netlink.NexthopInfo{{LinkIndex: i, Gw: gw}, {LinkIndex: i, Gw: net.IPv4(10, 250, 166, 2), Hops: 4}}}, "192.0.8.0/24")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	iproute2 := func() []string {
		t.Helper()
		out, err := n.Command(t.Context(), "ip", "-4", "route").CombinedOutput()
		if err != nil {
			t.Fatalf("ip route: %v\n%s", err, out)
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			line = strings.TrimRight(line, " \n")
			if rest, ok := strings.CutPrefix(line, "\t"); ok {
				want[len(want)-1] += " " + strings.ReplaceAll(rest, "  ", " ")
			} else {
				want = append(want, strings.ReplaceAll(line, "  ", " "))
			}
		}
		return want
	}
	// The kernel notes a link's state a while after it changed: what is
	// compared was the same before and after.
	compare := func() {
		t.Helper()
		for {
			before, err := n.Routes()
			if err != nil {
				t.Fatal(err)
			}
			want := iproute2()
			after, err := n.Routes()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(before, after) {
				continue
			}
			if !slices.Equal(after, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(after, "\n"), strings.Join(want, "\n"))
			}
			return
		}
	}
	compare()
	if err := lab.Router.SetLink("wan", false); err != nil {
		t.Fatal(err)
	}
	compare()
	if err := lab.Router.SetLink("wan", true); err != nil {
		t.Fatal(err)
	}
	wantPing(t, lab.Client, GatewayAddr, true)
}

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

// The thread of a caller comes back, also out of nested visits.
func TestDo(t *testing.T) {
	lab := newLab(t, Options{})
	home := func() string {
		s, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := home()
	wanted := errors.New("as told")
	err := lab.Client.Do(func() error {
		client := home()
		if client == before {
			t.Error("Do did not go anywhere")
		}
		lab.Server.Do(func() error {
			if home() == client {
				t.Error("a visit in a visit did not go anywhere")
			}
			return nil
		})
		if home() != client {
			t.Error("the visit in the visit did not come back")
		}
		return wanted
	})
	if err != wanted {
		t.Errorf("Do gives %v", err)
	}
	func() {
		defer func() { recover() }()
		lab.Client.Do(func() error { panic("as told") })
	}()
	if home() != before {
		t.Error("not back home")
	}
}

// Close ends what runs in the lab.
func TestCloseEndsProcesses(t *testing.T) {
	if _, err := exec.LookPath("sleep"); err != nil {
		t.Skip("needs a program to run: sleep")
	}
	lab := newLab(t, Options{})
	cmd := lab.Inner.Command(context.Background(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stat := func() string {
		s, _ := os.Readlink(filepath.Join("/proc", "self", "ns/net"))
		return s
	}
	own := stat()
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want SIGTERM", err)
	}
	if stat() != own {
		t.Error("this process changed its own network")
	}
	if err := lab.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestPersist(t *testing.T) {
	needRoot(t)
	const prefix = "netlab-test"
	names := func() (found []string) {
		files, _ := filepath.Glob(filepath.Join(runDir, prefix+"-*"))
		for _, f := range files {
			found = append(found, filepath.Base(f))
		}
		return found
	}
	if err := Remove(prefix); err != nil {
		t.Fatal(err)
	}
	lab := newLab(t, Options{Prefix: prefix, Persist: true})
	want := []string{prefix + "-client", prefix + "-inner", prefix + "-outside", prefix + "-router", prefix + "-server"}
	if got := names(); !slices.Equal(got, want) {
		t.Fatalf("%s holds %v, want %v", runDir, got, want)
	}
	if _, err := New(t.Context(), Options{Prefix: prefix, Persist: true}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v, want ErrBusy", err)
	}
	if err := Remove(prefix); !errors.Is(err, ErrBusy) {
		t.Errorf("Remove of a living one: %v, want ErrBusy", err)
	}
	if got := names(); !slices.Equal(got, want) {
		t.Fatalf("after refusals: %v", got)
	}
	// Left standing, it is there for others, and the next takes its place.
	lab.Detach()
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("after Detach: %v", got)
	}
	again := newLab(t, Options{Prefix: prefix, Persist: true})
	wantPing(t, again.Client, GatewayAddr, true)
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if got := names(); got != nil {
		t.Errorf("after Close: %v", got)
	}
	// Half of one, as after a crash in New.
	half, err := newNamespace(prefix+"-router", true)
	if err != nil {
		t.Fatal(err)
	}
	half.file.Close()
	if err := os.WriteFile(filepath.Join(runDir, prefix+"-client"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := Remove(prefix); err != nil {
		t.Error(err)
	}
	if got := names(); got != nil {
		t.Errorf("after Remove: %v", got)
	}
	for _, bad := range []string{"../x", "a/b", "", "-x", "x y", strings.Repeat("x", 40)} {
		if err := Remove(bad); err == nil {
			t.Errorf("prefix %q was taken", bad)
		}
	}
}

// Two labs do not see each other, and the host sees neither.
func TestSideBySide(t *testing.T) {
	needRoot(t)
	state := func() string {
		var b strings.Builder
		links, err := netlink.LinkList()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			b.WriteString(l.Attrs().Name + " ")
		}
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routes {
			b.WriteString(r.String())
		}
		return b.String()
	}
	before := state()
	a, b := newLab(t, Options{}), newLab(t, Options{})
	if got := state(); got != before {
		t.Errorf("the host's network changed:\n%s\nbefore:\n%s", got, before)
	}
	l, err := a.Server.Listen("tcp4", ":1723")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if conn, err := dial(t, b.Client, PublicAddr.String()+":1723"); err == nil {
		conn.Close()
		t.Error("the server of one lab is reachable from the other")
	}
	go answer(l)
	conn, err := dial(t, a.Client, PublicAddr.String()+":1723")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func BenchmarkNew(b *testing.B) {
	needRoot(b)
	for b.Loop() {
		lab, err := New(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		lab.Close()
	}
}
