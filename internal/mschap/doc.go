// Package mschap holds the arithmetic of Microsoft's challenge handshakes: the
// password hashes, the responses of MS-CHAP version 1 (RFC 2433) and version 2
// (RFC 2759), the blocks of a change of password (RFC 2759, sections 8.9 to
// 8.13), and the keys MPPE starts from (RFC 3079). It knows no packet format:
// package ppp/auth does.
//
// An MS-CHAPv2 peer proves itself and checks the other side like this:
//
//	hash := mschap.NTPasswordHash(password)
//	response := mschap.NTResponse(authChallenge, peerChallenge, user, hash)
//	// ... send it, receive "S=..." ...
//	ok := mschap.CheckAuthenticatorResponse(text, hash.Hash(), response, peerChallenge, authChallenge, user)
//	send, recv := mschap.StartKeysV2(hash.Hash(), response, false)
//
// Everything is a pure function of its arguments; only EncryptNewPassword
// draws random octets.
//
// # Limitations
//
// These algorithms are what the protocol asks for and no more than that: MD4
// and single DES are long broken, and an eavesdropper of one MS-CHAP exchange
// needs no more than 2^56 trials for the password's hash, which is as good as
// the password itself.
//
// NTHash and Key print as [redacted], but package fmt cannot ask an unexported
// field of a struct for its methods: do not print such structs.
package mschap
