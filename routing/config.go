package routing

import (
	"context"
	"net/netip"
)

// Protocol is the route protocol number ("proto 178" in ip(8)) that every
// route of ours carries, so that they are told from everybody else's by tag.
// /etc/iproute2/rt_protos leaves 178 unassigned.
const Protocol = 178

// Values of Config.OnConflict.
const (
	Refuse = "refuse" // a finding that would cut the user off is a ConflictError
	Warn   = "warn"   // such findings are reported and the routes are made all the same
)

// Route is one requested subnet.
type Route struct {
	To     netip.Prefix // masked
	Metric int          // 0: the Config's
}

// Config says which routes a session wants. The zero Link means that the
// tunnel does not exist yet: only the route to the gateway is wanted then.
type Config struct {
	Name    string     // the profile, for the journal; letters, digits, '.', '-', '_', '@'
	Gateway netip.Addr // the address dialled; never one that the server names itself
	Link    string     // the tunnel's interface, "" before there is one
	Local   netip.Addr // our address in the tunnel
	Peer    netip.Addr // the peer's address in the tunnel; not known, or 0.0.0.0: routes name the device alone
	IPv6    bool       // the tunnel carries IPv6 too

	Routes       []Route
	Exclude      []netip.Prefix // keep the path they have without the tunnel
	DefaultRoute bool           // everything but the gateway goes through the tunnel; also 0.0.0.0/0 in Routes
	Metric       int            // of every route that does not name its own
	OnConflict   string         // Refuse (also "") or Warn
	Block        bool           // while the tunnel is away, the requested subnets are unreachable
}

// Applier makes the kernel's table agree with a Config.
type Applier interface {
	// Set installs what cfg wants and takes away what an earlier Set installed
	// and cfg does not want any more. It is idempotent: the same Config twice
	// changes nothing. When it fails, what it changed has been changed back.
	Set(ctx context.Context, cfg *Config) error
	// Close takes back every route. The table is then as it was before the
	// first Set, other programs' changes aside.
	Close() error
}
