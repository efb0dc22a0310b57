package strictyaml

import (
	"fmt"
	"strings"
)

// Error is one mistake in a file, and where it is.
type Error struct {
	File         string
	Line, Column int    // from 1; Column 0: the whole line, Line 0: the whole file
	Key          string // as in "mppe.bits" or "routes[2].metric"; "" where none is to blame
	Message      string // what is wrong
	Suggestion   string // what would mend it, "" where nothing sensible is known
}

// Error returns one line: "lab.yaml:7:3: unknown key \"gatway\": did you mean \"gateway\"?"
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	b.WriteString(": ")
	b.WriteString(e.Message)
	if e.Suggestion != "" {
		b.WriteString(": ")
		b.WriteString(e.Suggestion)
	}
	return b.String()
}

// Errors is everything that is wrong with a file. errors.As finds the first
// *Error in it.
type Errors []*Error

// Error returns a line for each.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors to errors.Is and errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}
