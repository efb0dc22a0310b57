package mschap

import (
	"crypto/rand"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
)

const (
	passwordRoom  = 512              // octets of UTF-16 a block holds: 256 units
	passwordBlock = passwordRoom + 4 // and the length in octets, little-endian
)

// Errors of a new password's block.
var (
	ErrPasswordTooLong = errors.New("mschap: the new password has more than 256 UTF-16 units")
	ErrPasswordBlock   = errors.New("mschap: the new password's block makes no sense (encrypted with another password?)")
)

// EncryptNewPassword encrypts a new password with the hash of the old one
// (NewPasswordEncryptedWithOldNtPasswordHash): random octets, the UTF-16 of the
// password at the end of 512, and its length. The error is ErrPasswordTooLong.
// RFC 2759, sections 8.9 and 8.10.
func EncryptNewPassword(newPassword string, old NTHash) ([516]byte, error) {
	return EncryptNewPasswordRand(rand.Reader, newPassword, old)
}

// EncryptNewPasswordRand is EncryptNewPassword with the random octets (at most
// 512 of them) read from random.
func EncryptNewPasswordRand(random io.Reader, newPassword string, old NTHash) ([516]byte, error) {
	var block [passwordBlock]byte
	password := utf16LE(newPassword)
	if len(password) > passwordRoom {
		return block, ErrPasswordTooLong
	}
	offset := passwordRoom - len(password)
	if _, err := io.ReadFull(random, block[:offset]); err != nil {
		return [passwordBlock]byte{}, err
	}
	copy(block[offset:], password)
	binary.LittleEndian.PutUint32(block[passwordRoom:], uint32(len(password)))
	cryptBlock(&block, old)
	return block, nil
}

// DecryptNewPassword is the server's side of EncryptNewPassword. A length that
// cannot be, or a text that is not UTF-16, is ErrPasswordBlock: the block was
// made with another old password. That alone proves nothing; the hash that came
// with it does: compare it with EncryptOldHash's, with CheckOldHash.
func DecryptNewPassword(block [516]byte, old NTHash) (string, error) {
	cryptBlock(&block, old)
	length := binary.LittleEndian.Uint32(block[passwordRoom:])
	if length > passwordRoom || length%2 != 0 {
		return "", ErrPasswordBlock
	}
	text := block[passwordRoom-length : passwordRoom]
	units := make([]uint16, length/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(text[2*i:])
	}
	runes := utf16.Decode(units)
	password := string(runes)
	if string(utf16LE(password)) != string(text) {
		return "", ErrPasswordBlock // a lone surrogate
	}
	return password, nil
}

func cryptBlock(block *[passwordBlock]byte, key NTHash) {
	c, err := rc4.NewCipher(key[:])
	if err != nil {
		// 16 octets are a legal key: only a build that forbids RC4 gets here.
		panic("mschap: " + err.Error())
	}
	c.XORKeyStream(block[:], block[:])
}

// EncryptOldHash encrypts the hash of the old password with that of the new one
// (OldNtPasswordHashEncryptedWithNewNtPasswordHash), two DES blocks.
// RFC 2759, sections 8.12 and 8.13.
func EncryptOldHash(old, new NTHash) [16]byte {
	var out [16]byte
	desEncrypt(out[:8], old[:8], new[:7])
	desEncrypt(out[8:], old[8:], new[7:14])
	return out
}

// CheckOldHash tells, in constant time, whether a value received in a change of
// password is EncryptOldHash(old, new).
func CheckOldHash(got [16]byte, old, new NTHash) bool {
	want := EncryptOldHash(old, new)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
