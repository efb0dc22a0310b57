package profiles

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a password. However it is printed, logged or marshalled, the
// result is "[redacted]"; [Secret.Reveal] alone gives the text.
type Secret string

// Reveal returns the password.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]", or "" for no secret at all.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format serves every verb of fmt, those that do not fit a string included:
// fmt would print the operand of a bad verb without asking String.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText serves encoding/json and gopkg.in/yaml.v3.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
