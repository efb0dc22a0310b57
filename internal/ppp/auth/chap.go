package auth

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"time"

	"goppptp/internal/mschap"
)

// Codes of CHAP (RFC 1994, Section 4; RFC 2759, Section 7).
const (
	chapChallenge = 1
	chapResponse  = 2
	chapSuccess   = 3
	chapFailure   = 4
	chapChange    = 7
)

const (
	v1ChallengeLen = 8
	v1ResponseLen  = 24 + 24 + 1 // LAN Manager response, NT response, flag (RFC 2433, Section 8)
)

// md5Response is the response of CHAP and EAP with MD5 (RFC 1994, Section 4.1).
func md5Response(id byte, secret Secret, challenge []byte) [md5.Size]byte {
	b := make([]byte, 0, 1+len(secret)+len(challenge))
	b = append(append(append(b, id), secret...), challenge...)
	return md5.Sum(b)
}

// chapPeer answers challenges: CHAP with MD5, MS-CHAP and MS-CHAPv2.
type chapPeer struct {
	*base
	cfg *PeerConfig
	v2  v2Peer

	id        byte   // of the response given last
	challenge []byte // which it answers
	response  []byte // the packet
	awaiting  bool   // the verdict on it
	keys      **keys // version 1: what it makes
	odd       string // what was wrong with a challenge that was passed over
}

func newCHAPPeer(b *base, cfg *PeerConfig) *chapPeer {
	return &chapPeer{base: b, cfg: cfg, v2: v2Peer{base: b, cfg: cfg, hash: cfg.hash()}}
}

func (p *chapPeer) start(now time.Time) {
	switch {
	case p.method == CHAP && !p.cfg.plain():
		p.fail(&Error{Method: p.method, Why: WhySecret, User: p.cfg.User, Err: errNeedsSecret})
	case len(p.cfg.User) > 255:
		p.fail(&Error{Method: p.method, Why: WhySecret, User: p.cfg.User, Err: errTooLong})
	default:
		p.wait(now, p.patience())
	}
}

func (p *chapPeer) handle(now time.Time, in packet) {
	if p.state == stateFailed {
		return
	}
	switch in.code {
	case chapChallenge:
		p.challenged(now, in)
	case chapSuccess:
		p.success(in)
	case chapFailure:
		p.failure(now, in)
	}
}

// challenged answers. The same challenge again gets the same answer: ours was
// lost, or is still on its way.
func (p *chapPeer) challenged(now time.Time, in packet) {
	value, _, ok := parseValue(in.data) // the name may be empty: accel-ppp's is
	if !ok {
		return
	}
	if p.response != nil && in.id == p.id && bytes.Equal(value, p.challenge) {
		p.send(p.response)
		return
	}
	var answer []byte
	switch p.method {
	case CHAP:
		if len(value) == 0 {
			p.odd = "; what came was empty"
			return
		}
		sum := md5Response(in.id, p.cfg.Password, value)
		answer = sum[:]
	case MSCHAP:
		if len(value) != v1ChallengeLen {
			p.odd = fmt.Sprintf(" of %d octets; what came has %d", v1ChallengeLen, len(value))
			return
		}
		nt := mschap.ChallengeResponse([8]byte(value), p.v2.hash)
		p.keys = hold(keys{version: 1, hashHash: p.v2.hash.Hash(), challenge: [8]byte(value)})
		answer = append(make([]byte, 24, v1ResponseLen), nt[:]...)
		answer = append(answer, 1) // "use the Windows NT compatible" response
	case MSCHAPv2:
		if len(value) != v2ChallengeLen {
			p.odd = fmt.Sprintf(" of %d octets; what came has %d", v2ChallengeLen, len(value))
			return
		}
		if answer, ok = p.v2.respond([16]byte(value)); !ok {
			return
		}
	}
	p.challenge = append([]byte(nil), value...)
	p.ask(now, in.id, appendPacket(nil, chapResponse, in.id, appendValue(nil, answer), []byte(p.cfg.User)))
}

// ask sends something that awaits a verdict. Where none comes it is sent again:
// the verdict may be lost, and only a repeated response brings it again
// (RFC 1994, Section 4.2).
func (p *chapPeer) ask(now time.Time, id byte, packet []byte) {
	p.id, p.response, p.awaiting = id, packet, true
	p.arm(now, packet)
}

func (p *chapPeer) success(in packet) {
	if !p.awaiting || in.id != p.id {
		return
	}
	result := Result{User: p.cfg.User, Message: text(in.data), keys: p.keys}
	if p.method == MSCHAPv2 {
		var err error
		if result, err = p.v2.success(in.data); err != nil {
			p.fail(err)
			return
		}
	}
	p.awaiting = false
	p.done(result)
}

func (p *chapPeer) failure(now time.Time, in packet) {
	if !p.awaiting || in.id != p.id {
		return
	}
	f := parseFailure(in.data)
	if p.method != MSCHAPv2 {
		p.fail(refusal(p.method, p.cfg.User, f))
		return
	}
	if !p.v2.mayChange(f) {
		p.fail(p.v2.refused(f))
		return
	}
	data, err := p.v2.change(f)
	if err != nil {
		p.fail(&Error{Method: p.method, Code: f.code, Why: WhyChange, User: p.cfg.User, Err: err})
		return
	}
	// "The value is the Identifier of the received Failure packet to which this
	// packet responds plus 1" (RFC 2759, Section 7).
	p.ask(now, in.id+1, appendPacket(nil, chapChange, in.id+1, data))
}

func (p *chapPeer) expired(time.Time) {
	switch {
	case p.state == stateOpen:
		// A renewal without a verdict: what counts for the server is whether it
		// got our response, and it asks again where it did not.
	case p.awaiting:
		p.fail(&TimeoutError{p.method, "the verdict on our response"})
	default:
		p.fail(&TimeoutError{p.method, "a challenge" + p.odd})
	}
}
