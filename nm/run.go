package nm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/internal/ppp/auth"
	"goppptp/profiles"
)

// maxAsks is how often a refused password is asked for again.
const maxAsks = 2

// secretsTimeout is how long a person may take to type another password: with
// the attempt before it, which takes 15 s at most, there is an answer within a
// minute.
const secretsTimeout = 45 * time.Second

// loop runs one connection: attempts, with questions between them, until it is
// up and has ended, or cannot come up.
func (p *Plugin) loop(ctx context.Context, run *running) {
	defer run.cancel()
	password := run.connection.Secrets["password"]
	var err error
	if password == "" && lacksPassword(run.connection) {
		password, err = p.ask(ctx, run, fmt.Sprintf("A password is required to connect to %s.", run.profile.Gateway))
	}
	for asks := 0; err == nil; asks++ {
		err = p.attempts(ctx, run, profiles.Secret(password))
		if ctx.Err() != nil || err == nil || !run.interactive || asks == maxAsks || !wrongPassword(err) || p.up(run) {
			break
		}
		p.opts.Log.Warn("asking for the password again", "connection", run.connection.ID, "reason", err.Error())
		refused := err
		var answer string
		answer, err = p.ask(ctx, run, fmt.Sprintf("%s: %s", run.profile.Gateway, client.Explain(err).Text))
		if err == nil && answer == password {
			err = refused // whoever answers knows no other
		}
		password = answer
	}
	p.end(ctx, run, err)
}

func (p *Plugin) up(run *running) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return run.wasUp
}

// attempts dials once; where the connection was lost just now, until it is up
// or its time is over.
func (p *Plugin) attempts(ctx context.Context, run *running, password profiles.Secret) error {
	for {
		err := p.attempt(ctx, run, password)
		again := time.Now().Add(p.opts.RetryPause)
		if err == nil || ctx.Err() != nil || p.up(run) || !again.Before(run.tryUntil) || !mayComeBack(err) {
			return err
		}
		p.opts.Log.Warn("not back yet", "connection", run.connection.ID, "reason", client.Explain(err).Text)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(p.opts.RetryPause):
		}
	}
}

// attempt dials once and stays as long as the session lasts.
func (p *Plugin) attempt(ctx context.Context, run *running, password profiles.Secret) error {
	unit := "ppp%d"
	if n := run.connection.Unit(); n >= 0 {
		unit = fmt.Sprintf("ppp%d", n)
	}
	h := &handover{Platform: p.opts.Platform, unit: unit}
	p.mu.Lock()
	run.handover, run.handed = h, nil
	p.mu.Unlock()
	return p.opts.NewSession(client.Config{
		Profile: run.profile, Password: password, Platform: h, Routes: h, Log: p.opts.Log,
		OnEvent: func(ev control.Event) { p.onEvent(run, ev) },
	}).Run(ctx)
}

// ask has NetworkManager ask for a password.
func (p *Plugin) ask(ctx context.Context, run *running, message string) (string, error) {
	answer := make(chan *profiles.NMConnection, 1)
	p.mu.Lock()
	p.secrets = answer
	p.opts.Emit("SecretsRequired", message, []string{"password"})
	p.mu.Unlock()
	timeout := time.NewTimer(secretsTimeout)
	defer timeout.Stop()
	select {
	case c := <-answer:
		if c.Secrets["password"] == "" {
			return "", &control.Error{Reason: control.ReasonAuth, Text: "no password was given"}
		}
		return c.Secrets["password"], nil
	case <-timeout.C:
		return "", &control.Error{Reason: control.ReasonAuth, Text: "nobody answered the question for the password"}
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// end tells NetworkManager how it ended.
func (p *Plugin) end(ctx context.Context, run *running, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run, p.secrets = nil, nil
	if ctx.Err() == nil {
		if err == nil {
			err = &control.Error{Reason: control.ReasonFailed, Text: "the server ended the session"}
		}
		e := client.Explain(err)
		text := e.Text
		if e.Hint != "" && !strings.Contains(text, e.Hint) {
			text += "; " + e.Hint
		}
		what := "cannot connect"
		if run.wasUp {
			what = "the connection is lost"
		}
		if run.wasUp && run.persistent && mayComeBack(err) {
			if err := notes(p.opts.Notes).leave(run.connection.UUID); err != nil {
				p.opts.Log.Error("the next service cannot be told that the connection was lost", "error", err)
			}
		}
		p.opts.Log.Error(what, "connection", run.connection.ID, "reason", text)
		p.opts.Emit("Failure", uint32(failureOf(e.Reason)))
	}
	p.setLocked(StateStopped)
	close(run.done)
	// NetworkManager answers with Disconnect; where it does not, nothing keeps
	// the service.
	time.AfterFunc(farewellTime, p.leave)
}

// failureOf is the class of a reason.
func failureOf(r control.Reason) Failure {
	switch r {
	case control.ReasonAuth:
		return FailureLogin
	case control.ReasonConflict:
		return FailureIPConfig
	}
	return FailureConnect
}

// wrongPassword reports whether another password might do.
func wrongPassword(err error) bool {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e.Why == auth.WhyUnknown || e.Why == auth.WhyCredentials
	}
	_, ok := errors.AsType[*auth.ServerError](err)
	return ok
}
