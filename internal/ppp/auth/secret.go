package auth

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a password. Whatever formats, logs or marshals it, or a struct
// with an exported field of it, gets "[redacted]"; string(s) is the way to it.
type Secret string

func (Secret) String() string   { return redacted }
func (Secret) GoString() string { return redacted }

// Format keeps the secret out of every verb, %d and %x among them.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps the secret out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the secret out of JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
