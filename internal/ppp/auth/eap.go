package auth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Codes of EAP (RFC 3748, Section 4).
const (
	eapRequest  = 1
	eapResponse = 2
	eapSuccess  = 3
	eapFailure  = 4
)

// Types of EAP (RFC 3748, Section 5; draft-kamath-pppext-eap-mschapv2).
const (
	eapTypeIdentity     = 1
	eapTypeNotification = 2
	eapTypeNak          = 3
	eapTypeMD5          = 4
	eapTypeMSCHAPv2     = 26
)

// Names of the inner methods in Result.EAPMethod.
const (
	eapMD5      = "md5"
	eapMSCHAPv2 = "mschapv2"
)

// innerHeaderLen: type, operation, MS-CHAPv2 identifier, length of all but the type.
const innerHeaderLen = 5

// inner is a packet of MS-CHAPv2 inside EAP. Its operations are the codes of
// CHAP; success and failure responses are the operation alone.
type inner struct {
	op   byte
	id   byte
	data []byte // aliases what was parsed
}

// parseInner takes the data of an EAP packet of type MSCHAPv2, the type first.
//
// Interop: the length inside is not looked at: EAP's own says the same, and some
// servers get it wrong.
func parseInner(b []byte) (inner, bool) {
	if len(b) < 2 || b[0] != eapTypeMSCHAPv2 {
		return inner{}, false
	}
	if len(b) < innerHeaderLen {
		return inner{op: b[1]}, true
	}
	return inner{op: b[1], id: b[2], data: b[innerHeaderLen:]}, true
}

// appendInner is the inverse of parseInner, but for the operation alone.
func appendInner(b []byte, p inner) []byte {
	b = append(b, eapTypeMSCHAPv2, p.op, p.id)
	b = binary.BigEndian.AppendUint16(b, uint16(innerHeaderLen-1+len(p.data)))
	return append(b, p.data...)
}

// eapPeer answers requests: Identity, Notification, MD5-Challenge, MSCHAPv2.
type eapPeer struct {
	*base
	cfg *PeerConfig
	v2  v2Peer

	request  []byte // the last one, code and all
	response []byte // and what we said: the same request again gets the same again

	method   string      // what we answered a challenge of: eapMD5, eapMSCHAPv2
	awaiting eapAwaiting // what the server owes us
	proved   *Result     // MSCHAPv2: the server's proof was right; reported when that is acknowledged
	wanted   error       // why we sent a Nak
	refused  *Error      // by a Failure request; reported when that is acknowledged
	unproved bool        // a Success came that was none
}

// eapAwaiting is what an eapPeer expects the server to do next.
type eapAwaiting uint8

const (
	awaitingRequest eapAwaiting = iota // nothing is owed
	awaitingVerdict                    // MD5: Success or Failure
	awaitingProof                      // MSCHAPv2: the Success or Failure request
)

func newEAPPeer(b *base, cfg *PeerConfig) *eapPeer {
	return &eapPeer{base: b, cfg: cfg, v2: v2Peer{base: b, cfg: cfg, hash: cfg.hash()}}
}

func (p *eapPeer) start(now time.Time) {
	if len(p.cfg.User) > 255 {
		p.fail(&Error{Method: EAP, Why: WhySecret, User: p.cfg.User, Err: errTooLong})
		return
	}
	p.wait(now, p.patience())
}

func (p *eapPeer) handle(now time.Time, in packet) {
	if p.state == stateFailed {
		return
	}
	switch in.code {
	case eapRequest:
		p.asked(now, in)
	case eapSuccess:
		p.success(in)
	case eapFailure:
		p.failure(in)
	}
}

// asked answers a request. Responses are "never retransmitted on a timer"
// (RFC 3748, Section 4.1, in short): the server repeats its request.
func (p *eapPeer) asked(now time.Time, in packet) {
	if len(in.data) == 0 {
		return
	}
	whole := appendPacket(nil, in.code, in.id, in.data)
	if p.response != nil && bytes.Equal(whole, p.request) {
		p.send(p.response)
		return
	}
	var answer []byte
	switch in.data[0] {
	case eapTypeIdentity:
		p.awaiting, p.method, p.wanted = awaitingRequest, "", nil
		answer = append([]byte{eapTypeIdentity}, p.cfg.User...)
	case eapTypeNotification:
		if said := text(in.data[1:]); said != "" {
			p.emit(Notice{said})
		}
		answer = []byte{eapTypeNotification}
	case eapTypeMD5:
		answer = p.askedMD5(in)
	case eapTypeMSCHAPv2:
		answer = p.askedMSCHAPv2(in)
	default:
		answer = p.nak(fmt.Errorf("the server wants EAP type %d", in.data[0]))
	}
	if answer == nil {
		return
	}
	p.request = whole
	p.response = appendPacket(nil, eapResponse, in.id, answer)
	p.send(p.response)
	switch {
	case p.refused != nil:
		p.fail(p.refused)
	case p.proved != nil:
		// Interop: pppd 2.4.9 sends no EAP Success after MSCHAPv2, and negotiates
		// CCP and IPCP from its proof on. Both sides have proved what they had to;
		// "the peer MAY … conclude that the EAP Success packet was lost and that
		// authentication concluded successfully" (RFC 3748, Section 4.2).
		p.finish(*p.proved)
	case p.state != stateRunning:
		// Open: what a renewal comes to is the server's concern, no wait for it.
	default:
		p.wait(now, p.patience())
	}
}

// nak asks for the methods we know instead (RFC 3748, Section 5.3.1).
func (p *eapPeer) nak(why error) []byte {
	p.wanted = why
	answer := []byte{eapTypeNak, eapTypeMSCHAPv2}
	if p.mayMD5() {
		answer = append(answer, eapTypeMD5)
	}
	return answer
}

func (p *eapPeer) mayMD5() bool { return p.cfg.AllowEAPMD5 && p.cfg.plain() }

func (p *eapPeer) askedMD5(in packet) []byte {
	if !p.mayMD5() {
		why := errors.New("the server wants EAP with MD5-Challenge, which is not allowed here")
		if p.cfg.AllowEAPMD5 {
			why = fmt.Errorf("the server wants EAP with MD5-Challenge: %w", errNeedsSecret)
		}
		return p.nak(why)
	}
	value, _, ok := parseValue(in.data[1:])
	if !ok || len(value) == 0 {
		return nil
	}
	sum := md5Response(in.id, p.cfg.Password, value)
	p.method, p.awaiting = eapMD5, awaitingVerdict
	return append(appendValue([]byte{eapTypeMD5}, sum[:]), p.cfg.User...)
}

func (p *eapPeer) askedMSCHAPv2(in packet) []byte {
	m, ok := parseInner(in.data)
	if !ok {
		return nil
	}
	switch m.op {
	case chapChallenge:
		value, _, ok := parseValue(m.data)
		if !ok || len(value) != v2ChallengeLen {
			return nil
		}
		response, ok := p.v2.respond([16]byte(value))
		if !ok {
			return nil
		}
		p.method, p.awaiting = eapMSCHAPv2, awaitingProof
		return appendInner(nil, inner{chapResponse, m.id, append(appendValue(nil, response), p.cfg.User...)})
	case chapSuccess:
		if p.awaiting != awaitingProof {
			return nil
		}
		result, err := p.v2.success(m.data)
		if err != nil {
			p.fail(err)
			return nil
		}
		p.proved = &result
		return []byte{eapTypeMSCHAPv2, chapSuccess}
	case chapFailure:
		if p.awaiting != awaitingProof {
			return nil
		}
		return p.refusedMSCHAPv2(m)
	}
	return nil
}

// refusedMSCHAPv2 answers a Failure request: with a new password where that
// helps, otherwise with the acknowledgement, and the end.
func (p *eapPeer) refusedMSCHAPv2(m inner) []byte {
	f := parseFailure(m.data)
	if p.v2.mayChange(f) {
		data, err := p.v2.change(f)
		if err == nil {
			return appendInner(nil, inner{chapChange, m.id + 1, data})
		}
		p.fail(&Error{Method: EAP, Code: f.code, Why: WhyChange, User: p.cfg.User, Err: err})
		return nil
	}
	p.refused = p.v2.refused(f)
	return []byte{eapTypeMSCHAPv2, chapFailure}
}

// current tells whether the identifier of a Success or Failure fits.
//
// Interop: it should be that of the last response (RFC 3748, Section 4.2); pppd
// counts one on.
func (p *eapPeer) current(in packet) bool {
	return p.request == nil || in.id == p.request[1] || in.id == p.request[1]+1
}

func (p *eapPeer) success(in packet) {
	if !p.current(in) {
		return
	}
	if p.awaiting == awaitingVerdict {
		p.finish(Result{User: p.cfg.User})
		return
	}
	// What comes before the method has ended, or after, is silently discarded
	// (RFC 3748, Section 4.2). If nothing better follows, expired tells.
	p.unproved = true
}

func (p *eapPeer) finish(r Result) {
	r.EAPMethod = p.method
	p.awaiting, p.proved = awaitingRequest, nil
	p.done(r)
}

func (p *eapPeer) failure(in packet) {
	if !p.current(in) || p.state == stateOpen && p.awaiting == awaitingRequest {
		return // "after success result indications … a Failure packet MUST be silently discarded"
	}
	err := &Error{Method: EAP, Why: WhyCredentials, User: p.cfg.User}
	switch {
	case p.awaiting == awaitingRequest && p.wanted != nil:
		err.Why, err.Err = WhyNoMethod, p.wanted
	case p.awaiting == awaitingRequest:
		err.Why = WhyUnknown
	}
	p.fail(err)
}

func (p *eapPeer) expired(time.Time) {
	switch {
	case p.unproved:
		p.fail(&ServerError{EAP, "it claims success without having asked for proof or given it"})
	case p.awaiting == awaitingVerdict || p.awaiting == awaitingProof:
		p.fail(&TimeoutError{EAP, "the verdict on our response"})
	case p.wanted != nil:
		p.fail(&Error{Method: EAP, Why: WhyNoMethod, User: p.cfg.User, Err: p.wanted})
	default:
		p.fail(&TimeoutError{EAP, "a request"})
	}
}
