package control

import (
	"errors"
	"net/http"
)

// Reason is why something was not done: the stable name that scripts branch
// on, one for each exit code of the program.
type Reason string

// The reasons.
const (
	ReasonFailed      Reason = "failed"      // other
	ReasonUsage       Reason = "usage"       // usage, bad or unknown profile
	ReasonUnreachable Reason = "unreachable" // the gateway's name or TCP port
	ReasonAuth        Reason = "auth"        // authentication refused
	ReasonMPPE        Reason = "mppe"        // encryption not agreed
	ReasonGRE         Reason = "gre"         // control connection works, no GRE comes back
	ReasonConflict    Reason = "conflict"    // a route conflict, nothing changed
	ReasonPermission  Reason = "permission"
	ReasonEnding      Reason = "ending" // the daemon is about to end: ask the next one
)

// reasons is the one table of exit codes and HTTP status codes.
var reasons = map[Reason]struct{ exit, status int }{
	ReasonFailed:      {1, http.StatusInternalServerError},
	ReasonUsage:       {2, http.StatusBadRequest},
	ReasonUnreachable: {3, http.StatusBadGateway},
	ReasonAuth:        {4, http.StatusBadGateway},
	ReasonMPPE:        {5, http.StatusBadGateway},
	ReasonGRE:         {6, http.StatusGatewayTimeout},
	ReasonConflict:    {7, http.StatusConflict},
	ReasonPermission:  {8, http.StatusForbidden},
	ReasonEnding:      {1, http.StatusServiceUnavailable},
}

// ExitCode returns the exit code of the program for r; 1 for an unknown one.
func (r Reason) ExitCode() int {
	if c, ok := reasons[r]; ok {
		return c.exit
	}
	return 1
}

// httpStatus returns the HTTP status that an answer with reason r has.
func (r Reason) httpStatus() int {
	if c, ok := reasons[r]; ok {
		return c.status
	}
	return http.StatusInternalServerError
}

// Error is a failure as it crosses the socket. Text is one line that says what
// went wrong, Hint one line that says what to do about it (may be empty).
type Error struct {
	Reason Reason `json:"reason"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Text }

// Is reports whether target is an *Error that has the same reason and no text:
// errors.Is(err, &Error{Reason: ReasonAuth}) asks for the reason alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Text == "" && t.Reason == e.Reason
}

// ErrNoDaemon says that nobody listens at the socket: the daemon does not run.
var ErrNoDaemon = errors.New("control: the daemon is not running")

// ReasonOf returns the reason err carries; [ReasonFailed] for an error that
// carries none, and "" for nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Reason != "" {
		return e.Reason
	}
	return ReasonFailed
}

// asError returns err as it is sent: its own *Error, or a new one with the
// reason failed.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Reason == "" {
			c := *e
			c.Reason = ReasonFailed
			return &c
		}
		return e
	}
	return &Error{Reason: ReasonFailed, Text: err.Error()}
}
