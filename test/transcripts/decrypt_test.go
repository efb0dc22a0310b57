package transcripts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"goppptp/internal/mppe"
	"goppptp/internal/mschap"
)

// keys follow from what an authentication left in the recording.
type keys struct {
	v1, v2    bool
	challenge []byte // of the server
	response  [24]byte
	hashHash  [16]byte
}

// see takes note of a CHAP packet.
func (k *keys) see(t *testing.T, r *Recording, f pppFrame) {
	t.Helper()
	if f.protocol != pppCHAP {
		return
	}
	const challenge, response, success = 1, 2, 3
	code := f.info[0]
	switch code {
	case challenge:
		k.challenge = f.info[5 : 5+f.info[4]]
		k.hashHash = mschap.NTPasswordHash(r.Password).Hash()
	case response:
		if f.info[4] != 49 {
			return // MD5
		}
		value := f.info[5:54]
		k.response = [24]byte(value[24:48])
		k.v1, k.v2 = r.Auth == "mschap", r.Auth == "mschap-v2"
		if !k.v2 {
			return
		}
		peer, auth := [16]byte(value[:16]), [16]byte(k.challenge)
		name := string(f.info[54:binary.BigEndian.Uint16(f.info[2:])])
		hash := mschap.NTPasswordHash(r.ClientPassword)
		if want := mschap.NTResponse(auth, peer, name, hash); k.response != want {
			t.Errorf("packet %d: response % x, ours would be % x", f.number, k.response, want)
		}
		k.challenge = slices.Concat(value[:16], k.challenge) // both, for success
	case success:
		if !k.v2 {
			return
		}
		want := mschap.AuthenticatorResponse(k.hashHash, k.response, [16]byte(k.challenge), [16]byte(k.challenge[16:]), r.User)
		if text := string(f.info[4:]); !strings.HasPrefix(text, want) {
			t.Errorf("packet %d: the server says %q, ours would say %q", f.number, text, want)
		}
	}
}

// start is the key one side sends with.
func (k *keys) start(client bool) [16]byte {
	if k.v1 {
		return mschap.StartKeyV1(k.hashHash, [8]byte(k.challenge))
	}
	send, _ := mschap.StartKeysV2(k.hashHash, k.response, !client)
	return send
}

// policy is what a CCP Configure-Ack agrees on for the packets of who sends it.
func policy(option uint32) (bits mppe.Bits, stateful bool) {
	const bit40, bit56, statelessBit = 0x20, 0x80, 0x01000000
	switch {
	case option&bit40 != 0:
		bits = mppe.Bits40
	case option&bit56 != 0:
		bits = mppe.Bits56
	default:
		bits = mppe.Bits128
	}
	return bits, option&statelessBit == 0
}

// TestDecrypt opens every encrypted packet, with keys that follow from the
// password, and finds a whole IP packet in it; also where the recorded server
// was out of step and saw nonsense. Sealed anew, it is the packet that pppd sent.
func TestDecrypt(t *testing.T) {
	encrypted := func(r *Recording) bool { return r.Up && r.MPPE != "none" }
	all(t, encrypted, func(t *testing.T, r *Recording) {
		var k keys
		openers, sealers := map[bool]*mppe.Opener{}, map[bool]*mppe.Sealer{}
		ways := map[bool]bool{} // stateful, by who sends
		opened, discarded := 0, 0
		for _, f := range frames(t, r) {
			k.see(t, r, f)
			if f.protocol == pppCCP && f.info[0] == 2 && len(f.info) >= 10 { // Configure-Ack
				bits, stateful := policy(binary.BigEndian.Uint32(f.info[6:]))
				openers[f.fromClient] = mppe.NewOpener(k.start(f.fromClient), bits, stateful)
				sealers[f.fromClient] = mppe.NewSealer(k.start(f.fromClient), bits, stateful)
				ways[f.fromClient] = stateful
			}
			if f.protocol == pppCCP && f.info[0] == 15 { // Reset-Ack
				openers[f.fromClient].ResetAcked()
			}
			if f.protocol == pppIP {
				t.Errorf("packet %d: an IP packet in clear", f.number)
			}
			if f.protocol != pppMPPE {
				continue
			}
			o := openers[f.fromClient]
			if o == nil {
				t.Fatalf("packet %d: encrypted before CCP was done", f.number)
			}
			plain, err := o.Open(bytes.Clone(f.info), f.seq)
			if errors.Is(err, mppe.ErrLost) && ways[f.fromClient] {
				discarded++
				continue
			}
			if err != nil {
				t.Errorf("packet %d, seq %d: %v", f.number, f.seq, err)
				continue
			}
			opened++
			checkPlain(t, f, plain)
			if !lossy(r) {
				again := append(make([]byte, mppe.Overhead), plain...)
				sealers[f.fromClient].Seal(again)
				if !sameSealed(again, f.info) {
					t.Errorf("packet %d: sealed anew it is\n%x, it was\n%x", f.number, again, f.info)
				}
			}
		}
		t.Logf("%d opened, %d discarded", opened, discarded)
		if opened < 18 {
			t.Errorf("only %d packets opened", opened)
		}
		if (discarded > 0) != strings.Contains(r.Name, "stateful-") {
			t.Errorf("%d discarded", discarded)
		}
	})
}

// lossy tells whether packets are missing in the recording.
func lossy(r *Recording) bool {
	return strings.HasSuffix(r.Name, "-loss") || strings.HasSuffix(r.Name, "-gaps") || r.OutOfStep()
}

// sameSealed compares sealed packets but for the FLUSHED bit of the first.
func sameSealed(a, b []byte) bool {
	const flushed = 0x80
	return len(a) == len(b) && a[0]|flushed == b[0]|flushed && bytes.Equal(a[1:], b[1:])
}

// checkPlain fails unless plain is a whole packet of a protocol that belongs
// there.
func checkPlain(t *testing.T, f pppFrame, plain []byte) {
	t.Helper()
	protocol, body, err := parseProtocol(plain)
	switch {
	case err != nil:
		t.Errorf("packet %d: %v", f.number, err)
	case protocol == pppIP:
		if err := checkIP(body); err != nil {
			t.Errorf("packet %d: %v", f.number, err)
		}
	case protocol == pppIPv6:
		if len(body) < 40 || body[0]>>4 != 6 || int(binary.BigEndian.Uint16(body[4:])) != len(body)-40 {
			t.Errorf("packet %d: not a whole IPv6 packet: % x", f.number, body)
		}
	default:
		t.Errorf("packet %d: protocol %#x: nonsense", f.number, protocol)
	}
}

// checkIP verifies version, lengths and header checksum.
func checkIP(b []byte) error {
	if len(b) < 20 || b[0] != 0x45 || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return errors.New("not a whole IP packet")
	}
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if sum = sum&0xffff + sum>>16; sum != 0xffff {
		return errors.New("wrong header checksum")
	}
	return nil
}
