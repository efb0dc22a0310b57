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
	// Assign, if set, is asked for them by a server once the peer is known (user
	// is empty where none is asked for), and again only for another session.
	Assign func(user string) (local, remote netip.Addr, dns, wins []netip.Addr, err error)

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

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.MRU, 1400)
	c.MRU = max(minMRU, min(c.MRU, 65535))
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
