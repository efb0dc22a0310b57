package auth

import (
	"time"

	"goppptp/internal/mschap"
)

// md5ChallengeLen is ours to choose; the response has as much.
const md5ChallengeLen = 16

// chapAuthenticator challenges: CHAP with MD5, MS-CHAP and MS-CHAPv2.
type chapAuthenticator struct {
	*base
	users *users
	v2    v2Server

	id        byte   // of the challenge, or of the change of password
	challenge []byte // MD5 and version 1
	asking    bool   // no response yet
	changing  bool   // a change of password may come, with id+1
	reply     []byte // the verdict on id, for repeated responses
}

func newCHAPAuthenticator(b *base, u *users) *chapAuthenticator {
	return &chapAuthenticator{base: b, users: u, v2: v2Server{base: b, users: u}}
}

func (a *chapAuthenticator) start(now time.Time) {
	var id [1]byte
	if a.random(id[:]) {
		a.id = id[0]
		a.ask(now)
	}
}

// ask sends a new challenge, until it is answered.
func (a *chapAuthenticator) ask(now time.Time) {
	a.id++
	value := a.v2.challenge[:]
	switch a.method {
	case MSCHAPv2:
		if !a.v2.ask() {
			return
		}
		value = a.v2.challenge[:]
	case MSCHAP:
		value = make([]byte, v1ChallengeLen)
	default:
		value = make([]byte, md5ChallengeLen)
	}
	if a.method != MSCHAPv2 && !a.random(value) {
		return
	}
	a.challenge = append([]byte(nil), value...)
	a.asking, a.changing, a.reply = true, false, nil
	a.arm(now, appendPacket(nil, chapChallenge, a.id, appendValue(nil, a.challenge), []byte(a.users.cfg.Name)))
}

func (a *chapAuthenticator) handle(now time.Time, in packet) {
	switch {
	case in.code == chapResponse && in.id == a.id && a.asking:
		value, name, ok := parseValue(in.data)
		if !ok {
			return
		}
		a.asking = false
		v, message := a.check(string(name), value)
		a.conclude(now, v, message)
	case in.code == chapChange && in.id == a.id+1 && a.changing:
		a.id, a.changing = in.id, false
		v, message := a.v2.change(in.data)
		a.conclude(now, v, message)
	case (in.code == chapResponse || in.code == chapChange) && in.id == a.id && a.reply != nil:
		// "any Response packets received having the current Challenge Identifier
		// MUST return the same reply Code previously returned" (RFC 1994, Section 4.1).
		a.send(a.reply)
	}
}

// check judges a response and makes the text that goes with the verdict.
func (a *chapAuthenticator) check(name string, value []byte) (verdict, []byte) {
	switch a.method {
	case MSCHAPv2:
		return a.v2.check(name, value)
	case MSCHAP:
		v := a.checkV1(name, value)
		if v.err != nil {
			// V=0 as pppd has it: no change of password in version 1.
			return v, appendFailure(nil, failure{code: v.err.Code, challenge: a.challenge})
		}
		return v, []byte(textGranted)
	}
	v := a.users.checkMD5(name, a.id, a.challenge, value)
	switch {
	case v.expired:
		return v, []byte(textExpired)
	case v.err != nil:
		return v, []byte(textDenied)
	}
	return v, []byte(textGranted)
}

func (a *chapAuthenticator) checkV1(name string, value []byte) verdict {
	cred, missing := a.users.find(name)
	hash := hashOf(cred)
	challenge := [8]byte(a.challenge)
	var response [24]byte
	if len(value) == v1ResponseLen {
		copy(response[:], value[24:])
		if value[48] != 1 && missing == nil {
			missing = errLMResponse
		}
	}
	want := mschap.ChallengeResponse(challenge, hash)
	right := mschap.CheckResponse(response, want) && len(value) == v1ResponseLen
	return a.users.judge(name, cred, missing, right, Result{
		Message: textGranted,
		keys:    hold(keys{version: 1, hashHash: hash.Hash(), challenge: challenge}),
	})
}

// conclude sends the verdict and reports it.
func (a *chapAuthenticator) conclude(now time.Time, v verdict, message []byte) {
	if a.state == stateFailed {
		return // no random numbers for it
	}
	code := byte(chapSuccess)
	if v.err != nil {
		code = chapFailure
	}
	a.reply = appendPacket(nil, code, a.id, message)
	a.send(a.reply)
	switch {
	case v.err == nil:
		if v.result.Message == "" {
			v.result.Message = textGranted
		}
		a.users.granted(v.result)
		if a.users.cfg.Rechallenge > 0 {
			a.wait(now, a.users.cfg.Rechallenge)
		}
	case v.expired && a.method == MSCHAPv2 && a.users.cfg.ChangePassword != nil:
		a.changing = true
		a.wait(now, changeWait)
	default:
		a.fail(v.err)
	}
}

func (a *chapAuthenticator) expired(now time.Time) {
	switch {
	case a.asking:
		a.fail(&TimeoutError{a.method, "a response to our challenge"})
	case a.changing:
		a.fail(a.users.refused(a.v2.user, WhyExpired, nil).err)
	case a.state == stateOpen:
		a.ask(now)
	}
}
