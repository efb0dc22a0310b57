package profiles

import (
	"fmt"
	"strings"
)

// Error is one mistake in a profile, and where it is.
type Error struct {
	File         string
	Line, Column int    // from 1; 0 where unknown
	Key          string // as in "mppe.bits" or "routes[2].metric"; "" for the file as a whole
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

// Errors is everything that is wrong with a profile, in the order of the file.
// errors.As finds the first *Error in it.
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

// didYouMean returns `did you mean "x"?` for the known name nearest to got, or
// "" where none is near.
func didYouMean(got string, known []string) string {
	name := strings.ReplaceAll(strings.ToLower(got), "-", "_")
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, k := range known {
		if d := distance(name, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if s, ok := synonyms[name]; best == "" && ok {
		for _, k := range known {
			if k == s {
				best = s
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// synonyms are the names that other programs use for our keys.
var synonyms = map[string]string{
	"server": "gateway", "host": "gateway", "remote": "gateway", "address": "gateway",
	"username": "user", "name": "user", "login": "user",
	"pass": "password", "secret": "password",
	"subnets": "routes", "networks": "routes", "allowedips": "routes",
	"encryption": "mppe", "authentication": "auth", "persist": "reconnect",
	"search": "domains", "cidr": "to", "subnet": "to", "required": "require",
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
