package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/profiles"
	"goppptp/server"
)

// The exit codes are those of control.Reason: 0 done, 1 failed, 2 usage or bad
// profile, 3 unreachable, 4 authentication, 5 MPPE, 6 no GRE, 7 route
// conflict, 8 permission.

func usageError(format string, args ...any) error {
	return &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf(format, args...)}
}

// asError gives an error the reason it has for scripts.
func asError(err error) *control.Error {
	if e, ok := errors.AsType[*control.Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return &control.Error{Reason: control.ReasonFailed, Text: "interrupted"}
	}
	if errors.Is(err, control.ErrNoDaemon) {
		return &control.Error{Reason: control.ReasonFailed, Text: "no daemon runs: nothing is up"}
	}
	if _, ok := errors.AsType[*profiles.Error](err); ok {
		return &control.Error{Reason: control.ReasonUsage, Text: err.Error()}
	}
	if _, ok := errors.AsType[*server.ConfigError](err); ok {
		return &control.Error{Reason: control.ReasonUsage, Text: err.Error()}
	}
	return client.Explain(err)
}

// reported is an error of which the JSON on stdout tells already.
type reported struct{ error }

func (r reported) Unwrap() error { return r.error }

// reportedIf marks err, if there is one, as reported.
func reportedIf(yes bool, err error) error {
	if err == nil || !yes {
		return err
	}
	return reported{err}
}

// exit tells of err, if there is one, in one line and a hint on stderr, and to
// who wants JSON as an object on stdout; it returns the exit code.
func (a *app) exit(err error, asJSON bool) int {
	if err == nil {
		return 0
	}
	e := asError(err)
	if _, ok := errors.AsType[reported](err); !ok && asJSON {
		a.printJSON(map[string]any{"error": e})
	}
	const indent = "\n         "
	fmt.Fprintf(a.stderr, "goppptp: %s\n", strings.ReplaceAll(plain(e.Text), "\n", indent))
	if e.Hint != "" {
		fmt.Fprintf(a.stderr, "%s%s\n", indent[1:], plain(e.Hint))
	}
	return e.Reason.ExitCode()
}

// plain is s without what a terminal would act on: some of what is shown are
// the words of a server.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// needRoot explains a permission that is missing before anything is done.
func needRoot(err error) error {
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return client.Explain(err)
}

// printJSON writes v as indented JSON.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
