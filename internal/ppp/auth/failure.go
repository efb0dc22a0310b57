package auth

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Error codes of a Failure packet (RFC 2759, Section 6).
const (
	CodeRestrictedHours  = 646
	CodeAccountDisabled  = 647
	CodePasswordExpired  = 648
	CodeNoDialIn         = 649
	CodeAuthentication   = 691
	CodeChangingPassword = 709
)

// failure is the text of a Failure packet of MS-CHAP:
// "E=691 R=1 C=<hex> V=3 M=Access denied" (RFC 2759, Section 6; RFC 2433,
// Section 9.2).
type failure struct {
	code      int // 0: not said
	retry     bool
	challenge []byte // nil: not said
	version   int
	message   string // printable
}

// parseFailure reads what there is of it.
//
// Interop: pppd sends V=0 and in version 1 no M=; the order differs, fields
// are missing, and servers that pass a RADIUS reply on send a plain text, which
// then is the message.
func parseFailure(b []byte) failure {
	var f failure
	rest := string(b)
	if i := strings.Index(rest, "E="); i == 1 {
		rest = rest[i:] // Interop: the identifier of RADIUS' MS-CHAP-Error, passed on with the text
	}
	known := false
	for {
		rest = strings.TrimLeft(rest, " ,\t\r\n\x00")
		if len(rest) < 2 || rest[1] != '=' {
			break
		}
		if key := rest[0]; key == 'M' || key == 'm' {
			f.message = text([]byte(rest[2:]))
			return f
		}
		key, value := rest[0], rest[2:]
		if end := strings.IndexAny(value, " ,\t\r\n\x00"); end >= 0 {
			value, rest = value[:end], value[end:]
		} else {
			rest = ""
		}
		switch key {
		case 'E', 'e':
			if n, err := strconv.ParseUint(value, 10, 31); err == nil {
				f.code, known = int(n), true
			}
		case 'R', 'r':
			f.retry, known = value == "1", true
		case 'C', 'c':
			if c, err := hex.DecodeString(value); err == nil && len(c) > 0 {
				f.challenge, known = c, true
			}
		case 'V', 'v':
			if n, err := strconv.ParseUint(value, 10, 31); err == nil {
				f.version, known = int(n), true
			}
		}
	}
	if known {
		f.message = text([]byte(rest))
	} else {
		f.message = text(b)
	}
	return f
}

// appendFailure is the inverse of parseFailure. The message is left out where
// it is empty.
func appendFailure(b []byte, f failure) []byte {
	retry := 0
	if f.retry {
		retry = 1
	}
	b = fmt.Appendf(b, "E=%d R=%d C=%X V=%d", f.code, retry, f.challenge, f.version)
	if f.message != "" {
		b = append(append(b, " M="...), f.message...)
	}
	return b
}

// Why classes the cause of a refusal.
type Why uint8

// The causes.
const (
	WhyUnknown     Why = iota // not said
	WhyCredentials            // wrong user name or password
	WhyHours                  // not at this hour
	WhyDisabled               // the account is disabled
	WhyExpired                // the password has expired
	WhyNoDialIn               // the account may not call in
	WhyChange                 // the new password was not accepted
	WhySecret                 // the secret at hand does not serve this method
	WhyNoMethod               // no EAP method both sides want
	WhyUnsatisfied            // our proof was not accepted (server)
)

// explanation gives a cause's text and what to do about it.
var explanation = [...]struct{ text, advice string }{
	WhyUnknown:     {"the server gave no reason", "check user name and password"},
	WhyCredentials: {"wrong user name or password", `check both; some servers want DOMAIN\user`},
	WhyHours:       {"this account may not log in at this hour", "try again within the hours that the administrator allows"},
	WhyDisabled:    {"the account is disabled", "ask the administrator to enable it"},
	WhyExpired:     {"the password has expired", "set a new password"},
	WhyNoDialIn:    {"the account has no dial-in permission", "ask the administrator to allow this account remote access"},
	WhyChange:      {"the server did not accept the new password", "choose another: the server's rules may ask for length, other kinds of characters, or one not used before"},
	WhySecret:      {"the secret cannot be used with this method", "give the password itself, or use mschapv2"},
	WhyNoMethod:    {"no EAP method that both sides want", "allow another method on one side"},
	WhyUnsatisfied: {"the peer did not accept our proof", "compare the password on both sides"},
}

func (w Why) String() string {
	if int(w) < len(explanation) {
		return explanation[w].text
	}
	return fmt.Sprintf("why(%d)", uint8(w))
}

// Advice says what a user can do about it, in one line.
func (w Why) Advice() string {
	if int(w) < len(explanation) {
		return explanation[w].advice
	}
	return ""
}

// whyOf gives the cause that a code of RFC 2759 stands for.
func whyOf(code int) Why {
	switch code {
	case CodeRestrictedHours:
		return WhyHours
	case CodeAccountDisabled:
		return WhyDisabled
	case CodePasswordExpired:
		return WhyExpired
	case CodeNoDialIn:
		return WhyNoDialIn
	case CodeAuthentication:
		return WhyCredentials
	case CodeChangingPassword:
		return WhyChange
	}
	return WhyUnknown
}
