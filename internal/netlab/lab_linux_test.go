package netlab

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
