package control

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Where the daemon's socket is, and the group that may change things.
const (
	DefaultSocket = "/run/goppptp/control.sock"
	Group         = "goppptp"
)

// State is what a session is, seen from far.
type State string

// The states.
const (
	StateDown          State = "down"
	StateConnecting    State = "connecting"
	StateUp            State = "up"
	StateReconnecting  State = "reconnecting" // lost, and waiting or trying again
	StateDisconnecting State = "disconnecting"
	StateFailed        State = "failed" // given up; Status.Error says why
)

// Stage is how far connecting has come: the step that is being worked on.
type Stage string

// The stages, in the order in which a connection passes them.
const (
	StageResolve Stage = "resolve" // name to address
	StageTCP     Stage = "tcp"     // TCP port 1723
	StageControl Stage = "control" // PPTP control connection
	StageCall    Stage = "call"    // outgoing call
	StageLCP     Stage = "lcp"     // first GRE packets, link parameters
	StageAuth    Stage = "auth"
	StageMPPE    Stage = "mppe"
	StageAddress Stage = "address"
	StageRoutes  Stage = "routes"
	StageUp      Stage = "up"
)

// MPPE is the encryption in force. Bits is 40, 56 or 128.
type MPPE struct {
	Bits     int  `json:"bits"`
	Stateful bool `json:"stateful"`
}

// Route is a route through the tunnel: as requested (To, Metric) or as it is
// in the kernel (all of it).
type Route struct {
	To     netip.Prefix `json:"to"`
	Metric int          `json:"metric,omitempty"`
	Via    netip.Addr   `json:"via,omitzero"`
	Dev    string       `json:"dev,omitempty"`
	Host   string       `json:"host,omitempty"` // the host name To was resolved from
}

// OfferedRoute is a route (or default route) the server offered, and what
// became of it.
type OfferedRoute struct {
	To     netip.Prefix `json:"to"`
	Via    netip.Addr   `json:"via,omitzero"`
	Source string       `json:"source"` // "dhcp option 121", …
	Taken  bool         `json:"taken"`
	Why    string       `json:"why"`
}

// Counters count payload octets and packets of a session since it came up,
// and what went wrong with packets from the peer.
type Counters struct {
	RxBytes   uint64 `json:"rx_bytes"`
	TxBytes   uint64 `json:"tx_bytes"`
	RxPackets uint64 `json:"rx_packets"`
	TxPackets uint64 `json:"tx_packets"`
	RxLost    uint64 `json:"rx_lost,omitempty"`
	RxLate    uint64 `json:"rx_late,omitempty"` // reordered, and used
	RxDropped uint64 `json:"rx_dropped,omitempty"`
	TxDropped uint64 `json:"tx_dropped,omitempty"`
}

// Status is one session of the daemon, all that is known of it.
type Status struct {
	Profile        string         `json:"profile"`
	State          State          `json:"state"`
	Stage          Stage          `json:"stage,omitempty"` // while connecting
	Gateway        string         `json:"gateway,omitempty"`
	GatewayAddress netip.Addr     `json:"gateway_address,omitzero"`
	User           string         `json:"user,omitempty"`
	Interface      string         `json:"interface,omitempty"`
	Local          netip.Addr     `json:"local,omitzero"`
	Peer           netip.Addr     `json:"peer,omitzero"`
	MTU            int            `json:"mtu,omitempty"`
	Auth           string         `json:"auth,omitempty"` // method used
	MPPE           *MPPE          `json:"mppe,omitempty"` // nil: none
	DNS            []netip.Addr   `json:"dns,omitempty"`
	Domains        []string       `json:"domains,omitempty"`        // whose names the tunnel's servers answer
	DomainOffered  string         `json:"domain_offered,omitempty"` // by the server
	Routes         []Route        `json:"routes"`
	RoutesOffered  []OfferedRoute `json:"routes_offered,omitempty"`
	Counters       Counters       `json:"counters"`
	Since          time.Time      `json:"since,omitzero"`        // of the state "up"
	Attempt        int            `json:"attempt,omitempty"`     // while reconnecting
	NextAttempt    time.Time      `json:"next_attempt,omitzero"` // while waiting for it
	Warnings       []string       `json:"warnings,omitempty"`
	Error          *Error         `json:"error,omitempty"` // why it is not up
}

// EventType tells events apart.
type EventType string

// The types of events.
const (
	EventState  EventType = "state"  // Status is the session's new one
	EventStage  EventType = "stage"  // Stage was reached; Text says something about it
	EventNote   EventType = "note"   // Text is for the user, nothing changed
	EventResult EventType = "result" // the last line of a streamed up: Status or Error
)

// Event is one line of /v1/events, and of a streamed up.
type Event struct {
	Time    time.Time `json:"time,omitzero"`
	Type    EventType `json:"type"`
	Profile string    `json:"profile,omitempty"`
	Stage   Stage     `json:"stage,omitempty"`
	Text    string    `json:"text,omitempty"`
	Status  *Status   `json:"status,omitempty"`
	Error   *Error    `json:"error,omitempty"`
}

// ProfileInfo is an installed profile, without its secret. Error says that
// its file is bad, and where.
type ProfileInfo struct {
	Name    string   `json:"name"`
	Gateway string   `json:"gateway,omitempty"`
	User    string   `json:"user,omitempty"`
	Routes  []string `json:"routes,omitempty"` // as written in the profile
	File    string   `json:"file,omitempty"`
	Asks    bool     `json:"asks,omitempty"`    // no secret stored: up needs Password
	Keyring bool     `json:"keyring,omitempty"` // Password is in the user's own keyring
	Error   string   `json:"error,omitempty"`
}

// Secret is a password on its way over the socket; it prints as [redacted].
type Secret string

func (Secret) String() string { return "[redacted]" }

// Format keeps the secret out of every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue keeps the secret out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// UpRequest asks for a session. Password is the caller's own answer to a
// profile that stores no secret; empty otherwise. NewPassword is what an
// expired password is changed to.
type UpRequest struct {
	Profile     string `json:"-"` // in the URL
	Password    Secret `json:"password,omitempty"`
	NewPassword Secret `json:"new_password,omitempty"`
}

// ServerSession is one session of a goppptp server.
type ServerSession struct {
	ID        string     `json:"id"`
	User      string     `json:"user"`
	Client    string     `json:"client"` // address and port of the control connection
	Interface string     `json:"interface,omitempty"`
	Local     netip.Addr `json:"local,omitzero"`
	Peer      netip.Addr `json:"peer,omitzero"` // the address the client was given
	Auth      string     `json:"auth,omitempty"`
	MPPE      *MPPE      `json:"mppe,omitempty"`
	Since     time.Time  `json:"since"`
	Counters  Counters   `json:"counters"`
}

// ValidProfileName reports whether s can be the name of an installed profile:
// 1 to 64 letters, digits, and '.', '_', '-', '@', not with '.' or '-' in
// front. It is never a path.
func ValidProfileName(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '.' || s[0] == '-' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-@", r))
	}) < 0
}
