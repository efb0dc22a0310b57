package auth

import (
	"errors"
	"time"
)

// Codes of PAP (RFC 1334, Section 2.2).
const (
	papRequest = 1
	papAck     = 2
	papNak     = 3
)

var (
	errTooLong     = errors.New("user name and password may have 255 octets at most")
	errNeedsSecret = errors.New("only the NT hash of the password is known")
)

// papPeer sends name and password until there is an answer.
type papPeer struct {
	*base
	cfg     *PeerConfig
	request []byte // its data
	asked   int    // how often: the identifiers 1 to asked, modulo 256, are ours
}

func (p *papPeer) start(now time.Time) {
	user, password := []byte(p.cfg.User), []byte(p.cfg.Password)
	switch {
	case !p.cfg.plain():
		p.fail(&Error{Method: PAP, Why: WhySecret, User: p.cfg.User, Err: errNeedsSecret})
		return
	case len(user) > 255 || len(password) > 255:
		p.fail(&Error{Method: PAP, Why: WhySecret, User: p.cfg.User, Err: errTooLong})
		return
	}
	p.request = appendValue(appendValue(nil, user), password)
	p.ask(now)
}

// ask sends the request: "The Identifier field MUST be changed each time an
// Authenticate-Request packet is issued" (RFC 1334, Section 2.2.1).
func (p *papPeer) ask(now time.Time) {
	p.asked++
	p.send(appendPacket(nil, papRequest, byte(p.asked), p.request))
	p.wait(now, p.restart)
}

func (p *papPeer) handle(_ time.Time, in packet) {
	if p.state != stateRunning || byte(p.asked)-in.id >= byte(min(p.asked, 255)) {
		return
	}
	// Interop: some leave the Msg-Length octet out where there is no message.
	message, _, _ := parseValue(in.data)
	switch in.code {
	case papAck:
		p.done(Result{User: p.cfg.User, Message: text(message)})
	case papNak:
		p.fail(refusal(PAP, p.cfg.User, parseFailure(message)))
	}
}

func (p *papPeer) expired(now time.Time) {
	if p.asked >= p.retries {
		p.fail(&TimeoutError{PAP, "an answer to name and password"})
		return
	}
	p.ask(now)
}

// refusal is the Error for what a server said.
func refusal(m Method, user string, f failure) *Error {
	e := &Error{Method: m, Code: f.code, Message: f.message, Retry: f.retry, Why: whyOf(f.code), User: user}
	if f.code == 0 && f.message == "" {
		e.Why = WhyCredentials
	}
	return e
}

// papAuthenticator waits for name and password.
type papAuthenticator struct {
	*base
	users   *users
	code    byte // of the verdict; 0: none yet
	message []byte
}

func (a *papAuthenticator) start(now time.Time) { a.wait(now, a.patience()) }

func (a *papAuthenticator) handle(_ time.Time, in packet) {
	if in.code != papRequest {
		return
	}
	// A request after the verdict "MUST return the same reply Code", whatever is
	// in it, so that nobody can try further names (RFC 1334, Section 2.2.1).
	if a.code != 0 {
		a.reply(in.id)
		return
	}
	user, rest, ok := parseValue(in.data)
	if !ok {
		return
	}
	password, _, ok := parseValue(rest)
	if !ok {
		return
	}
	v := a.users.checkPassword(string(user), password)
	if v.err != nil {
		a.code, a.message = papNak, []byte(textDenied)
		if v.expired {
			a.message = []byte(textExpired)
		}
		a.reply(in.id)
		a.fail(v.err)
		return
	}
	a.code, a.message = papAck, []byte(textGranted)
	a.reply(in.id)
	v.result.Message = textGranted
	a.users.granted(v.result)
}

func (a *papAuthenticator) reply(id byte) { a.send(a.answer(id)) }

// answer makes the packet.
func (a *papAuthenticator) answer(id byte) []byte {
	return appendPacket(nil, a.code, id, appendValue(nil, a.message))
}

func (a *papAuthenticator) expired(time.Time) { a.fail(&TimeoutError{PAP, "name and password"}) }
