package routing

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needRoot skips a test that changes a network namespace of its own.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8)")
	}
}

// ownNamespace puts the test, and the programs it starts, into a new network
// namespace, whose thread ends with the test.
func ownNamespace(t testing.TB) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread() // never unlocked: the runtime then ends the thread
	before := namespace()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs a network namespace: %v", err)
	}
	if now := namespace(); now == before || now == "" {
		t.Fatalf("still in the namespace %s", now)
	}
	ipv6(t, "default", false)
	ip(t, "link set lo up")
}

// ip runs ip(8) in the test's namespace.
func ip(t testing.TB, command string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", command, err, out)
	}
	return string(out)
}

// table is everything the kernel has of both families, but for whether links
// have a carrier, which the kernel finds out in its own time.
func table(t testing.TB) string {
	t.Helper()
	return strings.ReplaceAll(ip(t, "-d -4 route show table all")+ip(t, "-d -6 route show table all"), " linkdown", "")
}

// mainTable is what the user sees, a line a route, without trailing blanks.
func mainTable(t testing.TB) string {
	t.Helper()
	return lines(strings.ReplaceAll(ip(t, "route show"), " linkdown", ""))
}

// office4 makes the how-to's machine, with its tunnel interface ppp0.
func office4(t testing.TB) {
	t.Helper()
	ownNamespace(t)
	wire(t, "eth0")
	ip(t, "addr add 10.250.166.53/24 dev eth0")
	ip(t, "route add default via 10.250.166.1 dev eth0")
	tunnel(t, "ppp0", "192.168.13.240", "192.168.13.254")
}

// wire makes an interface that is up, with nobody at its other end.
func wire(t testing.TB, name string) {
	t.Helper()
	ip(t, "link add "+name+" type veth peer name far-"+name)
	ip(t, "link set far-"+name+" up")
	ip(t, "link set "+name+" up")
}

// ipv6 turns IPv6 on or off for a link, "default" for those to come. It is off
// in the test's namespace, since the kernel adds its own routes when a link
// has found its carrier, which is at no certain time.
func ipv6(t testing.TB, link string, on bool) bool {
	t.Helper()
	path := "/proc/sys/net/ipv6/conf/" + link + "/disable_ipv6"
	if _, err := os.Stat(path); err != nil {
		return false
	}
	value := "1"
	if on {
		value = "0"
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	return true
}

func tunnel(t testing.TB, name, local, peer string) {
	t.Helper()
	ip(t, "tuntap add "+name+" mode tun")
	ip(t, "addr add "+local+" peer "+peer+" dev "+name+" noprefixroute")
	ip(t, "link set "+name+" up")
}

// helper starts this test binary in the test's namespace as a session that
// sets what stands in its environment, and waits until it has. stop kills it.
func helper(t *testing.T, runDir, cfg string) (stop func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), "ROUTING_TEST_RUNDIR="+runDir, "ROUTING_TEST_CONFIG="+cfg)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "set\n" {
		t.Fatalf("the session says %q, %v", line, err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cmd.Process.Kill()
			cmd.Wait()
			in.Close()
		}
	}
	t.Cleanup(stop)
	return stop
}

// The first thread stays where it is: it cannot end, and stands for the process.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if dir := os.Getenv("ROUTING_TEST_RUNDIR"); dir != "" {
		runtime.LockOSThread()
		var cfg Config
		if err := readConfig(os.Getenv("ROUTING_TEST_CONFIG"), &cfg); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if err := NewNetlink(nil, dir).Set(ctx, &cfg); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("set")
		bufio.NewReader(os.Stdin).ReadByte() // until it is killed
		os.Exit(0)
	}
	os.Exit(m.Run())
}
