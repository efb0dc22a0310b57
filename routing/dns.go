package routing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// DNSConfig says which name servers the system asks while a tunnel is up.
type DNSConfig struct {
	Name    string       // the profile, for the journal
	Link    string       // the tunnel's interface
	Servers []netip.Addr // reached through it; what is no host's address is left out
	Domains []string     // what they answer for; with All, what is appended to short names
	All     bool         // they answer for everything

	Through []netip.Prefix // what goes through the tunnel; for findings alone
}

// Codes of findings about names and name servers.
const (
	HostUnresolved = "host-unresolved" // a requested host name does not resolve
	HostLater      = "host-later"      // the tunnel's name servers resolve it
	DNSNone        = "dns-none"        // the server names no name servers
	DNSNoManager   = "dns-manager"     // nothing on this machine can be told of them
	DNSUnused      = "dns-unused"      // what was told of them is not asked by programs
	DNSNoSplit     = "dns-split"       // it cannot ask them for some domains only
	DNSOutside     = "dns-no-route"    // no requested subnet holds a name server
	maxServers     = 8                 // name servers of one link
	dnsTimeout     = 5 * time.Second   // for whoever manages the resolver to answer
	resolvConf     = "/etc/resolv.conf"
)

// A manager is what keeps the system's resolver: systemd-resolved, resolvconf.
type manager interface {
	String() string
	// set replaces what was set for the link before. Findings say what the
	// manager cannot do.
	set(ctx context.Context, cfg *DNSConfig) ([]Finding, error)
	// revert takes it back. A link that is gone is no error.
	revert(ctx context.Context, cfg *DNSConfig) error
}

// absent is the error of a manager that is not there, and why.
type absent string

func (a absent) Error() string { return string(a) }

func isAbsent(err error) bool {
	_, ok := errors.AsType[absent](err)
	return ok
}

// DNS changes the system's resolver for one session, and back: by
// systemd-resolved, which knows name servers for each link, or else by
// resolvconf. /etc/resolv.conf itself is never written.
//
// systemd-resolved forgets a link's servers when the link goes, also when its
// owner is killed; for resolvconf a journal is kept, from which [Repair] works.
type DNS struct {
	log    *slog.Logger
	runDir string

	bus        string // the address of the system bus, "": the usual one
	resolvconf string // the program, "": in PATH
	resolvConf string // "": /etc/resolv.conf

	mu   sync.Mutex // guards what follows
	who  []manager  // may keep the resolver; who is preferred first
	last *DNSConfig // what is set; nil: nothing
	by   manager    // who has set it
	said []Finding
}

// NewDNS returns the DNS of one session. runDir, usually "/run/goppptp", holds
// the journals. log may be nil.
func NewDNS(log *slog.Logger, runDir string) *DNS {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &DNS{log: log, runDir: runDir, resolvConf: resolvConf}
}

func (d *DNS) managersLocked() []manager {
	if d.who == nil {
		d.who = []manager{
			&resolved{bus: d.bus, resolvConf: d.resolvConf},
			&resolvconf{program: d.resolvconf, runDir: d.runDir},
		}
	}
	return d.who
}

// Set makes the resolver ask cfg's servers. It is idempotent. The findings are
// about this cfg; with one of DNSNone, DNSNoManager and DNSNoSplit nothing is
// set. On an error the resolver may be as it was before the first Set.
func (d *DNS) Set(ctx context.Context, cfg *DNSConfig) ([]Finding, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	want := *cfg
	want.Servers = usable(cfg.Servers)
	if d.last != nil && d.last.equal(&want) {
		return d.said, nil
	}
	if len(want.Servers) == 0 {
		return []Finding{{Severity: Warning, Code: DNSNone, Text: "the server names no name server: the resolver is as before",
			Fix: "have it name one, or set dns: keep"}}, d.revertLocked(ctx)
	}
	if d.last != nil && d.last.Link != want.Link {
		if err := d.revertLocked(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	var why []string
	for _, m := range d.managersLocked() {
		found, err := m.set(ctx, &want)
		if isAbsent(err) {
			why = append(why, err.Error())
			continue
		}
		if err != nil {
			err = fmt.Errorf("routing: name servers of %s: %w", want.Link, err)
			return nil, errors.Join(err, m.revert(context.WithoutCancel(ctx), &want))
		}
		d.said = found
		if slices.ContainsFunc(found, func(f Finding) bool { return f.Code == DNSNoSplit }) {
			return found, nil // it has done nothing
		}
		d.last, d.by = &want, m
		d.log.Info("name servers set", "by", m.String(), "link", want.Link, "servers", fmt.Sprint(want.Servers), "domains", fmt.Sprint(want.Domains), "all", want.All)
		return found, nil
	}
	return []Finding{{Severity: Warning, Code: DNSNoManager,
		Text: "the resolver is as before: " + strings.Join(why, ", ") + ", and /etc/resolv.conf is not written by hand",
		Fix:  "install systemd-resolved or openresolv, or set dns: keep"}}, nil
}

// Close takes back what was set.
func (d *DNS) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.revertLocked(context.Background())
}

func (d *DNS) revertLocked(ctx context.Context) error {
	if d.last == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dnsTimeout)
	defer cancel()
	if err := d.by.revert(ctx, d.last); err != nil {
		return fmt.Errorf("routing: the name servers of %s cannot be taken back: %w", d.last.Link, err)
	}
	d.log.Info("name servers taken back", "by", d.by.String(), "link", d.last.Link)
	d.last, d.by, d.said = nil, nil, nil
	return nil
}

func (c *DNSConfig) equal(o *DNSConfig) bool {
	return c.Name == o.Name && c.Link == o.Link && c.All == o.All && slices.Equal(c.Servers, o.Servers) && slices.Equal(c.Domains, o.Domains)
}

// usable returns the addresses that a name server can have, each once.
func usable(list []netip.Addr) (out []netip.Addr) {
	for _, a := range list {
		if a = a.Unmap(); a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a.Zone() == "" &&
			a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && !slices.Contains(out, a) && len(out) < maxServers {
			out = append(out, a)
		}
	}
	return out
}

// outside returns a finding for the name servers that nothing that goes through
// the tunnel holds: packets to them do not take it, unless who asks them binds
// itself to the link, as systemd-resolved does.
func (c *DNSConfig) outside() []Finding {
	var out []string
	for _, a := range c.Servers {
		if !slices.ContainsFunc(c.Through, func(p netip.Prefix) bool { return p.Contains(a) }) {
			out = append(out, a.String())
		}
	}
	if len(out) == 0 {
		return nil
	}
	return []Finding{{Severity: Warning, Code: DNSOutside,
		Text: "the tunnel's name server " + strings.Join(out, ", ") + " is in none of the subnets that go through the tunnel",
		Fix:  "add it to routes"}}
}

// asksResolved reports whether programs that read the resolv.conf at path ask
// systemd-resolved: by its stub, or from its list.
func asksResolved(path string) bool {
	if target, err := os.Readlink(path); err == nil && strings.Contains(target, "systemd/resolve/") {
		return true
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" && (f[1] == "127.0.0.53" || f[1] == "127.0.0.54") {
			return true
		}
	}
	return false
}
