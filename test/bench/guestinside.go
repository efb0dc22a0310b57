package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"goppptp/test/bench/figures"
)

const (
	guestCommand = "guest-end"      // this program's hidden command
	guestResult  = "bench-outcome " // begins the line with what was measured
)

// The contenders of the guest, besides the bare cable.
const (
	theirsToTheirs = "pptp-linux to pptpd"
	oursToTheirs   = "goppptp to pptpd"
	theirsToOurs   = "pptp-linux to goppptp"
	oursToOurs     = "goppptp to goppptp"
)

// A guestOrder says what is to be measured in the guest.
type guestOrder struct {
	Rounds  int
	Seconds float64
	Pings   int
	Trial   time.Duration
	Only    []string
	Measure []string
	Exe     string
	Version string
}

// A guestOutcome is what came out.
type guestOutcome struct {
	Figures                   []figures.Figure
	Versions, Missing, Failed []figures.Version
}

// runGuest is the guest's command: its argument is a guestOrder.
func runGuest(args []string) int {
	err := measureInGuest(context.Background(), args)
	if err != nil {
		fmt.Println("bench:", err)
		return 1
	}
	return 0
}

func measureInGuest(ctx context.Context, args []string) error {
	var order guestOrder
	if len(args) != 1 {
		return fmt.Errorf("%d arguments", len(args))
	}
	if err := json.Unmarshal([]byte(args[0]), &order); err != nil {
		return err
	}
	b := &bench{stdout: os.Stdout, exe: order.Exe, options: options{
		rounds: order.Rounds, seconds: order.Seconds, pings: order.Pings, trial: order.Trial, only: order.Only, measure: order.Measure,
	}}
	var err error
	if b.dir, err = os.MkdirTemp("", "goppptp-bench-"); err != nil {
		return err
	}
	if err := prepareGuest(); err != nil {
		return err
	}
	list, err := b.prepare(ctx, guestContenders(order))
	if err != nil {
		return err
	}
	for round := range b.rounds {
		if list, err = b.round(ctx, round, list); err != nil {
			return err
		}
	}
	blob, err := json.Marshal(guestOutcome{b.set.Figures, b.report.Versions, b.report.Missing, b.report.Failed})
	if err != nil {
		return err
	}
	fmt.Printf("%s%s\n", guestResult, blob)
	return nil
}

const (
	pppdSecrets = "bench * bench *\n"
	pppdCommon  = "require-mppe-128\nnomppe-40\nnomppe-stateful\nnobsdcomp\nnodeflate\nnovj\nnovjccomp\nnoipv6\nnodefaultroute\nlock\nnologfd\n"
	pppdServer  = "name pptpd\nauth\nrequire-mschap-v2\n" + pppdCommon
	pptpdConf   = "option %s\npidfile %s\nlocalip %v\nremoteip %v\n"
)

// prepareGuest writes what pppd looks for in /etc/ppp. What the host's pppd is
// set up for is no concern of ours; the guest's files vanish with it.
func prepareGuest() error {
	if err := os.RemoveAll("/etc/ppp"); err != nil {
		return err
	}
	if err := os.MkdirAll("/etc/ppp/peers", 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"options": "", "chap-secrets": pppdSecrets} {
		if err := os.WriteFile("/etc/ppp/"+name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return swallowSyslog()
}

var syslogOnce sync.Once

// swallowSyslog takes what pppd and pptpd say to syslog, which is no longer than
// it takes to throw it away.
func swallowSyslog() (err error) {
	syslogOnce.Do(func() {
		var conn *net.UnixConn
		if conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"}); err != nil {
			return
		}
		go func() {
			buf := make([]byte, 8192)
			for {
				if _, err := conn.Read(buf); err != nil {
					return
				}
			}
		}()
	})
	return err
}

// guestContenders are the four pairs, and the cable.
func guestContenders(order guestOrder) []*contender {
	ours, real := goppptp(oursToOurs, order.Exe), &contender{server: servePPTPD, client: dialPPTPLinux}
	pair := func(name, version string, client, server *contender) *contender {
		return &contender{name: name, version: version, at: innerServer, atClient: innerClient, client: client.client, server: server.server}
	}
	theirs := "Debian's " + strings.Join(packageVersions("pptp-linux", "pptpd", "ppp"), ", ")
	return []*contender{
		bare(),
		pair(theirsToTheirs, theirs, real, real),
		pair(oursToTheirs, order.Version, ours, real),
		pair(theirsToOurs, order.Version, real, ours),
		pair(oursToOurs, order.Version, ours, ours),
	}
}

// packageVersions asks dpkg.
func packageVersions(names ...string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err != nil {
			out = []byte("of unknown version")
		}
		list[i] = name + " " + string(out)
	}
	return list
}

// servePPTPD starts pptpd, whose connections have pppd.
func servePPTPD(ctx context.Context, s *site) (err error) {
	options, conf := s.path("pppd-server"), s.path("pptpd.conf")
	if err := os.WriteFile(options, []byte(pppdServer), 0o600); err != nil {
		return err
	}
	text := fmt.Appendf(nil, pptpdConf, options, s.path("pptpd.pid"), innerServer, innerClient)
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		return err
	}
	if s.serverEnd, err = s.b.run(s.dir, "server", nil, "pptpd", "--fg", "--conf", conf); err != nil {
		return err
	}
	return s.b.listensTCP(ctx, s.serverEnd, 1723)
}

// dialPPTPLinux starts pppd with pptp-linux. All sites have the same addresses,
// and pptp finds calls to join by them in /run/pptp, so each has its own.
func dialPPTPLinux(ctx context.Context, s *site) (err error) {
	options := s.path("pppd-client")
	text := "nodetach\nnoauth\nuser bench\npassword bench\nremotename pptpd\n" + pppdCommon +
		fmt.Sprintf("pty \"pptp %v --nolaunchpppd --nohostroute\"\n", serverOuter)
	if err := os.WriteFile(options, []byte(text), 0o600); err != nil {
		return err
	}
	const own = `mkdir -p /run/pptp && mount -t tmpfs tmpfs /run/pptp && exec pppd file "$1"`
	s.clientEnd, err = s.a.run(s.dir, "client", nil, "unshare", "--mount", "sh", "-c", own, "pppd", options)
	return err
}

// listensTCP waits until a TCP port of the host is listened on.
func (h *host) listensTCP(ctx context.Context, p *process, port int) error {
	want := fmt.Sprintf(":%04X ", port)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var tables string
		err := h.do(func() error {
			for _, name := range []string{"tcp", "tcp6"} {
				table, err := os.ReadFile(filepath.Join("/proc/thread-self/net", name))
				if err != nil && !os.IsNotExist(err) {
					return err
				}
				tables += string(table)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if strings.Contains(tables, want) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s has ended: %v", p.name, p.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
