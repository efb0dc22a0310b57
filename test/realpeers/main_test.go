//go:build linux

package realpeers

import (
	"os"
	"testing"

	"goppptp/test/uml"
)

// insideVariable in the environment says that this is the guest.
const insideVariable = "GOPPPTP_TEST_INSIDE"

func TestMain(m *testing.M) {
	uml.Init()
	os.Exit(m.Run())
}

// log is what all programs of the guest say to syslog; set before any scenario.
var log *syslog

// TestRealPeers runs every scenario: in the guest directly, elsewhere by
// booting one.
func TestRealPeers(t *testing.T) {
	if os.Getenv(insideVariable) == "" {
		runInGuest(t)
		return
	}
	prepareGuest(t)
	for _, group := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"reference", testReference},
		{"client", testClient},
		{"server", testServer},
		{"refused", testRefusals},
		{"bursts", testBursts},
		{"weather", testWeather},
		{"crash", testCrashes},
		{"roundtrips", testRoundTrips},
	} {
		t.Run(group.name, group.run)
	}
}

// prepareGuest puts into the guest's file system what programs look for there.
func prepareGuest(t *testing.T) {
	var err error
	if log, err = openSyslog(); err != nil {
		t.Fatal(err)
	}
	// Programs that share one slow CPU must not lose packets for want of room:
	// with a gap and duplicates pptp-linux's queue gets stuck for good.
	for _, key := range []string{"rmem_default", "rmem_max"} {
		if err := os.WriteFile("/proc/sys/net/core/"+key, []byte("4194304"), 0); err != nil {
			t.Fatal(err)
		}
	}
	// What the host's pppd is set up for is no concern of ours.
	if err := os.RemoveAll("/etc/ppp"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/etc/ppp/peers", 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "/etc/ppp/options", "")
	// A name server that never answers: the router lets nothing through.
	writeFile(t, "/etc/resolv.conf", "nameserver 192.0.2.53\n")
	writeFile(t, "/etc/hosts", "127.0.0.1 localhost\n"+publicAddr+" station\n")
	for _, f := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if err := os.Chmod(f, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// begin starts a scenario with nothing left of the one before.
func begin(t *testing.T) {
	t.Helper()
	log.begin(t)
	if err := os.RemoveAll("/run/goppptp"); err != nil {
		t.Fatal(err)
	}
}
