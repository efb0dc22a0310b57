package auth

import "fmt"

// PPP protocol numbers that the methods speak (RFC 1334, 1994, 3748).
const (
	ProtocolPAP  uint16 = 0xc023
	ProtocolCHAP uint16 = 0xc223
	ProtocolEAP  uint16 = 0xc227
)

// Method is an authentication protocol as LCP negotiates it. The zero value is
// none of them.
type Method uint8

// The methods, weakest first but for EAP, whose strength is its inner method's.
const (
	PAP Method = iota + 1
	CHAP
	MSCHAP
	MSCHAPv2
	EAP
)

// methods gives each Method's name and its value of LCP option 3.
var methods = [...]struct {
	name   string
	option string
}{
	PAP:      {"pap", "\xc0\x23"},
	CHAP:     {"chap", "\xc2\x23\x05"},
	MSCHAP:   {"mschap", "\xc2\x23\x80"},
	MSCHAPv2: {"mschapv2", "\xc2\x23\x81"},
	EAP:      {"eap", "\xc2\x27"},
}

func (m Method) valid() bool { return m > 0 && int(m) < len(methods) }

// String gives the name used in profiles: pap, chap, mschap, mschapv2 or eap.
func (m Method) String() string {
	if !m.valid() {
		return fmt.Sprintf("method(%d)", uint8(m))
	}
	return methods[m].name
}

// MarshalText gives String, for JSON and YAML.
func (m Method) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// ParseMethod is the inverse of String.
func ParseMethod(s string) (Method, error) {
	for m := PAP; m.valid(); m++ {
		if methods[m].name == s {
			return m, nil
		}
	}
	return 0, fmt.Errorf("auth: unknown method %q: it is one of mschapv2, eap, mschap, chap, pap", s)
}

// Option gives the value of LCP's Authentication-Protocol option (RFC 1661,
// Section 6.2): the protocol and, for CHAP, the algorithm. Nil for no method.
func (m Method) Option() []byte {
	if !m.valid() {
		return nil
	}
	return []byte(methods[m].option)
}

// MethodFromOption is the inverse of Option.
func MethodFromOption(b []byte) (Method, bool) {
	for m := PAP; m.valid(); m++ {
		if methods[m].option == string(b) {
			return m, true
		}
	}
	return 0, false
}

// Protocol gives the PPP protocol number the method speaks.
func (m Method) Protocol() uint16 {
	switch m {
	case PAP:
		return ProtocolPAP
	case EAP:
		return ProtocolEAP
	}
	return ProtocolCHAP
}

// GivesKeys tells whether the method can give MPPE start keys. EAP can, if its
// inner method is MSCHAPv2.
func (m Method) GivesKeys() bool { return m == MSCHAP || m == MSCHAPv2 || m == EAP }
