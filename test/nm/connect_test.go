//go:build linux

package nm

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// add makes a connection of a type; more are settings of nmcli.
func add(t *testing.T, name, kind, data string, more ...string) {
	t.Helper()
	must(t, "nmcli", append([]string{"connection", "add", "type", "vpn", "vpn-type", kind, "con-name", name, "ifname", "*", "vpn.data", data}, more...)...)
}

const (
	labData  = "gateway=vpn.test,user=sio4,routes=172.16.0.0/16 192.168.13.0/24"
	password = "password=p4ssw0rd"
)

// pings reports whether an address answers.
func pings(t *testing.T, address string) {
	t.Helper()
	must(t, "ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "5", address)
}

// session returns the server's one session.
func session(t *testing.T) (s struct {
	User string
	MPPE *struct{ Bits int }
}) {
	t.Helper()
	var list []json.RawMessage
	out := must(t, programs+"/goppptp", "--run-dir", "/run/main", "sessions", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("the server has %d sessions: %s", len(list), out)
	}
	if err := json.Unmarshal(list[0], &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUpAndDown(t *testing.T) {
	begin(t)
	before := routes(t)
	add(t, "lab", "goppptp", labData, "vpn.secrets", password)
	start := time.Now()
	must(t, "nmcli", "connection", "up", "lab")
	t.Logf("nmcli connection up took %v", time.Since(start).Round(time.Millisecond))
	pings(t, "172.16.0.10")
	if s := session(t); s.MPPE == nil || s.MPPE.Bits != 128 {
		t.Errorf("no 128-bit MPPE: %+v", s.MPPE)
	}
	want := before + `
172.16.0.0/16 dev ppp0 proto static scope link metric 50
192.168.13.0/24 dev ppp0 proto static scope link metric 50
192.168.13.254 dev ppp0 proto kernel scope link src 192.168.13.240 metric 50
198.18.0.1 dev lan0 proto static scope link metric 50
198.51.100.10 via 198.18.0.1 dev lan0 proto static metric 50`
	sameRoutes(t, routes(t), want)
	if resolv, _ := os.ReadFile("/etc/resolv.conf"); !strings.Contains(string(resolv), "nameserver 192.168.13.1\n") {
		t.Errorf("the server's name server is not in resolv.conf:\n%s", resolv)
	}
	must(t, "nmcli", "connection", "down", "lab")
	traceless(t, before)
}

// sameRoutes compares tables of routes, in whatever order.
func sameRoutes(t *testing.T, got, want string) {
	t.Helper()
	normal := func(s string) string {
		lines := map[string]bool{}
		for _, l := range strings.Split(s, "\n") {
			if l = strings.Join(strings.Fields(l), " "); l != "" {
				lines[l] = true
			}
		}
		return fmt.Sprint(lines) // sorted by key
	}
	if normal(got) != normal(want) {
		t.Errorf("the routes are\n%s\nand should be\n%s", got, want)
	}
}

// howTo is the connection of a well-known how-to as the editor of
// network-manager-pptp saves it.
const howTo = `[connection]
id=howto
uuid=6e1c9a52-6a0c-4a9e-9b5c-2b6d4c1f0a11
type=vpn
autoconnect=false
permissions=

[vpn]
gateway=198.51.100.10
lcp-echo-failure=5
lcp-echo-interval=30
password-flags=0
refuse-chap=yes
refuse-eap=yes
refuse-pap=yes
require-mppe=yes
user=sio4
service-type=org.freedesktop.NetworkManager.pptp

[vpn-secrets]
password=p4ssw0rd

[ipv4]
dns-search=
ignore-auto-routes=true
method=auto
never-default=true
route1=172.16.0.0/16,192.168.13.254,1
route2=192.168.13.0/24,192.168.13.254,1
route3=192.168.14.0/24,192.168.13.254,1

[ipv6]
method=disabled
`

func TestConnectionOfTypePPTP(t *testing.T) {
	begin(t)
	before := routes(t)
	const file = "/etc/NetworkManager/system-connections/howto.nmconnection"
	if err := os.WriteFile(file, []byte(howTo), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "nmcli", "connection", "load", file)
	must(t, "nmcli", "connection", "up", "howto")
	pings(t, "172.16.0.10")
	if s := session(t); s.MPPE == nil {
		t.Error("no MPPE")
	}
	want := before + `
172.16.0.0/16 via 192.168.13.254 dev ppp0 proto static metric 1
192.168.13.0/24 via 192.168.13.254 dev ppp0 proto static metric 1
192.168.13.254 dev ppp0 proto kernel scope link src 192.168.13.240 metric 50
192.168.14.0/24 via 192.168.13.254 dev ppp0 proto static metric 1
198.18.0.1 dev lan0 proto static scope link metric 50
198.51.100.10 via 198.18.0.1 dev lan0 proto static metric 50`
	sameRoutes(t, routes(t), want)
	must(t, "nmcli", "connection", "down", "howto")
	traceless(t, before)
}

func TestDefaultRoute(t *testing.T) {
	begin(t)
	before := routes(t)
	add(t, "all", "pptp", "gateway=vpn.test,user=sio4,require-mppe=yes", "vpn.secrets", password, "ipv4.never-default", "no")
	must(t, "nmcli", "connection", "up", "all")
	pings(t, "172.16.0.10")
	if now := routes(t); !strings.Contains(now, "default dev ppp0 proto static scope link metric 50") {
		t.Errorf("no default route through the tunnel:\n%s", now)
	}
	must(t, "nmcli", "connection", "down", "all")
	traceless(t, before)
}

func TestTwoAtOnce(t *testing.T) {
	begin(t)
	before := routes(t)
	add(t, "one", "goppptp", "gateway=vpn.test,user=sio4,routes=172.16.0.0/16", "vpn.secrets", password)
	add(t, "other", "goppptp", "gateway=vpn.test,user=two,routes=192.168.13.0/24", "vpn.secrets", "password=second word")
	must(t, "nmcli", "connection", "up", "one")
	must(t, "nmcli", "connection", "up", "other")
	pings(t, "172.16.0.10")
	pings(t, "192.168.13.3")
	if n := len(services()); n != 2 {
		t.Errorf("%d services", n)
	}
	must(t, "nmcli", "connection", "down", "one")
	pings(t, "192.168.13.3")
	must(t, "nmcli", "connection", "down", "other")
	traceless(t, before)
}

func TestManyTimes(t *testing.T) {
	begin(t)
	before := routes(t)
	add(t, "lab", "goppptp", labData, "vpn.secrets", password)
	for range 50 {
		must(t, "nmcli", "connection", "up", "lab")
		must(t, "nmcli", "connection", "down", "lab")
	}
	traceless(t, before)
}

// TestExportedProfile: a profile of goppptp's is a connection that works.
func TestExportedProfile(t *testing.T) {
	begin(t)
	before := routes(t)
	dir := t.TempDir()
	profile := "gateway: vpn.test\nuser: sio4\npassword: p4ssw0rd\nroutes: [172.16.0.0/16, {to: 192.168.14.0/24, metric: 5}]\n"
	if err := os.WriteFile(dir+"/lab.yaml", []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	const file = "/etc/NetworkManager/system-connections/lab.nmconnection"
	must(t, programs+"/goppptp", "--profiles", dir, "profile", "export", "--to", "networkmanager", "lab", "--output", file)
	must(t, "nmcli", "connection", "load", file)
	must(t, "nmcli", "connection", "up", "lab")
	pings(t, "172.16.0.10")
	if now := routes(t); !strings.Contains(now, "172.16.0.0/16 dev ppp0 proto static scope link metric 1 ") || !strings.Contains(now, "192.168.14.0/24 dev ppp0 proto static scope link metric 5") ||
		strings.Contains(now, "default dev ppp0") {
		t.Errorf("the routes are\n%s", now)
	}
	must(t, "nmcli", "connection", "down", "lab")
	traceless(t, before)
	// And back: the same profile.
	must(t, programs+"/goppptp", "--profiles", dir, "profile", "import", "--name", "back", file)
	if back, err := os.ReadFile(dir + "/back.yaml"); err != nil || !strings.Contains(string(back), "to: 192.168.14.0/24, metric: 5") {
		t.Errorf("%v: %s", err, back)
	}
}

// TestBesideUp: the program's own sessions and NetworkManager's take turns. How
// long each takes is told; what else the machine does decides on it too.
func TestBesideUp(t *testing.T) {
	begin(t)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/lab.yaml", []byte("gateway: vpn.test\nuser: sio4\npassword: p4ssw0rd\nroutes: [172.16.0.0/16]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	add(t, "lab", "goppptp", "gateway=vpn.test,user=sio4,routes=172.16.0.0/16", "vpn.secrets", password)
	var ours, theirs []time.Duration
	for range 5 {
		start := time.Now()
		must(t, programs+"/goppptp", "--profiles", dir, "up", "lab")
		ours = append(ours, time.Since(start))
		must(t, programs+"/goppptp", "--profiles", dir, "down", "lab")
		start = time.Now()
		must(t, "nmcli", "connection", "up", "lab")
		theirs = append(theirs, time.Since(start))
		down(t, "lab")
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	t.Logf("medians: goppptp up %v, nmcli connection up %v", ours[2].Round(time.Millisecond), theirs[2].Round(time.Millisecond))
}
