package auth

import (
	"bytes"
	"errors"
	"time"
)

// eapStep is how far an eapAuthenticator has come.
type eapStep uint8

const (
	stepIdentity  eapStep = iota // asked who it is
	stepChallenge                // MSCHAPv2 or MD5: challenge sent
	stepProof                    // MSCHAPv2: Success request sent, with our proof
	stepRefusal                  // MSCHAPv2: Failure request sent
	stepChange                   // MSCHAPv2: Failure request sent, a new password may come
	stepVerdict                  // EAP Success or Failure sent
)

// eapAuthenticator asks who the peer is, then for MSCHAPv2, or MD5-Challenge
// where that is allowed and the peer has nothing better.
type eapAuthenticator struct {
	*base
	users *users
	v2    v2Server

	step      eapStep
	id        byte // of the request that is out
	innerID   byte
	identity  string
	inner     string // eapMD5, eapMSCHAPv2
	challenge []byte // MD5
	verdict   verdict
	reply     []byte // the EAP Success or Failure that answered id
}

func newEAPAuthenticator(b *base, u *users) *eapAuthenticator {
	return &eapAuthenticator{base: b, users: u, v2: v2Server{base: b, users: u}}
}

func (a *eapAuthenticator) start(now time.Time) {
	var id [1]byte
	if a.random(id[:]) {
		a.id = id[0]
		a.request(now, stepIdentity, []byte{eapTypeIdentity})
	}
}

// request sends the next request, until it is answered.
func (a *eapAuthenticator) request(now time.Time, step eapStep, data []byte) {
	a.id++
	a.step, a.reply = step, nil
	a.arm(now, appendPacket(nil, eapRequest, a.id, data))
}

// askMSCHAPv2 sends its challenge.
func (a *eapAuthenticator) askMSCHAPv2(now time.Time) {
	if !a.v2.ask() {
		return
	}
	a.inner, a.innerID = eapMSCHAPv2, a.id+1
	value := append(appendValue(nil, a.v2.challenge[:]), a.users.cfg.Name...)
	a.request(now, stepChallenge, appendInner(nil, inner{chapChallenge, a.innerID, value}))
}

// askMD5 sends its challenge.
func (a *eapAuthenticator) askMD5(now time.Time) {
	a.challenge = make([]byte, md5ChallengeLen)
	if !a.random(a.challenge) {
		return
	}
	a.inner = eapMD5
	a.request(now, stepChallenge, append(appendValue([]byte{eapTypeMD5}, a.challenge), a.users.cfg.Name...))
}

func (a *eapAuthenticator) handle(now time.Time, in packet) {
	if in.code != eapResponse || in.id != a.id || len(in.data) == 0 {
		return
	}
	if a.step == stepVerdict {
		if a.reply != nil {
			a.send(a.reply) // it was lost: the peer has repeated itself
		}
		return
	}
	kind := in.data[0]
	switch {
	case a.step == stepIdentity && kind == eapTypeIdentity:
		a.identity = string(in.data[1:])
		a.askMSCHAPv2(now)
	case a.step == stepChallenge && kind == eapTypeNak:
		a.declined(now, in.data[1:])
	case a.step == stepChallenge && kind == eapTypeMD5 && a.inner == eapMD5:
		a.answeredMD5(now, in)
	case kind == eapTypeMSCHAPv2 && a.inner == eapMSCHAPv2:
		if m, ok := parseInner(in.data); ok {
			a.answeredMSCHAPv2(now, m)
		}
	}
}

// declined goes on with MD5-Challenge, or ends.
func (a *eapAuthenticator) declined(now time.Time, wants []byte) {
	if a.inner == eapMSCHAPv2 && a.users.cfg.EAPMD5 && bytes.IndexByte(wants, eapTypeMD5) >= 0 {
		a.askMD5(now)
		return
	}
	cause := errors.New("it declined MSCHAPv2")
	if a.inner == eapMD5 {
		cause = errors.New("it declined MD5-Challenge")
	}
	a.conclude(now, a.users.refused(a.identity, WhyNoMethod, cause))
}

func (a *eapAuthenticator) answeredMD5(now time.Time, in packet) {
	value, _, ok := parseValue(in.data[1:])
	if !ok {
		return
	}
	// The user is the identity: the name in the packet is optional, and pppd
	// does not look at it either.
	a.conclude(now, a.users.checkMD5(a.identity, a.id, a.challenge, value))
}

func (a *eapAuthenticator) answeredMSCHAPv2(now time.Time, m inner) {
	switch {
	case a.step == stepChallenge && m.op == chapResponse:
		value, name, ok := parseValue(m.data)
		if !ok {
			return
		}
		user := string(name)
		if user == "" {
			user = a.identity
		}
		v, message := a.v2.check(user, value)
		a.answer(now, v, message)
	case a.step == stepChange && m.op == chapChange:
		a.innerID++
		v, message := a.v2.change(m.data)
		a.answer(now, v, message)
	case a.step == stepProof && m.op == chapSuccess:
		a.conclude(now, a.verdict)
	case a.step == stepProof && m.op == chapFailure:
		a.conclude(now, a.users.refused(a.verdict.result.User, WhyUnsatisfied, nil))
	case (a.step == stepRefusal || a.step == stepChange) && m.op == chapFailure:
		a.conclude(now, a.verdict)
	}
}

// answer sends the Success or Failure request that a verdict calls for.
func (a *eapAuthenticator) answer(now time.Time, v verdict, message []byte) {
	if a.state == stateFailed {
		return
	}
	a.verdict = v
	op, step := byte(chapSuccess), stepProof
	switch {
	case v.expired && a.users.cfg.ChangePassword != nil:
		op, step = chapFailure, stepChange
	case v.err != nil:
		op, step = chapFailure, stepRefusal
	}
	a.request(now, step, appendInner(nil, inner{op, a.innerID, message}))
	if step == stepChange {
		a.left = max(a.left, int(changeWait/a.restart))
	}
}

// conclude sends EAP Success or Failure and reports.
func (a *eapAuthenticator) conclude(now time.Time, v verdict) {
	a.step = stepVerdict
	code := byte(eapSuccess)
	if v.err != nil {
		code = eapFailure
	}
	a.reply = appendPacket(nil, code, a.id)
	a.send(a.reply)
	if v.err != nil {
		a.fail(v.err)
		return
	}
	v.result.EAPMethod = a.inner
	v.result.Message = textGranted
	a.users.granted(v.result)
	if a.users.cfg.Rechallenge > 0 {
		a.wait(now, a.users.cfg.Rechallenge)
	}
}

func (a *eapAuthenticator) expired(now time.Time) {
	switch a.step {
	case stepVerdict:
		if a.state == stateOpen {
			a.again(now)
		}
	case stepRefusal, stepChange:
		a.conclude(now, a.verdict)
	case stepIdentity:
		a.fail(&TimeoutError{EAP, "an identity"})
	case stepChallenge:
		a.fail(&TimeoutError{EAP, "a response to our challenge"})
	case stepProof:
		a.fail(&TimeoutError{EAP, "its word on our proof"})
	}
}

// again asks for proof during the session, with the method that was used.
func (a *eapAuthenticator) again(now time.Time) {
	if a.inner == eapMD5 {
		a.askMD5(now)
		return
	}
	a.askMSCHAPv2(now)
}
