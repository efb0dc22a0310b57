package profiles

import (
	"fmt"
	"slices"
	"strings"

	"goppptp/internal/strictyaml"
)

// Error is one mistake in a profile, and where it is.
type Error = strictyaml.Error

// Errors is everything that is wrong with a profile, in the order of the file.
// errors.As finds the first *Error in it.
type Errors = strictyaml.Errors

// didYouMean returns `did you mean "x"?` for the known name nearest to got, or
// else the one that other programs call so; "" where there is neither.
func didYouMean(got string, known []string) string {
	if suggestion := strictyaml.DidYouMean(got, known); suggestion != "" {
		return suggestion
	}
	name := strings.ReplaceAll(strings.ToLower(got), "-", "_")
	if ours, ok := synonyms[name]; ok && slices.Contains(known, ours) {
		return fmt.Sprintf("did you mean %q?", ours)
	}
	return ""
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
