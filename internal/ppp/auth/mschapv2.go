package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"goppptp/internal/mschap"
)

// Lengths in RFC 2759, Sections 3, 4 and 7.
const (
	v2ChallengeLen = 16
	v2ResponseLen  = 16 + 8 + 24 + 1            // peer challenge, reserved, NT response, flags
	v2ChangeLen    = 516 + 16 + 16 + 8 + 24 + 2 // new password, old hash, then as above, flags
)

// v2Peer is the peer's side of MS-CHAPv2, whatever carries it: CHAP or EAP.
type v2Peer struct {
	*base
	cfg  *PeerConfig
	hash mschap.NTHash // of the password we prove; after a change the new one

	// the response given last, or the change
	auth, peer [16]byte
	response   [24]byte
	proving    mschap.NTHash // the hash it was made with
	changing   bool          // it was a change of password
	changed    bool          // which was accepted
}

// respond answers a challenge with the value of a Response packet.
func (x *v2Peer) respond(challenge [16]byte) ([]byte, bool) {
	x.changing = false
	return x.prove(nil, challenge, x.hash, 1)
}

// prove appends peer challenge, reserved octets, NT response and flags.
func (x *v2Peer) prove(b []byte, challenge [16]byte, hash mschap.NTHash, flags int) ([]byte, bool) {
	var fresh [16]byte
	if !x.random(fresh[:]) {
		return nil, false
	}
	x.auth, x.peer, x.proving = challenge, fresh, hash
	x.response = mschap.NTResponse(x.auth, x.peer, x.cfg.User, hash)
	b = append(b, x.peer[:]...)
	b = append(b, make([]byte, 8)...)
	b = append(b, x.response[:]...)
	return append(b, make([]byte, flags)...), true
}

// success checks the server's proof in the text of a Success packet:
// "S=<40 hex> M=<text>" (RFC 2759, Section 5).
func (x *v2Peer) success(message []byte) (Result, error) {
	hashHash := x.proving.Hash()
	if !strings.HasPrefix(string(message), "S=") {
		return Result{}, &ServerError{x.method, "it claims success without the proof MS-CHAPv2 asks for"}
	}
	if !mschap.CheckAuthenticatorResponse(string(message), hashHash, x.response, x.peer, x.auth, x.cfg.User) {
		return Result{}, &ServerError{x.method, "its authenticator response is wrong"}
	}
	if x.changing {
		x.hash, x.changing, x.changed = x.proving, false, true
	}
	_, said, _ := strings.Cut(string(message), "M=")
	return Result{
		User:            x.cfg.User,
		Message:         text([]byte(said)),
		PasswordChanged: x.changed,
		keys:            hold(keys{version: 2, hashHash: hashHash, ntResponse: x.response}),
	}, nil
}

// mayChange tells whether a refusal is one that a new password mends.
func (x *v2Peer) mayChange(f failure) bool {
	return f.code == CodePasswordExpired && x.cfg.NewPassword != "" && !x.changing && !x.changed
}

// change makes the data of a Change-Password packet (RFC 2759, Section 7),
// answering the challenge that the refusal brought.
func (x *v2Peer) change(f failure) ([]byte, error) {
	challenge := x.auth // Interop: some leave C= out where they repeat the challenge
	if len(f.challenge) == len(challenge) {
		copy(challenge[:], f.challenge)
	}
	newHash := mschap.NTPasswordHash(string(x.cfg.NewPassword))
	block, err := mschap.EncryptNewPasswordRand(x.rand, string(x.cfg.NewPassword), x.hash)
	if err != nil {
		return nil, err
	}
	old := mschap.EncryptOldHash(x.hash, newHash)
	data := make([]byte, 0, v2ChangeLen)
	data = append(append(data, block[:]...), old[:]...)
	data, ok := x.prove(data, challenge, newHash, 2)
	if !ok {
		return nil, errors.New("no random numbers")
	}
	x.changing = true
	return data, nil
}

// refused is the Error for what the server said.
func (x *v2Peer) refused(f failure) *Error {
	e := refusal(x.method, x.cfg.User, f)
	if x.changing && (e.Why == WhyUnknown || e.Why == WhyExpired) {
		e.Why = WhyChange
	}
	return e
}

// v2Server is the authenticator's side of MS-CHAPv2, whatever carries it.
type v2Server struct {
	*base
	users     *users
	challenge [16]byte      // the one to be answered
	old       mschap.NTHash // of an expired password that was proved
	user      string        // whose
}

// ask draws a challenge.
func (x *v2Server) ask() bool { return x.random(x.challenge[:]) }

// check judges the value of a Response packet.
func (x *v2Server) check(user string, value []byte) (verdict, []byte) {
	cred, missing := x.users.find(user)
	hash := hashOf(cred)
	var peer [16]byte
	var response [24]byte
	if len(value) == v2ResponseLen {
		copy(peer[:], value)
		copy(response[:], value[24:])
	}
	want := mschap.NTResponse(x.challenge, peer, user, hash)
	right := mschap.CheckResponse(response, want) && len(value) == v2ResponseLen
	v := x.users.judge(user, cred, missing, right, Result{})
	if v.expired {
		x.old, x.user = hash, user
	}
	return x.conclude(v, user, hash, peer, response)
}

// change judges the data of a Change-Password packet, and stores the password.
func (x *v2Server) change(data []byte) (verdict, []byte) {
	refuse := func(why Why, cause error) (verdict, []byte) {
		return x.conclude(x.users.refused(x.user, why, cause), x.user, mschap.NTHash{}, [16]byte{}, [24]byte{})
	}
	if len(data) != v2ChangeLen {
		return refuse(WhyCredentials, errChangeFormat)
	}
	var block [516]byte
	var peer, encrypted [16]byte
	var response [24]byte
	copy(block[:], data)
	copy(encrypted[:], data[516:])
	copy(peer[:], data[532:])
	copy(response[:], data[556:])
	password, err := mschap.DecryptNewPassword(block, x.old)
	if err != nil {
		return refuse(WhyCredentials, errors.Join(errChangeProof, err))
	}
	hash := mschap.NTPasswordHash(password)
	want := mschap.NTResponse(x.challenge, peer, x.user, hash)
	if !mschap.CheckOldHash(encrypted, x.old, hash) || !mschap.CheckResponse(response, want) {
		return refuse(WhyCredentials, errChangeProof)
	}
	if subtle.ConstantTimeCompare(hash[:], x.old[:]) == 1 {
		return refuse(WhyChange, errors.New("the new password is the old one"))
	}
	if err := x.users.changePassword(x.user, password); err != nil {
		return refuse(WhyChange, err)
	}
	v := verdict{result: Result{User: x.user, PasswordChanged: true}}
	return x.conclude(v, x.user, hash, peer, response)
}

// conclude adds the keys to a verdict, and makes the text of the Success or
// Failure packet. A refusal draws the challenge for what may follow it.
func (x *v2Server) conclude(v verdict, user string, hash mschap.NTHash, peer [16]byte, response [24]byte) (verdict, []byte) {
	// Also for who is refused: the same work for everybody.
	hashHash := hash.Hash()
	proof := mschap.AuthenticatorResponse(hashHash, response, peer, x.challenge, user)
	if v.err == nil {
		v.result.Message = textGranted
		v.result.keys = hold(keys{version: 2, hashHash: hashHash, ntResponse: response})
		return v, fmt.Appendf(nil, "%s M=%s", proof, textGranted)
	}
	if !x.ask() {
		return v, nil
	}
	message := textDenied
	switch v.err.Why {
	case WhyExpired:
		message = textExpired
	case WhyChange:
		message = textChange
	}
	return v, appendFailure(nil, failure{code: v.err.Code, challenge: x.challenge[:], version: 3, message: message})
}
