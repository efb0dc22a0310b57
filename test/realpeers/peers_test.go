//go:build linux

package realpeers

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"goppptp/test/uml"
)

// What client and server agree on unless a scenario says otherwise.
const (
	userName   = "sio4"
	password   = "p4ssw0rd"
	tunnelAddr = "192.168.13.254" // the server's end of each tunnel
)

// pppdOptions is the policy of a pppd, at either end.
type pppdOptions struct {
	user, password string   // empty: the usual
	auth           string   // pppd's word: mschap-v2 (also when empty), mschap, chap, pap, eap
	mppe           string   // "128", "40": required so; "any": required; "none": refused; "": allowed
	stateful       bool     // ask for stateful MPPE
	ipv6           bool     // IPV6CP
	more           []string // further options
}

func (o pppdOptions) filled() pppdOptions {
	if o.user == "" {
		o.user = userName
	}
	if o.password == "" {
		o.password = password
	}
	if o.auth == "" {
		o.auth = "mschap-v2"
	}
	return o
}

// common are the options of either end.
func (o pppdOptions) common(t *testing.T) []string {
	options := []string{"debug", "nologfd", "nodefaultroute", "novj", "novjccomp", "nobsdcomp", "nodeflate"}
	switch o.mppe {
	case "128", "40":
		options = append(options, "require-mppe-"+o.mppe)
	case "any":
		options = append(options, "require-mppe")
	case "none":
		options = append(options, "nomppe")
	case "":
	default:
		t.Fatalf("mppe %q", o.mppe)
	}
	if o.stateful {
		options = append(options, "mppe-stateful", "plugin", uml.Exchange+"/stateful.so")
	}
	if !o.ipv6 {
		options = append(options, "noipv6")
	}
	return append(options, o.more...)
}

// writeFile writes what only root may read.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pppdQuote makes a word of pppd's files.
func pppdQuote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// startPPTPD runs pptpd with pppd in the server's place and waits until it
// listens. Its clients get 192.168.13.200 to 209.
func (n *network) startPPTPD(t *testing.T, o pppdOptions) *process {
	t.Helper()
	o = o.filled()
	options := append([]string{"name pptpd", "auth", "require-" + o.auth, "proxyarp", "lcp-echo-interval 30", "lcp-echo-failure 4"},
		strings.ReplaceAll(strings.Join(o.common(t), "\n"), "plugin\n", "plugin "))
	writeFile(t, "/etc/ppp/pptpd-test", strings.Join(options, "\n")+"\n")
	secrets := fmt.Sprintf("%s pptpd %s *\n", pppdQuote(o.user), pppdQuote(o.password))
	writeFile(t, "/etc/ppp/chap-secrets", secrets)
	writeFile(t, "/etc/ppp/pap-secrets", secrets)
	writeFile(t, "/etc/pptpd-test.conf", "option /etc/ppp/pptpd-test\npidfile /run/pptpd-test.pid\nlocalip "+tunnelAddr+"\nremoteip 192.168.13.200-209\n")
	n.server.sysctl(t, "ipv4/ip_forward", "1")
	t.Cleanup(func() { killAll(t, "pptpd", "pptpctrl", "pppd") })
	p := n.server.start(t, "pptpd", "--fg", "--conf", "/etc/pptpd-test.conf")
	n.server.awaitListener(t)
	return p
}

// awaitListener waits until TCP port 1723 is open.
func (p *place) awaitListener(t *testing.T) {
	t.Helper()
	eventually(t, 10*time.Second, "a listener on TCP port 1723", func() bool { return p.listening() })
}

func (p *place) listening() bool {
	found := false
	p.do(func() error {
		for _, file := range []string{"tcp", "tcp6"} {
			table, _ := os.ReadFile("/proc/thread-self/net/" + file)
			for line := range strings.Lines(string(table)) {
				f := strings.Fields(line)
				found = found || len(f) > 3 && strings.HasSuffix(f[1], ":06BB") && f[3] == "0A"
			}
		}
		return nil
	})
	return found
}

// dialPPTPLinux runs pppd with pptp-linux in a client's place. Hosts must not
// share pptp's sockets in /run/pptp, by which it finds calls to join, so each
// but the first gets its own. Its host route is left out: it never goes again.
func (n *network) dialPPTPLinux(t *testing.T, host *place, o pppdOptions) *process {
	t.Helper()
	o = o.filled()
	args := []string{"nodetach", "noauth", "user", o.user, "password", o.password, "remotename", "pptpd"}
	for _, a := range []string{"mschap-v2", "mschap", "chap", "pap", "eap"} {
		if a != o.auth {
			args = append(args, "refuse-"+a)
		}
	}
	args = append(args, o.common(t)...)
	args = append(args, "pty", "pptp "+publicAddr+" --nolaunchpppd --nohostroute")
	t.Cleanup(func() { killAll(t, "pptp", "pppd") })
	if host == n.client {
		return host.start(t, "pppd", args...)
	}
	const own = `mkdir -p /run/pptp && mount -t tmpfs tmpfs /run/pptp && exec pppd "$@"`
	return host.start(t, "unshare", append([]string{"--mount", "sh", "-c", own, "pppd"}, args...)...)
}

// routePPTPLinux waits for the tunnel of dialPPTPLinux and puts the closed
// networks into it, as its user's scripts would.
func routePPTPLinux(t *testing.T, host *place, link string, pppd *process) {
	t.Helper()
	awaitTunnel(t, host, link, pppd)
	host.route(t, "192.168.13.0/24", link)
	host.route(t, "172.16.0.0/16", link)
}

// awaitTunnel waits until the link has an address, or its process ended.
func awaitTunnel(t *testing.T, host *place, link string, p *process) {
	t.Helper()
	eventually(t, 20*time.Second, host.name+": "+link+" up", func() bool { return p.ended() || host.address(link) != "" })
	if p.ended() {
		t.Fatalf("%s ended with status %d before its tunnel was up", p.name, p.status(t, 0))
	}
}
