package routing

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var ctx = context.Background()

func readConfig(s string, cfg *Config) error { return json.Unmarshal([]byte(s), cfg) }

func writeConfig(t testing.TB, cfg *Config) string {
	t.Helper()
	b, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// session is an Applier that the test closes, whatever happens.
func session(t testing.TB, runDir string) *Netlink {
	t.Helper()
	n := NewNetlink(nil, runDir)
	t.Cleanup(func() { n.Close() })
	return n
}

func set(t testing.TB, n *Netlink, cfg Config) {
	t.Helper()
	if err := n.Set(ctx, &cfg); err != nil {
		t.Fatal(err)
	}
}

func wantTable(t testing.TB, when, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s:\n%s\nwant:\n%s", when, got, want)
	}
}

func journals(t testing.TB, runDir string) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(runDir, dirName))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		out = append(out, f.Name())
	}
	return out
}

func dialling(c Config) Config {
	c.Link, c.Local, c.Peer = "", netip.Addr{}, netip.Addr{}
	return c
}

// TestHowToUnwantedTable: the same with everything sent through the tunnel,
// where that is what the profile says. The default route stays where it is, and
// so does GRE.
func TestHowToUnwantedTable(t *testing.T) {
	office4(t)
	before := table(t)
	n := session(t, t.TempDir())
	cfg := lab()
	cfg.DefaultRoute = true
	set(t, n, cfg)
	wantTable(t, "up", mainTable(t), lines(`
		0.0.0.0/1 via 192.168.13.254 dev ppp0 proto 178 metric 1
		default via 10.250.166.1 dev eth0
		10.250.166.0/24 dev eth0 proto kernel scope link src 10.250.166.53
		128.0.0.0/1 via 192.168.13.254 dev ppp0 proto 178 metric 1
		172.16.0.0/16 via 192.168.13.254 dev ppp0 proto 178 metric 1
		192.168.13.0/24 via 192.168.13.254 dev ppp0 proto 178 metric 1
		192.168.13.254 dev ppp0 proto 178 scope link
		192.168.14.0/24 via 192.168.13.254 dev ppp0 proto 178 metric 1
		203.235.199.133 via 10.250.166.1 dev eth0 proto 178`))
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

func TestHowToTable(t *testing.T) {
	office4(t)
	dir := t.TempDir()
	before := table(t)
	n := session(t, dir)

	set(t, n, dialling(lab()))
	wantTable(t, "before dialling", mainTable(t), lines(`
		default via 10.250.166.1 dev eth0
		10.250.166.0/24 dev eth0 proto kernel scope link src 10.250.166.53
		203.235.199.133 via 10.250.166.1 dev eth0 proto 178`))

	set(t, n, lab())
	up := lines(`
		default via 10.250.166.1 dev eth0
		10.250.166.0/24 dev eth0 proto kernel scope link src 10.250.166.53
		172.16.0.0/16 via 192.168.13.254 dev ppp0 proto 178 metric 1
		192.168.13.0/24 via 192.168.13.254 dev ppp0 proto 178 metric 1
		192.168.13.254 dev ppp0 proto 178 scope link
		192.168.14.0/24 via 192.168.13.254 dev ppp0 proto 178 metric 1
		203.235.199.133 via 10.250.166.1 dev eth0 proto 178`)
	wantTable(t, "up", mainTable(t), up)

	installed, err := Installed("ppp0")
	if err != nil || len(installed) != 4 {
		t.Errorf("installed through ppp0: %v, %v", installed, err)
	}

	file, err := os.Stat(filepath.Join(dir, dirName, journals(t, dir)[0]))
	if err != nil {
		t.Fatal(err)
	}
	set(t, n, lab())
	if ops := n.Last().Ops; len(ops) != 0 {
		t.Errorf("the same again did %s", opText(ops))
	}
	again, err := os.Stat(filepath.Join(dir, dirName, journals(t, dir)[0]))
	if err != nil || !os.SameFile(file, again) {
		t.Errorf("the same again wrote the journal (%v)", err)
	}

	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
	if left := journals(t, dir); len(left) != 0 {
		t.Errorf("journals left: %v", left)
	}
	if err := n.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	cfg := lab()
	if err := n.Set(ctx, &cfg); err == nil {
		t.Error("a closed session set routes")
	}
}

func TestHotEdit(t *testing.T) {
	office4(t)
	n := session(t, t.TempDir())
	before := table(t)
	set(t, n, lab("172.16.0.0/16", "192.168.13.0/24"))
	two := table(t)
	set(t, n, lab("172.16.0.0/16", "10.7.0.0/16", "192.168.13.0/24"))
	if got := opText(n.Last().Ops); got != "ip route add 10.7.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178" {
		t.Errorf("adding one did %s", got)
	}
	set(t, n, lab("172.16.0.0/16", "192.168.13.0/24"))
	wantTable(t, "after adding and removing one", table(t), two)
	other := lab("172.16.0.0/16")
	other.Peer = netip.MustParseAddr("192.168.13.1")
	set(t, n, other)
	if got := ip(t, "route show 172.16.0.0/16"); !strings.Contains(got, "via 192.168.13.1 ") || strings.Count(got, "\n") != 1 {
		t.Errorf("with another peer: %s", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

func TestLinkGone(t *testing.T) {
	office4(t)
	ip(t, "link set ppp0 down")
	ip(t, "tuntap del ppp0 mode tun")
	before := table(t)
	tunnel(t, "ppp0", "192.168.13.240", "192.168.13.254")
	n := session(t, t.TempDir())
	set(t, n, lab())
	ip(t, "tuntap del ppp0 mode tun")
	// A reconnect begins: the pin stays, what went with the link is forgotten.
	set(t, n, dialling(lab()))
	if ops := n.Last().Ops; len(ops) != 0 {
		t.Errorf("dialling again did %s", opText(ops))
	}
	tunnel(t, "ppp0", "192.168.13.240", "192.168.13.254")
	set(t, n, lab())
	ip(t, "tuntap del ppp0 mode tun")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

// Somebody else deletes one of ours between two calls.
func TestDeletedByOthers(t *testing.T) {
	office4(t)
	before := table(t)
	n := session(t, t.TempDir())
	set(t, n, lab())
	up := table(t)
	ip(t, "route del 192.168.14.0/24")
	set(t, n, lab())
	wantTable(t, "set again", table(t), up)
	ip(t, "route del 192.168.14.0/24")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

func TestIdenticalRouteStays(t *testing.T) {
	office4(t)
	ip(t, "route add 172.16.0.0/16 dev ppp0 metric 1")
	ip(t, "route add 203.235.199.133 via 10.250.166.1 dev eth0")
	before := table(t)
	n := session(t, t.TempDir())
	cfg := lab()
	cfg.Peer = netip.Addr{}
	set(t, n, cfg)
	if got := opText(n.Last().Ops); strings.Contains(got, "172.16.0.0") || strings.Contains(got, "203.235.199.133") {
		t.Errorf("did %s", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

func TestSharedPin(t *testing.T) {
	office4(t)
	tunnel(t, "ppp1", "192.168.23.240", "192.168.23.254")
	before := table(t)
	dir := t.TempDir()
	a, b := session(t, dir), session(t, dir)
	set(t, a, lab("172.16.0.0/16", "203.235.199.0/24"))
	onlyA := table(t)
	second := lab("172.17.0.0/16")
	second.Name, second.Link, second.Peer = "second", "ppp1", netip.MustParseAddr("192.168.23.254")
	set(t, b, dialling(second))
	wantTable(t, "second dials", table(t), onlyA)
	set(t, b, second)
	both := table(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "second closed", table(t), onlyA)

	c := session(t, dir)
	set(t, c, second)
	wantTable(t, "second again", table(t), both)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ip(t, "route show 203.235.199.133"); !strings.Contains(got, "via 10.250.166.1") {
		t.Errorf("the first took the shared pin away: %q", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "both closed", table(t), before)
}

// Whichever operation fails, the table is as it was, and so is the journal.
func TestUndo(t *testing.T) {
	office4(t)
	dir := t.TempDir()
	before := table(t)
	n := session(t, dir)
	first := lab("172.16.0.0/16", "192.168.14.0/24")
	change := lab("172.16.0.0/16", "10.1.0.0/16", "10.2.0.0/16")
	change.Peer = netip.MustParseAddr("192.168.13.1")
	for _, c := range []struct {
		name string
		from func()
		cfg  Config
	}{
		{"first", func() {}, first},
		{"change", func() { set(t, n, first) }, change},
	} {
		c.from()
		start := table(t)
		var mine []Entry
		for fail := 0; ; fail++ {
			mine = append(mine[:0], n.record.Routes...)
			i := 0
			n.before = func(Op) error {
				if i++; i > fail {
					return unix.EIO
				}
				return nil
			}
			err := n.Set(ctx, &c.cfg)
			n.before = nil
			if err == nil {
				if fail != len(n.Last().Ops) || fail < 3 {
					t.Fatalf("%s: %d operations of %d", c.name, fail, len(n.Last().Ops))
				}
				break
			}
			var oe *OpError
			if !errors.As(err, &oe) || !errors.Is(err, unix.EIO) {
				t.Fatalf("%s: %v", c.name, err)
			}
			wantTable(t, c.name, table(t), start)
			if len(mine) != len(n.record.Routes) {
				t.Fatalf("%s: the journal has %v, had %v", c.name, n.record.Routes, mine)
			}
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

// What the kernel itself refuses undoes the rest too.
func TestKernelRefuses(t *testing.T) {
	office4(t)
	before := table(t)
	n := session(t, t.TempDir())
	cfg := lab()
	cfg.Link = "ppp7"
	err := n.Set(ctx, &cfg)
	if !errors.Is(err, unix.ENODEV) || !strings.Contains(err.Error(), "there is no such link") {
		t.Fatalf("a link that is not there: %v", err)
	}
	wantTable(t, "refused", table(t), before)

	canceled, cancel := context.WithCancel(ctx)
	good := lab()
	i := 0
	n.before = func(Op) error {
		if i++; i == 3 {
			cancel()
		}
		return nil
	}
	if err := n.Set(canceled, &good); !errors.Is(err, context.Canceled) || i != 3 {
		t.Fatalf("cancelled at operation %d: %v", i, err)
	}
	wantTable(t, "cancelled", table(t), before)
}

func TestConflict(t *testing.T) {
	office4(t)
	before := table(t)
	n := session(t, t.TempDir())
	cfg := dialling(lab("10.250.166.0/28"))
	var conflict *ConflictError
	if err := n.Set(ctx, &cfg); !errors.As(err, &conflict) || !strings.Contains(err.Error(), "10.250.166.1") {
		t.Fatalf("the router inside a requested subnet: %v", err)
	}
	wantTable(t, "refused", table(t), before)
	cfg.OnConflict = Warn
	set(t, n, cfg)
	ip(t, "route del default")
	none := dialling(lab())
	none.Gateway = netip.MustParseAddr("203.0.113.9")
	var noPath *NoPathError
	if err := n.Set(ctx, &none); !errors.As(err, &noPath) || !strings.Contains(err.Error(), "203.0.113.9") {
		t.Fatalf("no default route: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	ip(t, "route add default via 10.250.166.1 dev eth0")
	wantTable(t, "down", table(t), before)
}

// A session is killed with SIGKILL; another, to the same gateway, lives.
func TestRepairAfterKill(t *testing.T) {
	office4(t)
	tunnel(t, "ppp1", "192.168.23.240", "192.168.23.254")
	dir := t.TempDir()
	before := table(t)
	living := session(t, dir)
	second := lab("172.17.0.0/16")
	second.Name, second.Link, second.Peer = "second", "ppp1", netip.MustParseAddr("192.168.23.254")
	set(t, living, second)
	alive := table(t)

	cfg := lab("172.16.0.0/16", "203.235.199.0/24")
	cfg.Exclude = prefixes("172.16.9.0/24")
	kill := helper(t, dir, writeConfig(t, &cfg))
	both := table(t)
	if both == alive {
		t.Fatal("the helper did nothing")
	}
	if done, err := Repair(dir); err != nil || len(done) != 0 {
		t.Fatalf("repair with both alive: %q, %v", done, err)
	}
	wantTable(t, "both alive", table(t), both)

	kill()
	wantTable(t, "killed", table(t), both)
	done, err := Repair(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178":    true,
		"203.235.199.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178": true,
		"172.16.9.0/24 via 10.250.166.1 dev eth0 metric 1 proto 178":      true,
		"192.168.13.254 dev ppp0 scope link proto 178":                    true,
	}
	for _, d := range done {
		if !want[d] {
			t.Errorf("repair removed %q", d)
		}
		delete(want, d)
	}
	if len(want) != 0 {
		t.Errorf("repair did not say %v", want)
	}
	wantTable(t, "repaired", table(t), alive)
	if left := journals(t, dir); len(left) != 1 {
		t.Errorf("journals: %v", left)
	}
	if err := living.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

// A route with our tag that no journal knows of is a leftover too; one without is not.
func TestRepairByTag(t *testing.T) {
	office4(t)
	have6 := ipv6(t, "ppp0", true)
	before := table(t)
	ip(t, "route add 172.16.0.0/16 dev ppp0 proto 178")
	ip(t, "route add unreachable 10.66.0.0/16 proto 178 metric 7")
	want := 2
	if have6 {
		ip(t, "-6 route add 2001:db8:77::/48 dev ppp0 proto 178")
		want++
	}
	done, err := Repair(t.TempDir())
	if err != nil || len(done) != want {
		t.Fatalf("%q, %v", done, err)
	}
	wantTable(t, "repaired", table(t), before)
}

// What a living session owns is not guessed when its journal cannot be read.
func TestRepairBrokenJournal(t *testing.T) {
	office4(t)
	dir := t.TempDir()
	n := session(t, dir)
	set(t, n, lab())
	up := table(t)
	if err := os.WriteFile(filepath.Join(dir, dirName, journals(t, dir)[0]), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if done, err := Repair(dir); err == nil || len(done) != 0 {
		t.Errorf("repair: %q, %v", done, err)
	}
	wantTable(t, "repair", table(t), up)
}

// The owner dies before each operation in turn, those of a change included.
func TestRepairAfterCrashAnywhere(t *testing.T) {
	office4(t)
	before := table(t)
	change := lab("172.16.0.0/16", "10.1.0.0/16")
	change.Peer = netip.MustParseAddr("192.168.13.1")
	for crash, whole := 0, false; !whole; crash++ {
		dir := t.TempDir()
		n := NewNetlink(nil, dir)
		i := 0
		n.before = func(Op) error {
			if i++; i > crash {
				panic("killed")
			}
			return nil
		}
		func() {
			defer func() { recover() }()
			set(t, n, dialling(lab()))
			set(t, n, lab())
			set(t, n, change)
			whole = true
		}()
		n.journal.file.Close() // as the kernel does for the dead
		if _, err := Repair(dir); err != nil {
			t.Fatal(err)
		}
		wantTable(t, "repaired", table(t), before)
		if left := journals(t, dir); len(left) != 0 {
			t.Fatalf("journals left: %v", left)
		}
		n.kernel.close()
		if whole && crash < 8 {
			t.Fatalf("only %d operations", crash)
		}
	}
}

// Another namespace has another table: its journals claim nothing in this one.
func TestOtherNamespace(t *testing.T) {
	office4(t)
	dir := t.TempDir()
	n := session(t, dir)
	n.ns = "1:1"
	set(t, n, dialling(lab()))
	n.journal.file.Close()
	n.journal.file = nil
	if done, err := Repair(dir); err != nil || len(done) != 1 {
		t.Errorf("repair: %q, %v", done, err)
	}
	if left := journals(t, dir); len(left) != 1 {
		t.Errorf("journals: %v, want that of the other namespace", left)
	}
}

func TestManySubnets(t *testing.T) {
	office4(t)
	before := table(t)
	n := session(t, t.TempDir())
	cfg := manySubnets()
	start := time.Now()
	set(t, n, cfg)
	t.Logf("%d operations in %v", len(n.Last().Ops), time.Since(start))
	if got := len(n.Last().Ops); got != 5005 {
		t.Errorf("%d operations", got)
	}
	start = time.Now()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("taken back in %v", time.Since(start))
	wantTable(t, "down", table(t), before)
}
