package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
)

// What is wrong with GRE although the call is connected.
var (
	errNoGRE     = errors.New("no GRE packet came back")
	errGREOneWay = errors.New("GRE packets come from the server while none of ours reach it")
)

// Explain turns what went wrong into the one line for the user, with the
// reason that scripts branch on and what to do about it.
func Explain(err error) *control.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*control.Error](err); ok {
		return e
	}
	reason, hint := classify(err)
	text := err.Error()
	if _, rest, ok := strings.Cut(text, ": "); ok && ourPackages[text[:len(text)-len(rest)-2]] {
		text = rest
	}
	// The hint is told beside the text: not in it as well.
	return &control.Error{Reason: reason, Text: strings.TrimSuffix(text, ": "+hint), Hint: hint}
}

// ourPackages are the names in front of errors that users need not know.
var ourPackages = map[string]bool{"osnet": true, "routing": true, "pptp": true, "ppp": true, "profiles": true, "control": true, "server": true, "client": true}

func classify(err error) (reason control.Reason, hint string) {
	if _, ok := errors.AsType[*routing.ConflictError](err); ok {
		return control.ReasonConflict, "see `goppptp plan` for all that was found; on_conflict: warn goes on regardless"
	}
	if _, ok := errors.AsType[*routing.NoPathError](err); ok {
		return control.ReasonUnreachable, "check the machine's network and its default route"
	}
	if _, ok := errors.AsType[*auth.ServerError](err); ok {
		return control.ReasonAuth, "either the password is wrong on one side, or this is not the server it claims to be; nothing was sent through it"
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		if advice := e.Why.Advice(); advice != "" {
			return control.ReasonAuth, advice
		}
		return control.ReasonAuth, "check user (DOMAIN\\user where the server wants one) and password in the profile"
	}
	if e, ok := errors.AsType[*ppp.NegotiationError](err); ok && e.Authentication {
		return control.ReasonAuth, "the server wants a method that `auth` in the profile does not list; a weaker one must be asked for by name"
	}
	if _, ok := errors.AsType[*ppp.MPPEError](err); ok {
		return control.ReasonMPPE, "make `mppe: {require, bits, stateful}` of the profile and the server's setting meet"
	}
	if errors.Is(err, errNoGRE) || errors.Is(err, errGREOneWay) {
		return control.ReasonGRE, "a router or firewall on the way drops GRE (IP protocol 47): allow it, or load the PPTP helper (nf_conntrack_pptp, nf_nat_pptp) there"
	}
	if e, ok := errors.AsType[*osnet.ICMPError](err); ok && e.NoGRE() {
		return control.ReasonGRE, "the gateway itself refuses GRE (IP protocol 47): forward it to the PPTP server along with TCP port 1723"
	}
	if _, ok := errors.AsType[*osnet.SendError](err); ok {
		return control.ReasonGRE, "GRE does not leave this machine: look at its firewall (OUTPUT chain)"
	}
	if _, ok := errors.AsType[*osnet.PrivilegeError](err); ok {
		return control.ReasonPermission, "run as root, or give the program these capabilities"
	}
	if errors.Is(err, fs.ErrPermission) {
		return control.ReasonPermission, "run it as root"
	}
	if _, ok := errors.AsType[*profiles.Error](err); ok {
		return control.ReasonUsage, ""
	}
	return control.ReasonFailed, ""
}

// unreachable says that the gateway's name or TCP port cannot be reached.
func unreachable(hint, format string, args ...any) *control.Error {
	return &control.Error{Reason: control.ReasonUnreachable, Text: fmt.Sprintf(format, args...), Hint: hint}
}

func explainResolve(host string, err error) error {
	why := err.Error()
	if _, ok := errors.AsType[*net.AddrError](err); ok { // there are addresses, none of them IPv4
		why = "no IPv4 address"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		switch {
		case e.IsNotFound:
			why = "no such host"
		case e.IsTimeout:
			why = "no name server answered"
		default:
			why = e.Err
		}
	}
	return unreachable("check `gateway` in the profile and the machine's DNS", "the gateway's name %q does not resolve: %s", host, why)
}

func explainDial(server netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		return unreachable("no PPTP server listens there: check `gateway`, the server, and the port forwarding of TCP 1723 on the gateway",
			"cannot connect to %v: connection refused", server)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return unreachable("check the machine's network and its route to the gateway", "cannot connect to %v: no route to it", server)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return unreachable("is the address right, and TCP port 1723 open on the way?", "cannot connect to %v: no answer", server)
	}
	return unreachable("", "cannot connect to %v: %v", server, last(err))
}

// last returns what is at the bottom of a chain of wrapped errors.
func last(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// explainControl says what a control connection that ended before the call
// was connected means.
func explainControl(server netip.AddrPort, err error) error {
	if err == nil {
		return &control.Error{Reason: control.ReasonFailed, Text: fmt.Sprintf("%v closed the control connection before the call was connected", server)}
	}
	if e, ok := errors.AsType[*pptp.CallError](err); ok {
		return &control.Error{Reason: control.ReasonFailed, Text: e.Error(), Hint: "the server's log says more"}
	}
	e := Explain(err)
	text := fmt.Sprintf("%v: %s", server, e.Text)
	_, silent := errors.AsType[*pptp.TimeoutError](err)
	if _, lost := errors.AsType[*pptp.LostError](err); lost || silent || errors.Is(err, pptp.ErrMagic) || errors.Is(err, pptp.ErrLength) {
		return &control.Error{Reason: e.Reason, Text: text, Hint: "is it a PPTP server that listens there, and has it room for one more?"}
	}
	return &control.Error{Reason: e.Reason, Text: text, Hint: e.Hint}
}

// noGRE returns what is wrong with GRE on a call that does not come up, or nil.
// The link has not come up where GRE fails in either direction: its first
// packets need both.
func noGRE(stats tunnel.Stats, linkWasUp bool) error {
	switch {
	case stats.GREReceived == 0:
		return errNoGRE
	case !linkWasUp && stats.GREAcks == 0:
		return errGREOneWay
	}
	return nil
}

// explainSession adds what the data path saw to why a session did not come up.
func explainSession(err error, stats tunnel.Stats, linkWasUp bool, sendErr error) error {
	if _, ok := errors.AsType[*ppp.TimeoutError](err); ok {
		if e := noGRE(stats, linkWasUp); e != nil {
			err = e
		}
	}
	if !errors.Is(err, errNoGRE) && !errors.Is(err, errGREOneWay) {
		return err
	}
	if sendErr != nil {
		e := Explain(sendErr)
		return &control.Error{Reason: control.ReasonGRE, Text: "the control connection works, but GRE cannot be sent: " + e.Text, Hint: e.Hint}
	}
	return fmt.Errorf("the control connection works and the call is connected, but %w", err)
}
