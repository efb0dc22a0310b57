package auth

import (
	"fmt"
	"strings"
)

// Error is a refusal: by the server of us (Peer), or by us of the peer
// (Authenticator; Ours is set).
type Error struct {
	Method  Method
	Code    int    // of RFC 2759, Section 6, as sent: 691, 648 …; 0: none
	Message string // what the server said; printable, maybe empty
	Retry   bool   // the server would take another try at once
	Why     Why
	User    string // who was refused
	Ours    bool   // we are the server and refused the peer
	Err     error  // the cause on our side; never sent
}

// Error gives one line: what happened and, for a user, what to do.
func (e *Error) Error() string {
	if e.Ours {
		if e.Err != nil {
			return fmt.Sprintf("user %q refused (%s): %v", e.User, e.Method, e.Err)
		}
		return fmt.Sprintf("user %q refused (%s): %s", e.User, e.Method, e.Why)
	}
	if e.Why == WhySecret {
		return fmt.Sprintf("cannot authenticate with %s: %v: %s", e.Method, e.Err, e.Why.Advice())
	}
	var b strings.Builder
	b.WriteString("authentication refused")
	if e.Why != WhyUnknown || e.Message == "" {
		b.WriteString(": ")
		b.WriteString(e.Why.String())
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (E=%d)", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": the server says %q", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	fmt.Fprintf(&b, ": %s", e.Why.Advice())
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// ServerError tells that the server cannot prove that it knows the secret
// (RFC 2759, Section 5): it is not the one we think it is, or it has another
// password for this user.
type ServerError struct {
	Method Method
	Detail string
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("the server cannot prove that it knows the password (%s): %s: it may be an impostor; nothing was sent over the tunnel", e.Method, e.Detail)
}

// TimeoutError tells that the other side fell silent during authentication.
type TimeoutError struct {
	Method  Method
	Waiting string // what for: "a challenge", "the verdict" …
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("authentication (%s): the other side sent nothing while we waited for %s", e.Method, e.Waiting)
}
