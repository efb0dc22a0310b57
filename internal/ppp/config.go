package ppp

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"goppptp/internal/ppp/auth"
)

// Role says which side of the link we are. PPP itself is symmetric; who
// authenticates and who gives the addresses is not.
type Role uint8

const (
	Client Role = iota // proves who we are, takes what address it is given
	Server             // asks for authentication, gives the addresses
)

func (r Role) String() string {
	switch r {
	case Client:
		return "client"
	case Server:
		return "server"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// peer names the other side.
func (r Role) peer() string { return (1 - r&1).String() }

// Config says how a Link is to be. The zero value of a field means what is said
// there, so that Config{Auth: …, Peer: …} will do for a client.
type Config struct {
	Role Role
	MRU  int // what the peer is to keep its information fields to, octets; 0: 1400

	Auth          []auth.Method            // client: what we will do; server: what we ask for, best first
	Peer          auth.PeerConfig          // client: who we are
	Authenticator auth.AuthenticatorConfig // server: whom we let in

	MPPE MPPE

	// Server: our address and the peer's; client: what to ask for. Not valid:
	// whatever the other side says.
	Local, Remote netip.Addr

	WantDNS, WantWINS bool         // client: ask for the servers
	DNS, WINS         []netip.Addr // server: give these

	IPv6 bool // negotiate IPV6CP; otherwise it is rejected

	// Echo watches the peer: after Interval without a sign of it an Echo-Request
	// is sent, and when Failures of them got none the link is over. Interval 0:
	// never. Failures 0: 4.
	Echo struct {
		Interval time.Duration
		Failures int
	}

	Restart      time.Duration // until a request is sent again, first; 0: 1 s
	RestartMax   time.Duration // and at most, doubling each time; 0: 3 s
	MaxConfigure int           // how often a Configure-Request is sent; 0: 10
	MaxTerminate int           // how often a Terminate-Request is sent; 0: 2
	MaxFailure   int           // Configure-Naks before options are rejected; 0: 5

	Rand io.Reader // nil: crypto/rand
}

// An Owner is whose link it is, where a server has many with the same Settings:
// it is asked for what differs.
type Owner interface {
	// Lookup is asked in place of Authenticator.Lookup, and must do what is said
	// there.
	Lookup(user string) (auth.Credential, error)
	// Assign is asked in place of Config.Local and Config.Remote once the peer is
	// known (user is empty where nobody asks who it is), and again only for another
	// session. Its error ends the link, and is told to the peer.
	Assign(user string) (local, remote netip.Addr, err error)
}

// Settings are a Config that is ready for use. They do not change, and any
// number of links share them, in any goroutines if Rand allows that.
type Settings struct{ cfg Config }

// NewSettings makes Settings. The slices in cfg are kept.
func NewSettings(cfg Config) *Settings { return &Settings{cfg.withDefaults()} }

// MPPE returns what encryption is wanted.
func (s *Settings) MPPE() MPPE { return s.cfg.MPPE }

// withDefaults fills in what is zero, but for the MRU, which may be the link's.
func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.Echo.Failures, 4)
	def(&c.MaxConfigure, 10)
	def(&c.MaxTerminate, 2)
	def(&c.MaxFailure, 5)
	if c.Restart <= 0 {
		c.Restart = time.Second
	}
	if c.RestartMax <= 0 {
		c.RestartMax = 3 * time.Second
	}
	if c.Peer.Rand == nil {
		c.Peer.Rand = c.Rand
	}
	if c.Authenticator.Rand == nil {
		c.Authenticator.Rand = c.Rand
	}
	return c
}
