package mschap

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// unhex reads hexadecimal digits, blanks between them allowed.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatalf("bad vector %q: %v", s, err)
	}
	return b
}

func wantHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !bytes.Equal(got, unhex(t, want)) {
		t.Errorf("%s = %x, want %s", what, got, want)
	}
}

// RFC 1320, appendix A.5.
func TestMD4(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "31d6cfe0d16ae931b73c59d7e0c089c0",
		"a":                          "bde52cb31de33e46245e05fbdbd6fb24",
		"abc":                        "a448017aaf21d8525fc10ae87aa6729d",
		"message digest":             "d9130a8164549fe818874806e1c7014b",
		"abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789":                   "043f8582f241db351ce627e153e7f0e4",
		"12345678901234567890123456789012345678901234567890123456789012345678901234567890": "e33b4ddc9c38f2199c3e7b164fcc0536",
	} {
		got := md4Sum([]byte(in))
		wantHex(t, "MD4("+in+")", got[:], want)
	}
}

// RFC 2433, appendix B.
func TestVersion1(t *testing.T) {
	challenge := [8]byte(unhex(t, "10 2D B5 DF 08 5D 30 41"))
	hash := NTPasswordHash("MyPw")
	wantHex(t, "NT hash", hash[:], "FC 15 6A F7 ED CD 6C 0E DD E3 33 7D 42 7F 4E AC")
	response := ChallengeResponse(challenge, hash)
	wantHex(t, "NT response", response[:], "4E 9D 3C 8F 9C FD 38 5D 5B F4 D3 24 67 91 95 6C A4 C3 51 AB 40 9A 3D 61")
	lm := LMPasswordHash("MyPw")
	wantHex(t, "LM hash", lm[:], "75 BA 30 19 8E 6D 19 75 AA D3 B4 35 B5 14 04 EE")
	response = ChallengeResponse(challenge, lm)
	wantHex(t, "LM response", response[:], "91 88 1D 01 52 AB 0C 33 C5 24 13 5E C2 4A 95 EE 64 E2 3C DC 2D 33 34 7D")
}

// The user, challenges and password of RFC 2759, section 9.2, which the
// examples of RFC 3079 use as well.
const (
	rfcUser     = "User"
	rfcPassword = "clientPass"
)

func rfcChallenges(t testing.TB) (auth, peer [16]byte) {
	return [16]byte(unhex(t, "5B 5D 7C 7D 7B 3F 2F 3E 3C 2C 60 21 32 26 26 28")),
		[16]byte(unhex(t, "21 40 23 24 25 5E 26 2A 28 29 5F 2B 3A 33 7C 7E"))
}

// RFC 2759, section 9.2.
func TestVersion2(t *testing.T) {
	auth, peer := rfcChallenges(t)
	hash := NTPasswordHash(rfcPassword)
	wantHex(t, "NT hash", hash[:], "44 EB BA 8D 53 12 B8 D6 11 47 44 11 F5 69 89 AE")
	hashHash := hash.Hash()
	wantHex(t, "hash of the hash", hashHash[:], "41 C0 0C 58 4B D2 D9 1C 40 17 A2 A1 2F A5 9F 3F")
	for _, user := range []string{rfcUser, `DOMAIN\User`, `A\B\User`} {
		challenge := ChallengeHash(peer, auth, user)
		wantHex(t, "challenge of "+user, challenge[:], "D0 2E 43 86 BC E9 12 26")
		response := NTResponse(auth, peer, user, hash)
		wantHex(t, "response of "+user, response[:], "82 30 9E CD 8D 70 8B 5E A0 8F AA 39 81 CD 83 54 42 33 11 4A 3D 85 D6 DF")
		const want = "S=407A5589115FD0D6209F510FE9C04566932CDA56"
		if got := AuthenticatorResponse(hashHash, response, peer, auth, user); got != want {
			t.Errorf("authenticator response of %s = %s, want %s", user, got, want)
		}
	}
}

// RFC 3079, section 3.5: the send key of its examples is the server's.
func TestStartKeysV2(t *testing.T) {
	auth, peer := rfcChallenges(t)
	hash := NTPasswordHash(rfcPassword)
	response := NTResponse(auth, peer, rfcUser, hash)
	master := MasterKey(hash.Hash(), response)
	wantHex(t, "master key", master[:], "FD EC E3 71 7A 8C 83 8C B3 88 E5 27 AE 3C DD 31")
	serverSend, serverRecv := StartKeysV2(hash.Hash(), response, true)
	wantHex(t, "server's send key", serverSend[:], "8B 7C DC 14 9B 99 3A 1B A1 18 CB 15 3F 56 DC CB")
	clientSend, clientRecv := StartKeysV2(hash.Hash(), response, false)
	if clientSend != serverRecv || clientRecv != serverSend {
		t.Error("what one side sends with is not what the other receives with")
	}
	if clientSend == clientRecv {
		t.Error("both directions have the same key")
	}
}

// RFC 3079, section 2.5. Its step 3 of the 128-bit example prints one octet of
// the key as CA, step 4 and all that follows as C1.
func TestStartKeyV1(t *testing.T) {
	challenge := [8]byte(unhex(t, "10 2D B5 DF 08 5D 30 41"))
	key := StartKeyV1(NTPasswordHash(rfcPassword).Hash(), challenge)
	wantHex(t, "128 bit", key[:], "A8 94 78 50 CF C0 AC C1 D1 78 9F B6 2D DC DD B0")
	lm := LMPasswordHash(rfcPassword)
	wantHex(t, "LM hash", lm[:], "76 A1 52 93 60 96 D7 83 0E 23 90 22 74 04 AF D2")
	key = StartKeyV1LM(lm)
	wantHex(t, "40 bit", key[:], "76 A1 52 93 60 96 D7 83 00 00 00 00 00 00 00 00")
}
