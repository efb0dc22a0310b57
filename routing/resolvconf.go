package routing

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// resolvconf is the program of that name as manager: openresolv's, or the one
// of Debian and Ubuntu, which cannot split. (systemd's own, a link to
// resolvectl, only reaches what resolved reaches, and is never used.)
type resolvconf struct {
	program string
	runDir  string
	journal *journal // nil: nothing is set
}

func (*resolvconf) String() string { return "resolvconf" }

// record is what resolvconf knows a session's name servers by.
func resolvconfRecord(link string) string { return link + ".goppptp" }

func (r *resolvconf) set(ctx context.Context, cfg *DNSConfig) ([]Finding, error) {
	program, err := r.find()
	if err != nil {
		return nil, err
	}
	args := []string{"-a", resolvconfRecord(cfg.Link)}
	found := cfg.outside()
	switch open := isOpenresolv(ctx, program); {
	case open && cfg.All:
		args = append([]string{"-x", "-m", "0"}, args...)
	case open:
		args = append([]string{"-p"}, args...)
		found = append(found, Finding{Severity: Warning, Code: DNSUnused,
			Text: "openresolv keeps the tunnel's name servers for the local name server to split by domain; without one programs do not ask them",
			Fix:  "set up unbound or dnsmasq in /etc/resolvconf.conf, or use systemd-resolved"})
	case !cfg.All:
		return []Finding{{Severity: Warning, Code: DNSNoSplit,
			Text: "this resolvconf cannot ask some name servers for some domains only: the resolver is as before",
			Fix:  "use systemd-resolved or openresolv, or set dns: use"}}, nil
	}
	if err := r.note(cfg, program); err != nil {
		return nil, err
	}
	return found, run(ctx, resolvconfText(cfg), program, args...)
}

// resolvconfText is cfg in the syntax of resolv.conf(5).
func resolvconfText(cfg *DNSConfig) string {
	var b strings.Builder
	for _, a := range cfg.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	if len(cfg.Domains) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(cfg.Domains, " "))
	}
	return b.String()
}

func (r *resolvconf) revert(ctx context.Context, cfg *DNSConfig) error {
	program, err := r.find()
	if err == nil {
		err = run(ctx, "", program, "-d", resolvconfRecord(cfg.Link))
	}
	if isAbsent(err) {
		err = nil // uninstalled, and the journal is of no use any more
	}
	if err != nil {
		return err
	}
	if r.journal == nil {
		return nil
	}
	return r.journal.remove()
}

func (r *resolvconf) find() (string, error) {
	candidates := []string{r.program}
	if r.program == "" {
		candidates = []string{"/usr/sbin/resolvconf", "/sbin/resolvconf", "/usr/bin/resolvconf", "/usr/local/sbin/resolvconf"}
	}
	for _, c := range candidates {
		if target, err := filepath.EvalSymlinks(c); err == nil && filepath.Base(target) != "resolvectl" {
			if info, err := os.Stat(target); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return c, nil
			}
		}
	}
	return "", absent("there is no resolvconf")
}

func isOpenresolv(ctx context.Context, program string) bool {
	out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	return err == nil && strings.Contains(string(out), "openresolv")
}

// run runs a program with text as its input.
func run(ctx context.Context, text, program string, args ...string) error {
	c := exec.CommandContext(ctx, program, args...)
	c.Stdin = strings.NewReader(text)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if out, err := c.CombinedOutput(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, line)
	}
	return nil
}
