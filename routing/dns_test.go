package routing

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// privateBus starts a message bus of the test's own and returns its address.
func privateBus(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon (test/setup installs it)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	err = os.WriteFile(config, []byte(`<busconfig><type>session</type><listen>unix:path=`+dir+`/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--nofork", "--nopidfile", "--nosyslog", "--print-address", "--config-file="+config)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// fakeResolved is org.freedesktop.resolve1 as far as links go: what it was
// told, as text.
type fakeResolved struct {
	mu    sync.Mutex
	links map[int32]map[string]string
	fail  string // the method that fails
	old   bool   // before systemd 240: no SetLinkDefaultRoute
}

func (f *fakeResolved) set(method string, index int32, value string) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == method {
		return dbus.NewError("org.freedesktop.resolve1.LinkBusy", []any{"managed by somebody else"})
	}
	if f.old && method == "SetLinkDefaultRoute" {
		return &dbus.ErrMsgUnknownMethod
	}
	if f.links[index] == nil {
		f.links[index] = map[string]string{}
	}
	f.links[index][method] = value
	return nil
}

func (f *fakeResolved) SetLinkDNS(index int32, servers []linkAddress) *dbus.Error {
	var list []string
	for _, s := range servers {
		list = append(list, fmt.Sprint(s.Family, " ", net.IP(s.Address)))
	}
	return f.set("SetLinkDNS", index, strings.Join(list, ", "))
}

func (f *fakeResolved) SetLinkDomains(index int32, domains []linkDomain) *dbus.Error {
	var list []string
	for _, d := range domains {
		if d.RoutingOnly {
			d.Domain = "~" + d.Domain
		}
		list = append(list, d.Domain)
	}
	return f.set("SetLinkDomains", index, strings.Join(list, ", "))
}

func (f *fakeResolved) SetLinkDefaultRoute(index int32, enable bool) *dbus.Error {
	return f.set("SetLinkDefaultRoute", index, fmt.Sprint(enable))
}

func (f *fakeResolved) RevertLink(index int32) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.links, index)
	return nil
}

// now returns what is set, by link.
func (f *fakeResolved) now() map[int32]map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[int32]map[string]string{}
	for k, v := range f.links {
		out[k] = maps.Clone(v)
	}
	return out
}

// serveResolved puts a fake systemd-resolved on a bus of its own.
func serveResolved(t *testing.T) (*fakeResolved, *DNS) {
	t.Helper()
	address := privateBus(t)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f := &fakeResolved{links: map[int32]map[string]string{}}
	if err := conn.Export(f, resolvedPath, "org.freedesktop.resolve1.Manager"); err != nil {
		t.Fatal(err)
	}
	if reply, err := conn.RequestName(resolvedName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	d := NewDNS(nil, t.TempDir())
	d.bus, d.resolvConf, d.resolvconf = address, filepath.Join(t.TempDir(), "resolv.conf"), "/nonexistent"
	if err := os.WriteFile(d.resolvConf, []byte("# stub\nnameserver 127.0.0.53\noptions edns0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f, d
}

func loopback(t *testing.T) int32 {
	t.Helper()
	link, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	return int32(link.Index)
}

func dnsConfig(all bool, servers ...string) *DNSConfig {
	c := &DNSConfig{Name: "lab", Link: "lo", Domains: []string{"lab.example", "corp.example"}, All: all, Through: []netip.Prefix{netip.MustParsePrefix("192.168.13.0/24")}}
	for _, s := range servers {
		c.Servers = append(c.Servers, netip.MustParseAddr(s))
	}
	return c
}

// behave has the call named fail fail, and those missing that old versions lack.
func (f *fakeResolved) behave(fail string, old bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.old = fail, old
}

func TestResolved(t *testing.T) {
	f, d := serveResolved(t)
	lo := loopback(t)
	for _, step := range []struct {
		what string
		cfg  *DNSConfig
		want map[string]string
	}{
		{"split", dnsConfig(false, "192.168.13.1", "0.0.0.0", "192.168.13.1", "2001:db8::1"),
			map[string]string{"SetLinkDNS": "2 192.168.13.1, 10 2001:db8::1", "SetLinkDomains": "lab.example, corp.example", "SetLinkDefaultRoute": "false"}},
		{"use", dnsConfig(true, "192.168.13.1"),
			map[string]string{"SetLinkDNS": "2 192.168.13.1", "SetLinkDomains": "lab.example, corp.example, ~.", "SetLinkDefaultRoute": "true"}},
	} {
		found, err := d.Set(t.Context(), step.cfg)
		if err != nil || len(found) != 0 {
			t.Fatalf("%s: %v, %v", step.what, found, err)
		}
		if got := f.now(); !reflect.DeepEqual(got, map[int32]map[string]string{lo: step.want}) {
			t.Errorf("%s: systemd-resolved has %v, want %v on link %d", step.what, got, step.want, lo)
		}
	}
	// The same again tells it nothing.
	f.behave("SetLinkDNS", false)
	if _, err := d.Set(t.Context(), dnsConfig(true, "192.168.13.1")); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := f.now(); len(got) != 0 {
		t.Errorf("after Close systemd-resolved has %v", got)
	}
	if err := d.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// TestResolvedFails: what fails half-way is taken back.
func TestResolvedFails(t *testing.T) {
	f, d := serveResolved(t)
	f.behave("SetLinkDomains", false)
	_, err := d.Set(t.Context(), dnsConfig(false, "192.168.13.1"))
	if err == nil || !strings.Contains(err.Error(), "SetLinkDomains: managed by somebody else") {
		t.Errorf("error %v", err)
	}
	if got := f.now(); len(got) != 0 {
		t.Errorf("systemd-resolved has %v", got)
	}
	f.behave("", true)
	if _, err := d.Set(t.Context(), dnsConfig(false, "192.168.13.1")); err != nil {
		t.Errorf("without SetLinkDefaultRoute: %v", err)
	}
	if got := f.now()[loopback(t)]; len(got) != 2 {
		t.Errorf("without SetLinkDefaultRoute systemd-resolved has %v", got)
	}
	// No servers any more: as before the session.
	found, err := d.Set(t.Context(), dnsConfig(false, "0.0.0.0"))
	if err != nil || len(found) != 1 || found[0].Code != DNSNone || len(f.now()) != 0 {
		t.Errorf("without servers: %v, %v; systemd-resolved has %v", found, err, f.now())
	}
}

func TestResolvedNotAsked(t *testing.T) {
	_, d := serveResolved(t)
	if err := os.WriteFile(d.resolvConf, []byte("nameserver 192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := d.Set(t.Context(), dnsConfig(false, "192.168.13.1"))
	if err != nil || len(found) != 1 || found[0].Code != DNSUnused || found[0].Fix == "" {
		t.Errorf("%v, %v", found, err)
	}
}

// fakeResolvconf writes a resolvconf that notes how it was called.
func fakeResolvconf(t *testing.T, version string) (d *DNS, calls func() string) {
	t.Helper()
	dir := t.TempDir()
	log, program := filepath.Join(dir, "calls"), filepath.Join(dir, "resolvconf")
	script := "#!/bin/sh\n[ \"$1\" = --version ] && { echo '" + version + "'; exit; }\necho \"$*\" >>" + log + "\ncase \" $* \" in *\" -a \"*) sed 's/^/  /' >>" + log + ";; esac\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	d = NewDNS(nil, filepath.Join(dir, "run"))
	d.bus, d.resolvconf = "unix:path="+dir+"/nobus", program
	return d, func() string {
		b, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(b)
	}
}

func TestResolvconf(t *testing.T) {
	const text = "  nameserver 192.168.13.1\n  search lab.example corp.example\n"
	for _, c := range []struct {
		version string
		all     bool
		want    string
		found   []string
	}{
		{"openresolv 3.12.0", true, "-x -m 0 -a lo.goppptp\n" + text + "-d lo.goppptp\n", nil},
		{"openresolv 3.12.0", false, "-p -a lo.goppptp\n" + text + "-d lo.goppptp\n", []string{DNSUnused}},
		{"", true, "-a lo.goppptp\n" + text + "-d lo.goppptp\n", nil},
		{"", false, "", []string{DNSNoSplit}},
	} {
		d, calls := fakeResolvconf(t, c.version)
		found, err := d.Set(t.Context(), dnsConfig(c.all, "192.168.13.1"))
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, f := range found {
			codes = append(codes, f.Code)
		}
		if !slices.Equal(codes, c.found) {
			t.Errorf("version %q, all %t: found %v, want %v", c.version, c.all, found, c.found)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := calls(); got != c.want {
			t.Errorf("version %q, all %t: called\n%swant\n%s", c.version, c.all, got, c.want)
		}
		if left, _ := filepath.Glob(d.runDir + "/dns/*"); len(left) > 0 {
			t.Errorf("version %q, all %t: left behind: %v", c.version, c.all, left)
		}
	}
}

// TestResolvconfRepair: what a session that was killed told resolvconf is taken
// back, and what a living one told is not.
func TestResolvconfRepair(t *testing.T) {
	d, calls := fakeResolvconf(t, "")
	if _, err := d.Set(t.Context(), dnsConfig(true, "192.168.13.1")); err != nil {
		t.Fatal(err)
	}
	before := calls()
	if done, err := repairDNS(t.Context(), d.runDir); err != nil || len(done) > 0 || calls() != before {
		t.Errorf("of a living session: %v, %v", done, err)
	}
	j := d.by.(*resolvconf).journal
	j.file.Close() // as the kernel does for one that dies
	done, err := repairDNS(t.Context(), d.runDir)
	if err != nil || !slices.Equal(done, []string{"name servers of lo"}) {
		t.Errorf("of a dead session: %v, %v", done, err)
	}
	if got := strings.TrimPrefix(calls(), before); got != "-d lo.goppptp\n" {
		t.Errorf("called %q", got)
	}
	if left, _ := filepath.Glob(d.runDir + "/dns/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if done, err := repairDNS(context.Background(), d.runDir); err != nil || len(done) > 0 {
		t.Errorf("a second time: %v, %v", done, err)
	}
}

// TestNoManager: with nobody to tell, it is said and nothing happens.
func TestNoManager(t *testing.T) {
	d := NewDNS(slog.New(slog.DiscardHandler), t.TempDir())
	d.bus, d.resolvconf = "unix:path=/nonexistent/bus", "/nonexistent/resolvconf"
	found, err := d.Set(t.Context(), dnsConfig(true, "192.168.13.1"))
	if err != nil || len(found) != 1 || found[0].Code != DNSNoManager ||
		!strings.HasPrefix(found[0].Text, "the resolver is as before: there is no system bus on which systemd-resolved would be, there is no resolvconf, and ") {
		t.Errorf("%v, %v", found, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestOutside(t *testing.T) {
	d, _ := fakeResolvconf(t, "")
	cfg := dnsConfig(true, "172.16.1.1", "192.168.13.1")
	cfg.Through = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/16")}
	found, err := d.Set(t.Context(), cfg)
	if err != nil || len(found) != 1 || found[0].Code != DNSOutside || !strings.Contains(found[0].Text, "name server 192.168.13.1 is in none") {
		t.Errorf("%v, %v", found, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
