package mschap

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"strings"
	"testing"
	"testing/iotest"
)

// Where the padding needs a second block is where mistakes are: no two of these
// messages, which look like padding themselves, have the same digest.
func TestMD4Padding(t *testing.T) {
	seen := map[[16]byte]int{}
	for n := range 3*md4Block + 1 {
		data := bytes.Repeat([]byte{0x80}, n)
		sum := md4Sum(data)
		if at, ok := seen[sum]; ok {
			t.Fatalf("MD4 of %d octets is that of %d", n, at)
		}
		seen[sum] = n
	}
}

// Passwords are hashed as UTF-16, little-endian, whatever the script.
func TestPasswordIsUTF16(t *testing.T) {
	for password, utf16 := range map[string]string{
		"":     "",
		"é":    "e900",
		"пар":  "3f0430044004",
		"密码":   "c65b0178",
		"🔑":    "3dd811dd",
		"\xff": "fdff",
	} {
		if got := hex.EncodeToString(utf16LE(password)); got != utf16 {
			t.Errorf("UTF-16 of %q = %s, want %s", password, got, utf16)
		}
	}
	empty := NTPasswordHash("")
	wantHex(t, "NT hash of nothing", empty[:], "31d6cfe0d16ae931b73c59d7e0c089c0")
}

func TestLMPasswordHash(t *testing.T) {
	if LMPasswordHash("PASSword123456") != LMPasswordHash("passWORD123456") {
		t.Error("case counts")
	}
	if LMPasswordHash("12345678901234") != LMPasswordHash("12345678901234tail") {
		t.Error("octets after the 14th count")
	}
	empty := LMPasswordHash("")
	wantHex(t, "LM hash of nothing", empty[:], "AAD3B435B51404EE AAD3B435B51404EE")
}

func TestDESKey(t *testing.T) {
	// The key of the best known example of DES.
	key := desKey(unhex(t, "12 69 5B C9 B7 B7 F8"))
	wantHex(t, "key", key[:], "13 34 57 79 9B BC DF F1")
	for i := range 256 {
		key := desKey([]byte{byte(i), byte(i * 3), byte(i * 5), byte(i * 7), byte(i * 11), byte(i * 13), byte(i * 17)})
		for _, b := range key {
			if bits.OnesCount8(b)%2 != 1 {
				t.Fatalf("octet %#02x of the key has even parity", b)
			}
		}
	}
}

func TestCheckAuthenticatorResponse(t *testing.T) {
	auth, peer := rfcChallenges(t)
	hash := NTPasswordHash(rfcPassword)
	response := NTResponse(auth, peer, rfcUser, hash)
	const good = "S=407A5589115FD0D6209F510FE9C04566932CDA56"
	for text, want := range map[string]bool{
		good:                           true,
		good + " M=Access granted":     true,
		strings.ToLower(good):          true,
		good[:len(good)-1]:             false,
		good[:len(good)-1] + "7":       false,
		"S=" + strings.Repeat("0", 40): false,
		"M=Access granted " + good:     false,
		"":                             false,
		"S=":                           false,
	} {
		if got := CheckAuthenticatorResponse(text, hash.Hash(), response, peer, auth, rfcUser); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	other := response
	other[23] ^= 1
	if CheckResponse(other, response) || !CheckResponse(response, response) {
		t.Error("CheckResponse")
	}
}

func TestChangePassword(t *testing.T) {
	old := NTPasswordHash("old")
	for _, password := range []string{"", "n", "new password", "密码🔑é", strings.Repeat("x", 256), strings.Repeat("🔑", 128)} {
		block, err := EncryptNewPassword(password, old)
		if err != nil {
			t.Fatalf("%q: %v", password, err)
		}
		got, err := DecryptNewPassword(block, old)
		if err != nil || got != password {
			t.Errorf("%q came back as %q, %v", password, got, err)
		}
		again, _ := EncryptNewPassword(password, old)
		if again == block && len(utf16LE(password)) < passwordRoom {
			t.Errorf("%q: the same block twice: nothing random in it", password)
		}
		if _, err := DecryptNewPassword(block, NTPasswordHash("older")); !errors.Is(err, ErrPasswordBlock) {
			t.Errorf("%q with another old password: %v, want ErrPasswordBlock", password, err)
		}
	}
	if _, err := EncryptNewPassword(strings.Repeat("x", 257), old); !errors.Is(err, ErrPasswordTooLong) {
		t.Errorf("257 units: %v, want ErrPasswordTooLong", err)
	}
	if _, err := EncryptNewPassword(strings.Repeat("🔑", 129), old); !errors.Is(err, ErrPasswordTooLong) {
		t.Errorf("258 units: %v, want ErrPasswordTooLong", err)
	}
	broken := errors.New("no randomness")
	if block, err := EncryptNewPasswordRand(iotest.ErrReader(broken), "new", old); !errors.Is(err, broken) || block != [516]byte{} {
		t.Errorf("with a broken random source: %v", err)
	}
}

// The layout of the block, RFC 2759, section 8.10, once its encryption is off.
func TestPasswordBlockLayout(t *testing.T) {
	old := NTPasswordHash("old")
	block, err := EncryptNewPasswordRand(bytes.NewReader(bytes.Repeat([]byte{0xaa}, 512)), "new", old)
	if err != nil {
		t.Fatal(err)
	}
	cryptBlock(&block, old)
	wantHex(t, "fill", block[:506], strings.Repeat("aa", 506))
	wantHex(t, "password and length", block[506:], "6e00 6500 7700 06000000")
	for _, tail := range []string{"01020000", "07000000", "ffffffff", "00000001"} {
		bad := block
		copy(bad[512:], unhex(t, tail))
		cryptBlock(&bad, old)
		if got, err := DecryptNewPassword(bad, old); !errors.Is(err, ErrPasswordBlock) {
			t.Errorf("length %s: %q, %v, want ErrPasswordBlock", tail, got, err)
		}
	}
	lone := block
	copy(lone[506:], unhex(t, "3dd8"))
	cryptBlock(&lone, old)
	if got, err := DecryptNewPassword(lone, old); !errors.Is(err, ErrPasswordBlock) {
		t.Errorf("lone surrogate: %q, %v, want ErrPasswordBlock", got, err)
	}
}

// The new hash's first 14 octets are the keys, the old one's halves the texts.
func TestEncryptOldHash(t *testing.T) {
	old, new := NTPasswordHash("old"), NTPasswordHash("new")
	got := EncryptOldHash(old, new)
	var want [16]byte
	desEncrypt(want[:8], old[:8], []byte{new[0], new[1], new[2], new[3], new[4], new[5], new[6]})
	desEncrypt(want[8:], old[8:], []byte{new[7], new[8], new[9], new[10], new[11], new[12], new[13]})
	if got != want {
		t.Errorf("EncryptOldHash = %x, want %x", got, want)
	}
	if !CheckOldHash(got, old, new) || CheckOldHash(got, new, old) || CheckOldHash(got, old, NTPasswordHash("newer")) {
		t.Error("CheckOldHash")
	}
}

func TestParseNTHash(t *testing.T) {
	want := NTPasswordHash("clientPass")
	for _, s := range []string{"44EBBA8D5312B8D611474411F56989AE", "44ebba8d5312b8d611474411f56989ae"} {
		if got, err := ParseNTHash(s); err != nil || got != want {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"", "44EBBA8D5312B8D611474411F56989A", "44EBBA8D5312B8D611474411F56989AE0", "44EBBA8D5312B8D611474411F56989Ag"} {
		if _, err := ParseNTHash(s); err == nil || (s != "" && strings.Contains(err.Error(), s[:8])) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// No way of printing shows the secret.
func TestRedacted(t *testing.T) {
	hash := NTPasswordHash("p4ssw0rd")
	send, _ := StartKeysV2(hash.Hash(), [24]byte{}, false)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("hash", "hash", hash, "key", send)
	texts := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
		texts = append(texts, fmt.Sprintf(verb, hash), fmt.Sprintf(verb, send), fmt.Sprintf(verb, struct {
			Hash NTHash
			Key  Key
		}{hash, send}))
	}
	for _, v := range []any{hash, send} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	for _, text := range texts {
		if !strings.Contains(text, redacted) {
			t.Errorf("%q is not redacted", text)
		}
	}
	if hash.String() != redacted || send.String() != redacted {
		t.Error("String is not redacted")
	}
}

func FuzzDecryptNewPassword(f *testing.F) {
	block, _ := EncryptNewPassword("new", NTPasswordHash("old"))
	f.Add(block[:], "old")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		var block [516]byte
		copy(block[:], data)
		old := NTPasswordHash(password)
		new, err := DecryptNewPassword(block, old)
		if err != nil {
			return
		}
		again, err := EncryptNewPassword(new, old)
		if err != nil {
			t.Fatalf("%q came out but does not go in: %v", new, err)
		}
		if got, err := DecryptNewPassword(again, old); err != nil || got != new {
			t.Fatalf("%q came back as %q, %v", new, got, err)
		}
	})
}

func FuzzMD4(f *testing.F) {
	f.Add([]byte("abc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// The digest of data depends on nothing behind its end.
		longer := append(bytes.Clone(data), 0x80)
		if md4Sum(longer[:len(data)]) != md4Sum(data) {
			t.Fatal("the digest depends on what follows the data")
		}
		if md4Sum(longer) == md4Sum(data) {
			t.Fatal("an octet more makes no difference")
		}
	})
}
