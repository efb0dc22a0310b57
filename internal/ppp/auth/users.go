package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"goppptp/internal/mschap"
)

// Causes on the authenticator's side, for its owner's log only.
var (
	errNoSecret     = errors.New("this user has no secret")
	errNoLookup     = errors.New("no users are configured")
	errOtherUser    = errors.New("another name than at first")
	errLongName     = errors.New("a name of more than 255 octets")
	errWrong        = errors.New("wrong password")
	errHashOnly     = errors.New("only the NT hash of the password is stored, and this method needs the password itself: store it, or ask for mschapv2")
	errNoChange     = errors.New("there is nowhere to store a new one")
	errLMResponse   = errors.New("a LAN Manager response, which is not accepted")
	errChangeProof  = errors.New("the change was not made with the old password")
	errChangeFormat = errors.New("the change makes no sense")
)

const (
	textGranted = "Access granted"
	textDenied  = "Access denied"
	textExpired = "Password expired"
	textChange  = "The new password was not accepted"
)

// users is what the authenticators of all methods share: who may come in.
type users struct {
	*base
	cfg  *AuthenticatorConfig
	name string // who was let in at first
}

// verdict is what an authenticator thinks of a response.
type verdict struct {
	result Result // where err is nil
	err    *Error // nil: let in
	// expired: the password is right but must be changed first.
	expired bool
	// hash is the NT hash it was checked with (MS methods).
	hash mschap.NTHash
}

func (u *users) refused(user string, why Why, cause error) verdict {
	code := 0
	switch u.method {
	case MSCHAP, MSCHAPv2, EAP:
		switch why {
		case WhyExpired:
			code = CodePasswordExpired
		case WhyChange:
			code = CodeChangingPassword
		default:
			code = CodeAuthentication
		}
	}
	return verdict{err: &Error{Method: u.method, Code: code, Why: why, User: clipName(user), Ours: true, Err: cause}}
}

// maxName is the length of the longest user name, in octets: what PAP has room
// for (RFC 1334, Section 2.2.1). CHAP and EAP carry names as long as a packet, and
// whoever may not come in decides what stands in the log.
const maxName = 255

func clipName(user string) string {
	if len(user) > maxName {
		return user[:maxName] + "…"
	}
	return user
}

// find gives what to check a response against. Where there is no such user the
// credential is a random one and the error says why: the caller does the same
// work with it, and refuses in the same way.
func (u *users) find(user string) (Credential, error) {
	cred, err := Credential{}, errNoLookup
	switch {
	case len(user) > maxName:
		err = errLongName
	case u.cfg.Lookup != nil:
		cred, err = u.cfg.Lookup(user)
	}
	if err == nil && u.state == stateOpen && user != u.name {
		err = errOtherUser
	}
	if err == nil && cred.Password == "" && cred.NTHash == nil {
		err = errNoSecret
	}
	if err == nil {
		return cred, nil
	}
	var noise [8]byte
	if !u.random(noise[:]) {
		return Credential{}, err
	}
	return Credential{Password: Secret(hex.EncodeToString(noise[:]))}, err
}

// judge makes the verdict: right tells whether the response fits the
// credential, missing is the error of find.
func (u *users) judge(user string, cred Credential, missing error, right bool, r Result) verdict {
	switch {
	case missing != nil:
		return u.refused(user, WhyCredentials, missing)
	case !right:
		return u.refused(user, WhyCredentials, errWrong)
	case cred.Expired && u.state != stateOpen: // who is in already may stay
		v := u.refused(user, WhyExpired, nil)
		v.expired = true
		return v
	}
	r.User = user
	return verdict{result: r}
}

// granted remembers the user and reports.
func (u *users) granted(r Result) {
	u.name = r.User
	u.done(r)
}

// hashOf gives a credential's NT hash.
func hashOf(c Credential) mschap.NTHash {
	if c.NTHash != nil && c.Password == "" {
		return *c.NTHash
	}
	return mschap.NTPasswordHash(string(c.Password))
}

// checkPassword compares a password as PAP sends it.
func (u *users) checkPassword(user string, password []byte) verdict {
	cred, missing := u.find(user)
	var right bool
	if cred.Password != "" {
		got, want := sha256.Sum256(password), sha256.Sum256([]byte(cred.Password))
		right = subtle.ConstantTimeCompare(got[:], want[:]) == 1
	} else {
		got, want := mschap.NTPasswordHash(string(password)), hashOf(cred)
		right = subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
	return u.judge(user, cred, missing, right, Result{})
}

// checkMD5 compares a response of CHAP or EAP with MD5.
func (u *users) checkMD5(user string, id byte, challenge, response []byte) verdict {
	cred, missing := u.find(user)
	want := md5Response(id, cred.Password, challenge)
	right := subtle.ConstantTimeCompare(response, want[:]) == 1
	if missing == nil && cred.Password == "" {
		return u.refused(user, WhySecret, errHashOnly)
	}
	return u.judge(user, cred, missing, right, Result{})
}

// changePassword stores a new password.
func (u *users) changePassword(user string, new string) error {
	if u.cfg.ChangePassword == nil {
		return errNoChange
	}
	if new == "" {
		return errors.New("an empty password")
	}
	if err := u.cfg.ChangePassword(user, Secret(new)); err != nil {
		return fmt.Errorf("not stored: %w", err)
	}
	return nil
}
