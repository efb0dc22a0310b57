package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/profiles"
	"goppptp/server"
)

// The exit codes are those of control.Reason: 0 done, 1 failed, 2 usage or bad
// profile, 3 unreachable, 4 authentication, 5 MPPE, 6 no GRE, 7 route
// conflict, 8 permission.

func usageError(text string) error {
	return &control.Error{Reason: control.ReasonUsage, Text: text}
}

// asError gives an error the reason it has for scripts.
func asError(err error) *control.Error {
	if e, ok := errors.AsType[*control.Error](err); ok {
		return e
	}
	if _, ok := errors.AsType[*profiles.Error](err); ok {
		return &control.Error{Reason: control.ReasonUsage, Text: err.Error()}
	}
	if _, ok := errors.AsType[*server.ConfigError](err); ok {
		return &control.Error{Reason: control.ReasonUsage, Text: err.Error()}
	}
	return client.Explain(err)
}

// reported is an error that has been shown already.
type reported struct{ error }

func (r reported) Unwrap() error { return r.error }

// exit shows err, if there is one, in one line and a hint, and returns the
// exit code for it.
func (a *app) exit(err error) int {
	if err == nil {
		return 0
	}
	e := asError(err)
	if _, ok := errors.AsType[reported](err); !ok {
		fmt.Fprintf(a.stderr, "goppptp: %s\n", e.Text)
		if e.Hint != "" {
			fmt.Fprintf(a.stderr, "         %s\n", e.Hint)
		}
	}
	return e.Reason.ExitCode()
}

// needRoot explains a permission that is missing before anything is done.
func needRoot(err error) error {
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &control.Error{Reason: control.ReasonPermission, Text: err.Error(), Hint: "run it as root, or give it CAP_NET_ADMIN and CAP_NET_RAW"}
}

// printJSON writes v as indented JSON.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
