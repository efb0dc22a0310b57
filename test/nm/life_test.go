//go:build linux

package nm

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server runs a second server for one test.
func server(t *testing.T, more string) {
	t.Helper()
	if err := startServer("198.51.100.20", "second", "10.9.0", more); err != nil {
		t.Fatalf("%v: %s", err, logText("second"))
	}
	t.Cleanup(func() { kill("second", syscall.SIGTERM) })
}

// dropGRE makes the server's GRE packets vanish until the test ends or the
// function returned is called.
func dropGRE(t *testing.T) (end func()) {
	t.Helper()
	rule := []string{"ipproto", "gre", "pref", "10", "blackhole"}
	must(t, "ip", append([]string{"-n", "server", "rule", "add"}, rule...)...)
	gone := false
	end = func() {
		if !gone {
			gone = true
			must(t, "ip", append([]string{"-n", "server", "rule", "del"}, rule...)...)
		}
	}
	t.Cleanup(end)
	return end
}

func logged(t *testing.T, from int, what string) {
	t.Helper()
	wait(t, 5*time.Second, "the log to say "+what, func() bool { return strings.Contains(logText("NetworkManager")[from:], what) })
}

func state(name string) string {
	out, _ := command("nmcli", "-g", "GENERAL.STATE", "connection", "show", name)
	return out
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name, data, nmcli, log string
		more                   []string
		prepare                func(t *testing.T)
	}{
		{"no server", "gateway=198.18.0.1,user=sio4", "Unknown reason", "connection refused", nil, nil},
		{"no such name", "gateway=nowhere.test,user=sio4", "Unknown reason", "does not resolve", nil, nil},
		{"no GRE", "gateway=vpn.test,user=sio4", "Unknown reason", "no GRE packet came back", nil, func(t *testing.T) { dropGRE(t) }},
		{"MPPE", "gateway=vpn.test,user=sio4,require-mppe-40=yes", "Unknown reason", "MPPE not agreed", nil, nil},
		{"unknown key", "gateway=vpn.test,user=sio4,require-mpee=yes", "failed to start", `unknown key "require-mpee" in vpn.data: did you mean "require-mppe"?`, nil, nil},
		{"contradiction", "gateway=vpn.test,user=sio4,require-mppe=yes,refuse-mschapv2=yes", "failed to start", "every authentication method is refused", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin(t)
			before, from := routes(t), len(logText("NetworkManager"))
			add(t, "bad", "goppptp", c.data, append([]string{"vpn.secrets", password}, c.more...)...)
			if c.prepare != nil {
				c.prepare(t)
			}
			refused(t, c.nmcli, "nmcli", "connection", "up", "bad")
			logged(t, from, strings.ReplaceAll(c.log, `"`, `\"`))
			traceless(t, before)
		})
	}
}

func TestNetworkManagerDies(t *testing.T) {
	begin(t)
	before := routes(t)
	add(t, "lab", "goppptp", labData, "vpn.secrets", password)
	up(t, "lab")
	kill("NetworkManager", syscall.SIGKILL)
	wait(t, 10*time.Second, "the service to leave", func() bool { return len(services()) == 0 })
	if now := routes(t); strings.Contains(now, "ppp0") {
		t.Errorf("routes of the tunnel are left:\n%s", now)
	}
	if err := startNetworkManager(); err != nil {
		t.Fatal(err)
	}
	wait(t, 10*time.Second, "the routes to be as before", func() bool { return routes(t) == before })
	up(t, "lab")
	pings(t, "172.16.0.10")
	must(t, "nmcli", "connection", "down", "lab")
	traceless(t, before)
}

// TestServerEndsSession: NetworkManager dials again if the connection says so.
func TestServerEndsSession(t *testing.T) {
	kick := func(t *testing.T) {
		t.Helper()
		kill("main", syscall.SIGTERM)
		if err := startServer("198.51.100.10", "main", "192.168.13", ""); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("persistent", func(t *testing.T) {
		begin(t)
		before := routes(t)
		add(t, "lab", "goppptp", labData, "vpn.secrets", password, "vpn.persistent", "yes")
		up(t, "lab")
		was := services()[0]
		kick(t)
		wait(t, 30*time.Second, "the connection to be up again", func() bool {
			now := services()
			return state("lab") == "activated" && len(now) == 1 && now[0] != was
		})
		pings(t, "172.16.0.10")
		must(t, "nmcli", "connection", "down", "lab")
		traceless(t, before)
	})
	t.Run("persistent, away for a while", func(t *testing.T) {
		begin(t)
		before, from := routes(t), len(logText("NetworkManager"))
		add(t, "lab", "goppptp", labData, "vpn.secrets", password, "vpn.persistent", "yes")
		up(t, "lab")
		kill("main", syscall.SIGTERM)
		logged(t, from, "not back yet")
		if now := state("lab"); now != "activating" {
			t.Errorf("the connection is %q", now)
		}
		if err := startServer("198.51.100.10", "main", "192.168.13", ""); err != nil {
			t.Fatal(err)
		}
		wait(t, 30*time.Second, "the connection to be up again", func() bool { return state("lab") == "activated" })
		pings(t, "172.16.0.10")
		must(t, "nmcli", "connection", "down", "lab")
		traceless(t, before)
	})
	t.Run("not persistent", func(t *testing.T) {
		begin(t)
		before, from := routes(t), len(logText("NetworkManager"))
		add(t, "lab", "goppptp", labData, "vpn.secrets", password)
		up(t, "lab")
		kick(t)
		wait(t, 30*time.Second, "the connection to be down", func() bool { return state("lab") == "" })
		logged(t, from, "the connection is lost")
		traceless(t, before)
	})
}

// TestSilence: a tunnel through which nothing comes any more is not called up
// for longer than the keepalive allows.
func TestSilence(t *testing.T) {
	begin(t)
	before, from := routes(t), len(logText("NetworkManager"))
	add(t, "lab", "goppptp", labData+",lcp-echo-interval=1,lcp-echo-failure=2", "vpn.secrets", password)
	up(t, "lab")
	dropGRE(t)
	wait(t, 30*time.Second, "the connection to be down", func() bool { return state("lab") == "" })
	logged(t, from, "the connection is lost")
	traceless(t, before)
}

func TestUplink(t *testing.T) {
	begin(t)
	add(t, "lab", "goppptp", labData, "vpn.secrets", password)
	up(t, "lab")
	// Gone: the connection ends with it.
	must(t, "nmcli", "device", "disconnect", "lan0")
	wait(t, 30*time.Second, "the connection to be down", func() bool { return state("lab") == "" && len(services()) == 0 })
	// Another: it works there.
	must(t, "nmcli", "connection", "up", "lan1")
	up(t, "lab")
	pings(t, "172.16.0.10")
	if now := routes(t); !strings.Contains(now, "198.51.100.10 via 198.18.0.129 dev lan1") {
		t.Errorf("no route to the gateway by lan1:\n%s", now)
	}
	// Back: what goes through the tunnel takes the way it took.
	must(t, "nmcli", "connection", "up", "lan0")
	must(t, "nmcli", "connection", "down", "lan1")
	wait(t, 30*time.Second, "the connection to be down", func() bool { return state("lab") == "" && len(services()) == 0 })
	before := routes(t)
	up(t, "lab")
	pings(t, "172.16.0.10")
	must(t, "nmcli", "connection", "down", "lab")
	traceless(t, before)
}

func TestOfferedRoutes(t *testing.T) {
	offer := "push_routes: [10.70.0.0/16]\ndomain: lab.example\n"
	t.Run("taken", func(t *testing.T) {
		begin(t)
		server(t, offer)
		before := routes(t)
		add(t, "lab", "goppptp", "gateway=198.51.100.20,user=sio4,default-route=no", "vpn.secrets", password)
		up(t, "lab")
		wait(t, 20*time.Second, "the route", func() bool {
			return strings.Contains(routes(t), "10.70.0.0/16 dev ppp0 proto static scope link metric 50")
		})
		pings(t, "10.9.0.254")
		if resolv, _ := os.ReadFile("/etc/resolv.conf"); !strings.Contains(string(resolv), "search lab.example") {
			t.Errorf("the domain is not in resolv.conf:\n%s", resolv)
		}
		must(t, "nmcli", "connection", "down", "lab")
		traceless(t, before)
	})
	t.Run("not taken by NetworkManager", func(t *testing.T) {
		begin(t)
		server(t, offer)
		before := routes(t)
		add(t, "lab", "goppptp", "gateway=198.51.100.20,user=sio4,pushed-routes=accept", "vpn.secrets", password, "ipv4.ignore-auto-routes", "yes")
		up(t, "lab")
		pings(t, "10.9.0.254")
		if now := routes(t); strings.Contains(now, "10.70.0.0/16") || strings.Contains(now, "default dev ppp0") {
			t.Errorf("the routes are\n%s", now)
		}
		must(t, "nmcli", "connection", "down", "lab")
		traceless(t, before)
	})
}

// TestGatewayRouteOff: without NetworkManager's route to the gateway the tunnel
// would go into itself, where a route of its own covers the gateway.
func TestGatewayRouteOff(t *testing.T) {
	begin(t)
	from := len(logText("NetworkManager"))
	add(t, "lab", "goppptp", labData, "vpn.secrets", password, "ipv4.auto-route-ext-gw", "no")
	up(t, "lab")
	logged(t, from, "auto-route-ext-gw is off")
	pings(t, "172.16.0.10")
	down(t, "lab")
}

// TestIPv6: the addresses that IPV6CP gave, and routes into the tunnel.
func TestIPv6(t *testing.T) {
	begin(t)
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		t.Skip("needs a kernel with IPv6")
	}
	server(t, "ipv6: true\n")
	before := routes(t)
	add(t, "lab", "goppptp", "gateway=198.51.100.20,user=sio4,routes=10.9.0.0/24 fd00:1::/64", "vpn.secrets", password)
	up(t, "lab")
	pings(t, "10.9.0.254")
	wait(t, 10*time.Second, "the route", func() bool { return strings.Contains(must(t, "ip", "-6", "route"), "fd00:1::/64 dev ppp0") })
	addrs := must(t, "ip", "-6", "-oneline", "addr", "show", "dev", "ppp0")
	if strings.Count(addrs, "inet6 fe80::") != 1 {
		t.Errorf("the addresses are\n%s", addrs)
	}
	theirs := regexp.MustCompile(`ppp\d+ +inet6 (fe80::[0-9a-f:]+)`).FindStringSubmatch(must(t, "ip", "-n", "server", "-6", "-oneline", "addr", "show"))
	if theirs == nil {
		t.Fatal("the server's end has no address")
	}
	must(t, "ping", "-6", "-n", "-q", "-c", "2", "-W", "5", theirs[1]+"%ppp0")
	must(t, "nmcli", "connection", "down", "lab")
	traceless(t, before)
}

// TestGivenUpWhileConnecting: whoever asked changes his mind, or has had enough.
func TestGivenUpWhileConnecting(t *testing.T) {
	t.Run("down", func(t *testing.T) {
		begin(t)
		before := routes(t)
		add(t, "lab", "goppptp", labData, "vpn.secrets", password)
		dropGRE(t)
		must(t, "nmcli", "--wait", "0", "connection", "up", "lab")
		wait(t, 10*time.Second, "the call", func() bool { return len(services()) == 1 && state("lab") == "activating" })
		must(t, "nmcli", "connection", "down", "lab")
		traceless(t, before)
	})
	t.Run("vpn.timeout", func(t *testing.T) {
		begin(t)
		before := routes(t)
		add(t, "lab", "goppptp", labData, "vpn.secrets", password, "vpn.timeout", "2")
		dropGRE(t)
		refused(t, "The connection attempt timed out", "nmcli", "connection", "up", "lab")
		traceless(t, before)
	})
}

// TestServiceDies: NetworkManager takes back what it made.
func TestServiceDies(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "asked to end": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			begin(t)
			before := routes(t)
			add(t, "lab", "goppptp", labData, "vpn.secrets", password)
			up(t, "lab")
			if err := syscall.Kill(services()[0], sig); err != nil {
				t.Fatal(err)
			}
			wait(t, 10*time.Second, "the connection to be down", func() bool { return state("lab") == "" })
			traceless(t, before)
		})
	}
}

// TestBusPolicy: nobody but root speaks to the service, or is it.
func TestBusPolicy(t *testing.T) {
	begin(t)
	add(t, "lab", "goppptp", labData, "vpn.secrets", password)
	up(t, "lab")
	names := must(t, "dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames")
	name := regexp.MustCompile(`org\.freedesktop\.NetworkManager\.goppptp\.Connection_\d+`).FindString(names)
	if name == "" {
		t.Fatalf("the service has no name in\n%s", names)
	}
	owner := must(t, "dbus-send", "--system", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetNameOwner", "string:"+name)
	nobody := func(args ...string) (string, error) {
		return command("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", "dbus-send", "--system", "--print-reply"}, args...)...)
	}
	if _, err := nobody("--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetId"); err != nil {
		t.Fatalf("nobody does not get onto the bus: %v", err)
	}
	const object, plugin = "/org/freedesktop/NetworkManager/VPN/Plugin", "org.freedesktop.NetworkManager.VPN.Plugin"
	for _, dest := range []string{name, strings.TrimSpace(owner)} {
		for _, method := range []string{plugin + ".Disconnect", "org.freedesktop.DBus.Introspectable.Introspect"} {
			if _, err := nobody("--dest="+dest, object, method); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
				t.Errorf("nobody calls %s of %s: %v", method, dest, err)
			}
		}
	}
	for _, own := range []string{"org.freedesktop.NetworkManager.goppptp", name + "x", "org.freedesktop.NetworkManager.pptp.Connection_99"} {
		if _, err := nobody("--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.RequestName", "string:"+own, "uint32:0"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("nobody owns %s: %v", own, err)
		}
	}
	if state("lab") != "activated" {
		t.Error("the connection is down")
	}
	down(t, "lab")
}

// TestPeerIsGateway: a server that calls itself in the tunnel what it is called
// outside does not draw the tunnel into itself.
func TestPeerIsGateway(t *testing.T) {
	begin(t)
	settings := strings.Replace(fmt.Sprintf(serverSettings, "198.51.100.20", "10.9.0"), "local: 10.9.0.254", "local: 198.51.100.20", 1)
	if err := serve("second", settings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill("second", syscall.SIGTERM) })
	before := routes(t)
	add(t, "lab", "goppptp", "gateway=198.51.100.20,user=sio4,routes=172.16.0.0/16", "vpn.secrets", password)
	up(t, "lab")
	pings(t, "172.16.0.10")
	if now := routes(t); strings.Contains(now, "198.51.100.20 dev ppp0") {
		t.Errorf("the gateway is inside of the tunnel:\n%s", now)
	}
	must(t, "nmcli", "connection", "down", "lab")
	traceless(t, before)
}
