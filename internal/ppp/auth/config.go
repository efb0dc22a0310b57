package auth

import (
	"crypto/rand"
	"io"
	"time"

	"goppptp/internal/mschap"
)

// Our tunables. RFC 1334 and 1994 leave them to the implementation; these are
// what pppd does too.
const (
	defaultRestart = 3 * time.Second
	defaultRetries = 10
	// changeWait is how long an Authenticator waits for the change of an
	// expired password: somebody may have to think of a new one.
	changeWait = 2 * time.Minute
)

// PeerConfig says who we are.
type PeerConfig struct {
	User     string         // as the server wants it, DOMAIN\user included
	Password Secret         // or
	NTHash   *mschap.NTHash // the MD4 of it, enough for MSCHAP, MSCHAPv2 and EAP with MSCHAPv2
	// NewPassword replaces a password that the server says has expired
	// (MSCHAPv2 and EAP with MSCHAPv2). Result.PasswordChanged tells that it did.
	NewPassword Secret
	// AllowEAPMD5 accepts the method that lets a server without the secret collect
	// material to guess it from, and that gives no keys.
	AllowEAPMD5 bool
	Rand        io.Reader     // nil: crypto/rand
	Restart     time.Duration // before an unanswered packet is sent again; 0: 3 s
	Retries     int           // how often something is sent before giving up; 0: 10
}

// Credential is what a server knows of a user: one of the two secrets, both
// empty meaning that nobody gets in. With NTHash alone PAP, MSCHAP, MSCHAPv2
// and EAP with MSCHAPv2 can be checked; CHAP and EAP with MD5 cannot.
type Credential struct {
	Password Secret
	NTHash   *mschap.NTHash
	Expired  bool // the password is right but must be changed first
}

// AuthenticatorConfig says whom we let in.
type AuthenticatorConfig struct {
	Name string // ours, as challenges carry it
	// Lookup finds a user by the name as it was sent, DOMAIN\ included. An error,
	// whatever it says, refuses the user as a wrong password does; it is what the
	// Error handed out wraps. It is called from Handle, and never for a name of
	// more than 255 octets: that is refused unasked.
	Lookup func(user string) (Credential, error)
	// ChangePassword stores the new password of a user whose Credential is
	// Expired. An error refuses it. Nil: passwords cannot be changed.
	ChangePassword func(user string, new Secret) error
	// EAPMD5 lets an EAP peer that cannot do MSCHAPv2 use MD5-Challenge.
	EAPMD5 bool
	// Rechallenge is how often the peer must prove itself again; 0: once is enough.
	// PAP has no such thing. Interop: a pppd that is asked again by EAP negotiates
	// IPCP anew each time; asked again by CHAP it does not.
	Rechallenge time.Duration
	Rand        io.Reader     // nil: crypto/rand
	Restart     time.Duration // before an unanswered packet is sent again; 0: 3 s
	Retries     int           // how often something is sent before giving up; 0: 10
}

func orRand(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}

// hash gives the NT hash of the password we prove, and whether there is one.
func (c *PeerConfig) hash() mschap.NTHash {
	if c.NTHash != nil && c.Password == "" {
		return *c.NTHash
	}
	return mschap.NTPasswordHash(string(c.Password))
}

// plain tells whether the password itself is known; methods but the MS ones need it.
func (c *PeerConfig) plain() bool { return c.Password != "" || c.NTHash == nil }
