package routing

import (
	"fmt"
	"net/netip"
	"strings"
)

// Severity says what a Finding means for the user.
type Severity int

const (
	Info    Severity = iota // good to know
	Warning                 // something asked for will not work as it seems
	Fatal                   // would cut the user off, or cannot work at all
)

// String returns "info", "warning" or "fatal".
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Fatal:
		return "fatal"
	}
	return fmt.Sprintf("severity(%d)", int(s))
}

// MarshalText serves encoding/json.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Codes of findings. They are stable: scripts may compare them.
const (
	GatewayUnknown   = "gateway-unknown"   // no address to pin
	GatewayNoPath    = "gateway-no-path"   // no route leads to the gateway
	LinkDown         = "link-down"         // the tunnel's interface was set down
	NoDefaultRoute   = "no-default-route"  // the gateway is reached without one
	GatewayLocal     = "gateway-is-local"  // the gateway is this machine
	GatewayInRoute   = "gateway-in-route"  // inside a requested subnet; the pin takes care
	GatewayIsRoute   = "gateway-is-route"  // the gateway's own address is requested
	GatewayViaVPN    = "gateway-via-vpn"   // reached through another tunnel
	PeerIsGateway    = "peer-is-gateway"   // the peer's address is the gateway's
	PeerUnset        = "peer-unset"        // the peer has no address of its own
	PeerInConnected  = "peer-in-connected" // the peer's address is one of a connected subnet
	OverlapExact     = "overlap-exact"     // a requested subnet is a connected one
	OverlapPart      = "overlap-part"      // a requested subnet is a part of a connected one
	OverlapWhole     = "overlap-whole"     // a requested subnet holds a connected one
	RouteIdentical   = "route-identical"   // was there before; stays afterwards
	RouteTaken       = "route-taken"       // another route has its place
	RouteShadowed    = "route-shadowed"    // another route to the same subnet is preferred
	RouteOverrides   = "route-overrides"   // is preferred to another to the same subnet
	MoreSpecific     = "more-specific"     // another route takes a part of a requested subnet
	PolicyRule       = "policy-rule"       // a rule sends the subnet to another table first
	DNSInRoute       = "dns-in-route"      // a DNS server in use is inside a requested subnet
	RouteOffered     = "route-offered"     // the server offers it; the profile decides
	Duplicate        = "duplicate"         // a subnet is requested twice
	ExcludeUnused    = "exclude-unused"    // no route covers it
	ExcludeIsRoute   = "exclude-is-route"  // the same subnet is requested and excluded
	DefaultRouteInfo = "default-route"     // everything goes through the tunnel
	IPv6Outside      = "ipv6-outside"      // everything, but not IPv6
	HoldTaken        = "hold-taken"        // a requested subnet cannot be blocked while the tunnel is away
	IPv6NotCarried   = "ipv6-not-carried"  // an IPv6 subnet and a tunnel without IPv6
)

// Finding is something the user should know about a Plan.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	Text     string   `json:"text"`          // one sentence
	Fix      string   `json:"fix,omitempty"` // what would mend it, "" where nothing needs to be
}

// String returns "warning: text; fix (code)".
func (f Finding) String() string {
	s := f.Severity.String() + ": " + f.Text
	if f.Fix != "" {
		s += "; " + f.Fix
	}
	return s + " (" + f.Code + ")"
}

// ConflictError says that the routes would cut the user off, and that
// Config.OnConflict forbids it. Nothing has been changed.
type ConflictError struct {
	Findings []Finding // the fatal ones
}

// Error returns one line, with the fix of the first finding.
func (e *ConflictError) Error() string {
	if len(e.Findings) == 0 {
		return "route conflict"
	}
	var b strings.Builder
	b.WriteString("route conflict: " + e.Findings[0].Text)
	if fix := e.Findings[0].Fix; fix != "" {
		b.WriteString("; " + fix)
	}
	if more := len(e.Findings) - 1; more > 0 {
		fmt.Fprintf(&b, " (and %d more)", more)
	}
	return b.String()
}

// NoPathError says that no route leads to the gateway. Nothing has been changed.
type NoPathError struct {
	Gateway netip.Addr
}

// Error returns one line.
func (e *NoPathError) Error() string {
	if !e.Gateway.IsValid() {
		return "no address of the gateway to make a route to"
	}
	return fmt.Sprintf("no route to the gateway %s; connect this machine to a network that reaches it", e.Gateway)
}

// Err returns what forbids to carry out the plan, or nil: a *NoPathError
// whatever onConflict says, and a *ConflictError unless it is Warn.
func (p *Plan) Err(onConflict string) error {
	var fatal []Finding
	for _, f := range p.Findings {
		switch {
		case f.Code == GatewayNoPath || f.Code == GatewayUnknown:
			return &NoPathError{Gateway: p.gateway}
		case f.Severity == Fatal:
			fatal = append(fatal, f)
		}
	}
	if len(fatal) > 0 && onConflict != Warn {
		return &ConflictError{Findings: fatal}
	}
	return nil
}
