package mschap

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// What a server hashes into its proof. RFC 2759, section 8.7.
const (
	magicServerSigning = "Magic server to client signing constant"
	magicIteration     = "Pad to make it do more than one iteration"
)

// ChallengeHash makes the 8 octets that an MS-CHAPv2 peer really answers from
// both sides' challenges and the user's name. A domain in front of the name
// ("DOMAIN\") does not count: "only the user name ... without any associated
// Windows domain". RFC 2759, section 8.2.
func ChallengeHash(peer, auth [16]byte, user string) [8]byte {
	h := sha1.New()
	h.Write(peer[:])
	h.Write(auth[:])
	h.Write([]byte(user[strings.LastIndexByte(user, '\\')+1:]))
	return [8]byte(h.Sum(nil))
}

// ChallengeResponse encrypts a challenge with a hash of the password, as three
// DES keys of 7 octets. It is the whole of MS-CHAP version 1: with the NT hash
// it gives the NT response (RFC 2433, appendix A.5), with LMPasswordHash the
// LAN Manager one. RFC 2759, section 8.5.
func ChallengeResponse(challenge [8]byte, hash [16]byte) [24]byte {
	var keys [21]byte
	copy(keys[:], hash[:])
	var response [24]byte
	for i := range 3 {
		desEncrypt(response[8*i:8*i+8], challenge[:], keys[7*i:7*i+7])
	}
	return response
}

// NTResponse returns the peer's answer in MS-CHAPv2 (GenerateNTResponse).
// RFC 2759, section 8.1.
func NTResponse(auth, peer [16]byte, user string, hash NTHash) [24]byte {
	return ChallengeResponse(ChallengeHash(peer, auth, user), hash)
}

// CheckResponse tells, in constant time, whether a response of version 1 or 2
// is the one expected.
func CheckResponse(got, want [24]byte) bool {
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// AuthenticatorResponse returns how an MS-CHAPv2 server proves that it knows
// the password as well: "S=" and 40 upper-case hexadecimal digits. hashHash is
// NTHash.Hash's. RFC 2759, section 8.7.
func AuthenticatorResponse(hashHash [16]byte, ntResponse [24]byte, peer, auth [16]byte, user string) string {
	h := sha1.New()
	h.Write(hashHash[:])
	h.Write(ntResponse[:])
	h.Write([]byte(magicServerSigning))
	digest := h.Sum(nil)
	challenge := ChallengeHash(peer, auth, user)
	h.Reset()
	h.Write(digest)
	h.Write(challenge[:])
	h.Write([]byte(magicIteration))
	return "S=" + strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
}

// CheckAuthenticatorResponse tells, in constant time, whether message, the text
// of a Success packet, begins with the right proof. What follows the 40 digits
// (" M=<text>") is not looked at. Digits may be in lower case as well: the RFC
// wants upper case, some servers differ. RFC 2759, section 5.
func CheckAuthenticatorResponse(message string, hashHash [16]byte, ntResponse [24]byte, peer, auth [16]byte, user string) bool {
	want := AuthenticatorResponse(hashHash, ntResponse, peer, auth, user)
	if len(message) < len(want) {
		return false
	}
	got := strings.ToUpper(message[:len(want)])
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}
