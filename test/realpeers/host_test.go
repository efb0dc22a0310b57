//go:build linux

package realpeers

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"goppptp/test/uml"
)

// guestModules are what the network and the peers need of the kernel.
var guestModules = []string{
	"ppp_async", "ppp_synctty", "ppp_mppe", "tun", "veth", "bridge", "sch_netem",
	"iptable_raw", "iptable_nat", "iptable_filter", "xt_conntrack", "xt_CT", "nf_nat_pptp",
}

// requireVariable, if "all", makes a failure of what would be a skip.
const requireVariable = "GOPPPTP_TEST_REQUIRE"

func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv(requireVariable) == "all" {
		t.Fatalf(format+" ("+requireVariable+"=all)", args...)
	}
	t.Skipf(format, args...)
}

// missing names the packages to install before the scenarios can run.
func missing() []string {
	packages := uml.Missing()
	for _, p := range []struct{ program, name string }{
		{"pppd", "ppp"}, {"pptpd", "pptpd"}, {"pptp", "pptp-linux"}, {"iptables-legacy-restore", "iptables"}, {"cc", "gcc"}, {"tshark", "tshark"},
	} {
		found := false
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
			if _, err := os.Stat(filepath.Join(dir, p.program)); err == nil {
				found = true
			}
		}
		if !found {
			packages = append(packages, p.name)
		}
	}
	return packages
}

// runInGuest boots the guest with this test in it and makes subtests of its.
func runInGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short")
	}
	if packages := missing(); len(packages) > 0 {
		skip(t, "not installed: %s; as root test/setup does it", strings.Join(packages, " "))
	}
	if os.Getuid() != 0 {
		skip(t, "not root: the guest could not read all of this machine's programs")
	}
	dir := t.TempDir()
	build(t, "go", "build", "-trimpath", "-o", dir+"/goppptp", "goppptp/cmd/goppptp")
	build(t, "go", "test", "-c", "-o", dir+"/realpeers.test", "goppptp/test/realpeers")
	version, _ := exec.Command("/usr/sbin/pppd", "--version").CombinedOutput()
	build(t, "cc", "-shared", "-fPIC", "-o", dir+"/stateful.so", fmt.Sprintf("-DPPPD_VERSION=%q", regexp.MustCompile(`[0-9.]+\s*$`).FindString(strings.TrimSpace(string(version)))), "testdata/stateful.c")

	ctx := t.Context()
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-20*time.Second))
		defer cancel()
	}
	r, w := io.Pipe()
	relayed := make(chan error)
	var status int
	var err error
	go func() {
		status, err = uml.Run(ctx, uml.Config{
			Init: dir + "/realpeers.test", Dir: dir, Modules: guestModules, Output: w,
			Args: []string{uml.Exchange + "/realpeers.test", "-test.v=test2json", "-test.timeout=0", "-test.run=" + flag.Lookup("test.run").Value.String()},
			Env:  []string{insideVariable + "=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", requireVariable + "=" + os.Getenv(requireVariable)},
		})
		w.Close()
		close(relayed)
	}()
	relay(t, r)
	<-relayed
	dissect(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 && !t.Failed() {
		t.Fatalf("the guest's tests ended with status %d", status)
	}
}

// build runs a command that makes a program for the guest: static Go.
func build(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// mark is what `-test.v=test2json` puts before each line of the testing
// package's own.
const mark = "\x16"

var result = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(([\d.]+s)\)`)

// relay reads the guest's output and runs a subtest for each of its, which
// passes, fails or skips as that did and logs what it said.
func relay(t *testing.T, r io.Reader) {
	said := make(map[string][]string) // by test
	hasChildren := make(map[string]bool)
	current := ""
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, own := strings.CutPrefix(lines.Text(), mark)
		if !own {
			// A result at some depth is marked after its indentation.
			if before, after, found := strings.Cut(text, mark); found && strings.TrimSpace(before) == "" {
				text, own = after, true
			}
		}
		if !own {
			if text != "" {
				said[current] = append(said[current], text)
			}
			continue
		}
		if f := strings.Fields(text); len(f) >= 3 && f[0] == "===" {
			current = f[2]
			if f[1] == "NAME" || f[1] == "RUN" || f[1] == "CONT" {
				continue
			}
		}
		m := result.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		current = m[2]
		verdict, name, took := m[1], m[2], m[3]
		child, isChild := strings.CutPrefix(name, t.Name()+"/")
		if group, _ := filepath.Split(name); group != "" {
			hasChildren[strings.TrimSuffix(group, "/")] = true
		}
		if !isChild || hasChildren[name] {
			for _, line := range said[name] {
				t.Log(line)
			}
			continue
		}
		t.Run(child, func(t *testing.T) {
			t.Logf("%s in the guest", took)
			for _, line := range said[name] {
				t.Log(strings.TrimPrefix(line, "    "))
			}
			switch verdict {
			case "FAIL":
				t.Fail()
			case "SKIP":
				skip(t, "the guest skipped it")
			}
		})
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	for _, line := range said[""] {
		t.Log(line)
	}
}

// dissect has tshark read what the scenarios captured: no packet may be
// malformed, or an error to it.
func dissect(t *testing.T, dir string) {
	t.Run("tshark/control", func(t *testing.T) {
		file := dir + "/control"
		if err := writePcap(file, []packet{{time.Now(), malformed()}}); err != nil {
			t.Fatal(err)
		}
		if faults(t, file) == "" {
			t.Error("tshark finds no fault with a malformed packet")
		}
	})
	captures, _ := filepath.Glob(dir + "/*.pcap")
	for _, file := range captures {
		t.Run("tshark/"+strings.TrimSuffix(filepath.Base(file), ".pcap"), func(t *testing.T) {
			if found := faults(t, file); found != "" {
				t.Errorf("tshark finds fault with:\n%s", found)
			}
		})
	}
}

// malformed is an Ethernet frame with IP, GRE, PPP and an LCP Configure-Request
// whose option reaches beyond the end.
func malformed() []byte {
	frame := append(make([]byte, 12), 0x08, 0x00)
	frame = append(frame, 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 47, 0, 0, 10, 250, 166, 10, 203, 235, 199, 133)
	frame = append(frame, 0x30, 0x01, 0x88, 0x0b, 0, 12, 0, 0, 0, 0, 0, 1)
	return append(frame, 0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 8, 5, 0x30, 1, 2)
}

// faults lists the packets of a capture that tshark calls malformed or an error;
// but for TCP and EAP, where it has opinions on lost segments and on methods, also
// what it warns of.
func faults(t *testing.T, file string) string {
	t.Helper()
	const filter = "_ws.malformed || _ws.expert.severity >= 0x00800000 || (!tcp && !eap && _ws.expert.severity >= 0x00600000)"
	var complaints strings.Builder
	cmd := exec.Command("tshark", "-n", "-r", file, "-Y", filter,
		"-T", "fields", "-e", "frame.number", "-e", "ip.src", "-e", "_ws.col.Protocol", "-e", "_ws.expert.message", "-e", "_ws.col.Info")
	cmd.Stderr = &complaints
	found, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, complaints.String())
	}
	return string(found)
}
