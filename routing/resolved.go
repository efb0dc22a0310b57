package routing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/godbus/dbus/v5"
)

// The D-Bus interface of systemd-resolved; see org.freedesktop.resolve1(5).
const (
	resolvedName   = "org.freedesktop.resolve1"
	resolvedPath   = "/org/freedesktop/resolve1"
	resolvedMethod = resolvedName + ".Manager."
)

// resolved is systemd-resolved as manager.
type resolved struct {
	bus        string
	resolvConf string
}

func (*resolved) String() string { return "systemd-resolved" }

// linkAddress is an address as SetLinkDNS takes it.
type linkAddress struct {
	Family  int32 // of the socket: 2, or 10 for IPv6
	Address []byte
}

// linkDomain is a domain as SetLinkDomains takes it.
type linkDomain struct {
	Domain      string
	RoutingOnly bool // not appended to short names
}

const (
	familyIPv4 = 2
	familyIPv6 = 10
)

// linkSettings turns cfg into what systemd-resolved is told. A domain of a link
// is appended to short names and draws the names in it to the link's servers;
// "." draws all names.
func linkSettings(cfg *DNSConfig) (servers []linkAddress, domains []linkDomain) {
	for _, a := range cfg.Servers {
		family := int32(familyIPv4)
		if a.Is6() {
			family = familyIPv6
		}
		servers = append(servers, linkAddress{family, a.AsSlice()})
	}
	domains = []linkDomain{}
	for _, name := range cfg.Domains {
		domains = append(domains, linkDomain{name, false})
	}
	if cfg.All {
		domains = append(domains, linkDomain{".", true})
	}
	return servers, domains
}

func (r *resolved) set(ctx context.Context, cfg *DNSConfig) ([]Finding, error) {
	link, err := net.InterfaceByName(cfg.Link)
	if err != nil {
		return nil, err
	}
	conn, object, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	servers, domains := linkSettings(cfg)
	index := int32(link.Index)
	for _, call := range []struct {
		method string
		value  any
	}{
		{"SetLinkDNS", servers},
		{"SetLinkDomains", domains},
		{"SetLinkDefaultRoute", cfg.All},
	} {
		err := object.CallWithContext(ctx, resolvedMethod+call.method, 0, index, call.value).Err
		if isDBus(err, "org.freedesktop.DBus.Error.UnknownMethod") && call.method == "SetLinkDefaultRoute" {
			continue // before systemd 240, where the domains alone decide
		}
		if err != nil {
			return nil, fmt.Errorf("systemd-resolved: %s: %w", call.method, err)
		}
	}
	if !asksResolved(r.resolvConf) {
		return []Finding{{Severity: Warning, Code: DNSUnused,
			Text: "systemd-resolved knows the tunnel's name servers, but " + r.resolvConf + " does not send programs to it",
			Fix:  "ln -sf /run/systemd/resolve/stub-resolv.conf " + r.resolvConf}}, nil
	}
	return nil, nil
}

func (r *resolved) revert(ctx context.Context, cfg *DNSConfig) error {
	link, err := net.InterfaceByName(cfg.Link)
	if err != nil {
		return nil // it has gone, and its servers with it
	}
	conn, object, err := r.connect(ctx)
	if isAbsent(err) {
		return nil // gone, with all that it knew
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	err = object.CallWithContext(ctx, resolvedMethod+"RevertLink", 0, int32(link.Index)).Err
	if isDBus(err, resolvedName+".NoSuchLink") {
		return nil
	}
	return err
}

// connect finds systemd-resolved on the system bus; absent: it is not
// there, or keeps another network's resolver.
func (r *resolved) connect(ctx context.Context) (*dbus.Conn, dbus.BusObject, error) {
	var conn *dbus.Conn
	var err error
	if r.bus == "" {
		conn, err = dbus.ConnectSystemBus(dbus.WithContext(ctx))
	} else {
		conn, err = dbus.Connect(r.bus, dbus.WithContext(ctx))
	}
	if err != nil {
		return nil, nil, absent("there is no system bus on which systemd-resolved would be")
	}
	object := conn.Object(resolvedName, resolvedPath)
	// A call starts it where the bus can start it.
	if err := object.CallWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0).Err; err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, absent("systemd-resolved does not run")
	}
	var pid uint32
	if err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, resolvedName).Store(&pid); err == nil {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		ours, err2 := os.Readlink("/proc/thread-self/ns/net")
		if err == nil && err2 == nil && theirs != ours {
			conn.Close()
			return nil, nil, absent("systemd-resolved runs for another network namespace")
		}
	}
	return conn, object, nil
}

func isDBus(err error, name string) bool {
	e, ok := errors.AsType[dbus.Error](err)
	return ok && e.Name == name
}
