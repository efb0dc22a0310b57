package mschap

import (
	"crypto/sha1"
	"fmt"
	"io"
	"log/slog"
)

// What the keys of RFC 3079 are hashed with, sections 3.4 and 3.1.
const (
	magicMaster      = "This is the MPPE Master Key"
	magicClientSends = "On the client side, this is the send key; on the server side, it is the receive key."
	magicServerSends = "On the client side, this is the receive key; on the server side, it is the send key."
)

// The pads of RFC 3079, section 3.4 (SHSpad1, SHSpad2).
var (
	pad1 [40]byte
	pad2 = [40]byte{
		0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2,
		0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2,
		0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2,
		0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2,
	}
)

// Key is a start key of MPPE, 16 octets; with 40 and 56 bit MPPE takes the
// first 8. It is printed as [redacted].
type Key [16]byte

// String returns "[redacted]".
func (k Key) String() string { return redacted }

// LogValue keeps the key out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the key out of every fmt verb, %x and %#v too.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText keeps the key out of JSON and the like.
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MasterKey returns the key both start keys of MS-CHAPv2 come from
// (GetMasterKey). hashHash is NTHash.Hash's. RFC 3079, section 3.4.
func MasterKey(hashHash [16]byte, ntResponse [24]byte) [16]byte {
	h := sha1.New()
	h.Write(hashHash[:])
	h.Write(ntResponse[:])
	h.Write([]byte(magicMaster))
	return [16]byte(h.Sum(nil))
}

// StartKeysV2 returns the keys of both directions after MS-CHAPv2, as the
// server or as the client (the one that was authenticated) sees them: what one
// side sends with, the other receives with (GetAsymmetricStartKey).
// RFC 3079, section 3.4.
func StartKeysV2(hashHash [16]byte, ntResponse [24]byte, server bool) (send, recv Key) {
	master := MasterKey(hashHash, ntResponse)
	fromClient := asymmetricKey(master, magicClientSends)
	fromServer := asymmetricKey(master, magicServerSends)
	if server {
		return fromServer, fromClient
	}
	return fromClient, fromServer
}

func asymmetricKey(master [16]byte, magic string) Key {
	h := sha1.New()
	h.Write(master[:])
	h.Write(pad1[:])
	h.Write([]byte(magic))
	h.Write(pad2[:])
	return Key(h.Sum(nil))
}

// StartKeyV1 returns the one start key both directions share after MS-CHAP
// version 1 (GetStartKey). RFC 3079, section 2.
//
// Interop: for 40 and 56 bits the RFC starts from the LAN Manager hash instead
// (StartKeyV1LM), which leaves the challenge out. pppd takes the first 8
// octets of this key whatever the length, and it is pppd that is out there.
func StartKeyV1(hashHash [16]byte, challenge [8]byte) Key {
	h := sha1.New()
	h.Write(hashHash[:])
	h.Write(hashHash[:])
	h.Write(challenge[:])
	return Key(h.Sum(nil))
}

// StartKeyV1LM returns the start key for 40 and 56 bits after MS-CHAP version 1
// as the RFC has it: the first 8 octets of the LAN Manager hash, the rest zero.
// RFC 3079, section 2.
func StartKeyV1LM(lmHash [16]byte) Key {
	var k Key
	copy(k[:8], lmHash[:8])
	return k
}
