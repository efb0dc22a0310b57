package mschap

import (
	"crypto/des"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unicode/utf16"
)

const redacted = "[redacted]"

// NTHash is the MD4 hash of a password. Whoever knows it can answer a challenge
// as if it knew the password, so it is printed as [redacted] whatever the verb.
type NTHash [16]byte

// NTPasswordHash hashes a password, in UTF-8, as NtPasswordHash does: MD4 over
// its UTF-16, little-endian, no terminator. RFC 2759, section 8.3.
func NTPasswordHash(password string) NTHash {
	return NTHash(md4Sum(utf16LE(password)))
}

// ParseNTHash reads an NT hash written as 32 hexadecimal digits.
func ParseNTHash(s string) (NTHash, error) {
	var h NTHash
	if len(s) != 2*len(h) {
		return NTHash{}, errors.New("mschap: an NT hash is 32 hexadecimal digits")
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		// The cause would quote a piece of the secret.
		return NTHash{}, errors.New("mschap: an NT hash is 32 hexadecimal digits")
	}
	return h, nil
}

// Hash returns the hash of the hash (HashNtPasswordHash), which
// AuthenticatorResponse and the MPPE keys start from. RFC 2759, section 8.4.
func (h NTHash) Hash() [16]byte { return md4Sum(h[:]) }

// String returns "[redacted]".
func (h NTHash) String() string { return redacted }

// LogValue keeps the hash out of logs.
func (h NTHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the hash out of every fmt verb, %x and %#v too.
func (h NTHash) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText keeps the hash out of JSON and the like.
func (h NTHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// utf16LE returns s as UTF-16, little-endian. What is not UTF-8 becomes U+FFFD.
func utf16LE(s string) []byte {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// LMPasswordHash returns the LAN Manager hash: the first 14 octets of the
// password in upper case make the keys of two DES encryptions of a fixed text.
// RFC 2433, appendix A.2.
//
// Interop: the RFC has the password in an OEM code page. Only ASCII letters are
// changed to upper case here and all other octets are kept as they are, which
// is what pppd does; peers agree on passwords of ASCII characters.
func LMPasswordHash(password string) [16]byte {
	var key [14]byte
	for i := range key {
		if i == len(password) {
			break
		}
		key[i] = password[i]
		if 'a' <= key[i] && key[i] <= 'z' {
			key[i] -= 'a' - 'A'
		}
	}
	const text = "KGS!@#$%"
	var hash [16]byte
	desEncrypt(hash[:8], []byte(text), key[:7])
	desEncrypt(hash[8:], []byte(text), key[7:])
	return hash
}

// desEncrypt encrypts the 8 octets of src to dst with a DES key of 7 octets
// (DesEncrypt). RFC 2759, section 8.6.
func desEncrypt(dst, src, key []byte) {
	k := desKey(key)
	block, err := des.NewCipher(k[:])
	if err != nil {
		// The length is right: only a build that forbids DES gets here.
		panic("mschap: " + err.Error())
	}
	block.Encrypt(dst, src)
}

// desKey spreads 56 bits of key over 8 octets of seven bits each; the lowest
// bit of each makes the parity odd. RFC 2759, section 8.6: "64-bit key with
// parity bits".
func desKey(key []byte) [8]byte {
	var all uint64
	for _, b := range key[:7] {
		all = all<<8 | uint64(b)
	}
	var k [8]byte
	for i := range k {
		seven := byte(all>>(49-7*i)) & 0x7f
		parity := seven ^ seven>>4
		parity ^= parity >> 2
		parity ^= parity >> 1
		k[i] = seven<<1 | ^parity&1
	}
	return k
}
