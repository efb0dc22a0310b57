package profiles

import (
	"net/netip"
	"strings"
	"time"

	"goppptp/routing"
)

// DefaultPort is the TCP port of PPTP (RFC 2637, Section 3).
const DefaultPort = 1723

// DNS says what becomes of the system's resolver while the tunnel is up.
type DNS string

// Values of the key "dns".
const (
	DNSKeep  DNS = "keep"  // nothing is touched
	DNSSplit DNS = "split" // the tunnel's servers answer for the domains alone
	DNSUse   DNS = "use"   // the tunnel's servers answer for everything
)

// PushedMode says what becomes of routes that the server offers.
type PushedMode string

// Values of the key "pushed_routes".
const (
	PushedIgnore PushedMode = "ignore"
	PushedAccept PushedMode = "accept"
	PushedWithin PushedMode = "within" // a list of subnets: only inside these
)

// Pushed is the key "pushed_routes".
type Pushed struct {
	Mode   PushedMode     `json:"mode"`
	Within []netip.Prefix `json:"within,omitempty"` // with PushedWithin
}

// Route is an entry of "routes": a subnet or a host name.
type Route struct {
	To     netip.Prefix `json:"to,omitzero"`      // masked; not valid where Host is set
	Host   string       `json:"host,omitempty"`   // a name to be resolved
	Metric int          `json:"metric,omitempty"` // 0: the profile's
	Line   int          `json:"-"`                // where it stands in the file, 0: nowhere
}

// String returns the subnet or the name.
func (r Route) String() string {
	if r.Host != "" {
		return r.Host
	}
	return r.To.String()
}

// MPPE is the key "mppe".
type MPPE struct {
	Require  bool  `json:"require"`  // no session without encryption
	Bits     []int `json:"bits"`     // of 40, 56, 128; best first
	Stateful bool  `json:"stateful"` // allowed and preferred; otherwise stateless only
}

// Keepalive is the key "keepalive".
type Keepalive struct {
	Interval time.Duration `json:"interval"` // between LCP echoes; 0: none are sent
	Failures int           `json:"failures"` // unanswered ones after which the peer is held for dead
}

// Profile is a connection: every key of the file with its default filled in.
type Profile struct {
	Path string `json:"path,omitempty"` // the file, "" for one made in memory
	Name string `json:"name"`           // the file's name without .yaml

	Gateway string `json:"gateway"` // host name or IPv4 address
	Port    uint16 `json:"port"`    // DefaultPort unless the file says otherwise
	User    string `json:"user"`    // as written; may be DOMAIN\user

	// At most one of these is set; none: the secret is asked for.
	Password        Secret   `json:"password,omitempty"`
	PasswordFile    string   `json:"password_file,omitempty"`    // absolute, or relative to the profile's directory
	PasswordCommand []string `json:"password_command,omitempty"` // argv, no shell
	Keyring         bool     `json:"keyring,omitempty"`

	Routes       []Route        `json:"routes"`
	Exclude      []netip.Prefix `json:"exclude"`
	DefaultRoute bool           `json:"default_route"`
	PushedRoutes Pushed         `json:"pushed_routes"`
	Metric       int            `json:"metric"`
	DNS          DNS            `json:"dns"`
	Domains      []string       `json:"domains"`
	MPPE         MPPE           `json:"mppe"`
	Auth         []string       `json:"auth"` // of mschapv2, eap, mschap, chap, pap; best first
	MTU          int            `json:"mtu"`  // 0: auto
	Keepalive    Keepalive      `json:"keepalive"`
	Reconnect    bool           `json:"reconnect"`
	OnConflict   string         `json:"on_conflict"` // routing.Refuse or routing.Warn
	Leak         string         `json:"leak"`        // LeakAllow or LeakBlock

	OnUp     []Hook `json:"on_up,omitempty"`     // run whenever the tunnel has come up
	OnDown   []Hook `json:"on_down,omitempty"`   // and gone
	OnChange []Hook `json:"on_change,omitempty"` // its routes changed in between

	// text returns what Parse was given, with the edits since; nil: made in
	// memory. It is a function because the password is in it, and of unexported
	// fields fmt prints everything that it can reach.
	text func() []byte
}

// source returns the text, nil for a profile made in memory.
func (p *Profile) source() []byte {
	if p.text == nil {
		return nil
	}
	return p.text()
}

// New returns a profile with every default and no gateway, user or secret.
func New(name string) *Profile {
	return &Profile{
		Name:         name,
		Port:         DefaultPort,
		PushedRoutes: Pushed{Mode: PushedIgnore},
		Metric:       1,
		DNS:          DNSKeep,
		MPPE:         MPPE{Require: true, Bits: []int{128}},
		Auth:         []string{"mschapv2"},
		Keepalive:    Keepalive{Interval: 30 * time.Second, Failures: 4},
		Reconnect:    true,
		OnConflict:   routing.Refuse,
		Leak:         LeakAllow,
	}
}

// Domain returns what stands before the backslash of DOMAIN\user, or "".
func (p *Profile) Domain() string {
	domain, _, found := strings.Cut(p.User, `\`)
	if !found {
		return ""
	}
	return domain
}

// Account returns the user's name without the domain.
func (p *Profile) Account() string { return p.User[strings.Index(p.User, `\`)+1:] }

// HasSecret reports whether the profile says where the secret comes from.
func (p *Profile) HasSecret() bool {
	return p.Password != "" || p.PasswordFile != "" || len(p.PasswordCommand) > 0 || p.Keyring
}

// HostRoutes returns the entries of Routes that are host names.
func (p *Profile) HostRoutes() []Route {
	var out []Route
	for _, r := range p.Routes {
		if r.Host != "" {
			out = append(out, r)
		}
	}
	return out
}

// RoutingConfig returns what the profile asks of the route table: everything
// of a routing.Config but Gateway, Link, Local and Peer, which the client
// knows, and without the host names of HostRoutes, which it has yet to resolve.
func (p *Profile) RoutingConfig() routing.Config {
	cfg := routing.Config{
		Name:         p.Name,
		Exclude:      append([]netip.Prefix(nil), p.Exclude...),
		DefaultRoute: p.DefaultRoute,
		Metric:       p.Metric,
		OnConflict:   p.OnConflict,
		Block:        p.Leak == LeakBlock,
	}
	for _, r := range p.Routes {
		if r.Host == "" {
			cfg.Routes = append(cfg.Routes, routing.Route{To: r.To, Metric: r.Metric})
		}
	}
	return cfg
}
