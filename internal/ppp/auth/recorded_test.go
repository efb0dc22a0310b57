package auth

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"goppptp/internal/mschap"
)

// A recorded session between pppd 2.4.9 as client and as server: what the
// server sent and the client answered, the server first but for PAP.
type recording struct {
	name           string
	m              Method
	user, password string
	peerRand       string // what makes our peer answer as pppd did: its challenge
	authRand       string // what makes our authenticator ask as pppd did: the identifier before, then the challenge
	server, client []string
	refused        bool
	noMD5          bool // EAP-MSCHAPv2: Done or Failed comes with the last answer
	asked          bool // the authenticator of the recording was ours, named "ours"
	// ours is where our authenticator says something else than pppd, by index.
	ours map[int]bool
}

var recordings = []recording{{
	name: "mschapv2", m: MSCHAPv2, user: "sio4", password: "p4ssw0rd",
	peerRand: "64296f75c9fa99196adfe8c447f0e4dc",
	authRand: "7e f7eb8b928f8f80af93609026ee04ecc2",
	server: []string{
		"017f001a 10f7eb8b928f8f80af93609026ee04ecc2 7070747064",
		"037f003f 533d46413443303831393233344536414238434144423730324531383037323531383039304444434343 204d3d416363657373206772616e746564",
	},
	client: []string{
		"027f003a 31 64296f75c9fa99196adfe8c447f0e4dc 0000000000000000 ebdbb9c47f6e6b69c164edf0904238258e8a3eabb957013d 00 73696f34",
	},
}, {
	name: "mschapv2 with a domain", m: MSCHAPv2, user: `CORP\jdoe`, password: `correct "horse" \battery staple 0123456789`,
	peerRand: "a2862a4dc16552fb3d428deeb42548cb",
	authRand: "69 ab411e06532d7335378d5d120cf009d5",
	server: []string{
		"016a001a 10ab411e06532d7335378d5d120cf009d5 7070747064",
		"036a003f 533d39304243323534333337463541303343303338334134444438393636363231304336424536463332 204d3d416363657373206772616e746564",
	},
	client: []string{
		"026a003f 31 a2862a4dc16552fb3d428deeb42548cb 0000000000000000 de7bfa1977a8d96a6947e684e30426f150165f0329023051 00 434f52505c6a646f65",
	},
}, {
	name: "mschapv2, wrong password", m: MSCHAPv2, user: "sio4", password: "wr0ng", refused: true,
	peerRand: "3d4552546ea8585d2a1469009e5563d8",
	authRand: "97 21e75d603efba452cf5298e852e68d13",
	server: []string{
		"0198001a 1021e75d603efba452cf5298e852e68d13 7070747064",
		"04980044 453d363931 20523d31 20433d3231653735643630336566626134353263663532393865383532653638643133 20563d30 204d3d4163636573732064656e696564",
	},
	client: []string{
		"0298003a 31 3d4552546ea8585d2a1469009e5563d8 0000000000000000 134dc7bcbc8108907fabac28fc30a9c0c5cc7b83d6fc87fc 00 73696f34",
	},
	ours: map[int]bool{1: true},
}, {
	name: "mschap", m: MSCHAP, user: "sio4", password: "p4ssw0rd",
	authRand: "7f 66f642eeccf2546a",
	server: []string{
		"01800012 0866f642eeccf2546a 7070747064",
		"03800012 416363657373206772616e746564",
	},
	client: []string{
		"0280003a 31 000000000000000000000000000000000000000000000000 04a07b17d882e841aa4010d5defb22c17918f2b9d100fbd9 01 73696f34",
	},
}, {
	name: "pap", m: PAP, user: "sio4", password: "p4ssw0rd",
	server: []string{"0201000d 08 4c6f67696e206f6b"},
	client: []string{"01010012 04 73696f34 08 7034737377307264"},
	ours:   map[int]bool{0: true},
}, {
	name: "pap, wrong password", m: PAP, user: "sio4", password: "wr0ng", refused: true,
	server: []string{"03010014 0f 4c6f67696e20696e636f7272656374"},
	client: []string{"0101000f 04 73696f34 05 7772306e67"},
	ours:   map[int]bool{0: true},
}, {
	name: "chap", m: CHAP, user: "sio4", password: "p4ssw0rd",
	server: []string{
		"012a001c 12 31c9330f725e9b846b43ca8f87ccd1c48ecf 7070747064",
		"032a0012 416363657373206772616e746564",
	},
	client: []string{"022a0019 10 64622b747f8fde90e5cfbb849ab2f0df 73696f34"},
	ours:   map[int]bool{0: true, 1: true}, // our challenge has 16 octets, never 18
}, {
	name: "eap-md5", m: EAP, user: "sio4", password: "p4ssw0rd",
	server: []string{
		"01730009 01 4e616d65",
		"01740022 04 17 5787f7012888cbfd4994ed29a2233ff84e1756f869b2b0 7070747064",
		"03750004",
	},
	client: []string{
		"02730009 01 73696f34",
		"0274001a 04 10 31a47e93b7cde85f3048d815aa1cde4a 73696f34",
	},
	ours: map[int]bool{0: true, 1: true, 2: true},
}, {
	// pppd as the server; it offers MD5 first, and sends no EAP Success.
	name: "eap-mschapv2, pppd asks", m: EAP, user: "sio4", password: "p4ssw0rd", noMD5: true,
	peerRand: "8a599b9ff253553c81e4f17a2800bbc2",
	server: []string{
		"01f50009 01 4e616d65",
		"01f6001b 04 1047f969813c05e633d089a8f410df8b63 7070747064",
		"01f7001f 1a 01f7001a 105fa4e5b5a32e45db5049ba311b983b75 7070747064",
		"01f80044 1a 03f8003f 533d36303845363844454644304136383831393634443841363231384542363630323935453144354445 204d3d416363657373206772616e746564",
	},
	client: []string{
		"02f50009 01 73696f34",
		"02f60006 03 1a",
		"02f7003f 1a 02f7003a 31 8a599b9ff253553c81e4f17a2800bbc2 0000000000000000 cd05aa24d788a24630ace4e3fd2cc8fada38354a2859c703 00 73696f34",
		"02f80006 1a 03",
	},
}, {
	name: "eap-mschapv2, pppd asks, wrong password", m: EAP, user: "sio4", password: "wr0ng", noMD5: true, refused: true,
	peerRand: "5b996693d1242faabf2d7821763305e6",
	server: []string{
		"01290009 01 4e616d65",
		"012a001b 04 108f3bad7bb94b0d256e58eecd34967a23 7070747064",
		"012b001f 1a 012b001a 1002136f98e15ffab46eb95d13339798b8 7070747064",
		"012c0049 1a 042c0044 453d36393120523d3120433d303231333666393865313566666162343665623935643133333339373938623820563d30204d3d4163636573732064656e696564",
	},
	client: []string{
		"02290009 01 73696f34",
		"022a0006 03 1a",
		"022b003f 1a 022b003a 31 5b996693d1242faabf2d7821763305e6 0000000000000000 421e8469cd188a34c80ceeee2cf02efea80cb662f99e98b7 00 73696f34",
		"022c0006 1a 04",
	},
}, {
	// pppd as the client.
	name: "eap-mschapv2, pppd answers", m: EAP, user: "sio4", password: "p4ssw0rd", noMD5: true, asked: true,
	peerRand: "38123cbb0e12d76789e61edf967112f1",
	authRand: "a2 88f38ea26a9a46e4f482484332f68817",
	server: []string{
		"01a30005 01",
		"01a4001e 1a 01a40019 1088f38ea26a9a46e4f482484332f68817 6f757273",
		"01a50044 1a 03a4003f 533d39323631464635444246433332343137414243463042464245453746314531393431383146354642 204d3d416363657373206772616e746564",
		"03a50004",
	},
	client: []string{
		"02a30009 01 73696f34",
		"02a4003f 1a 02a4003a 31 38123cbb0e12d76789e61edf967112f1 0000000000000000 5b00c89893a2f2312c91023a4ec5974963026829e7822a29 00 73696f34",
		"02a50006 1a 03",
	},
}}

// random is a Rand of given octets.
func random(t *testing.T, s string) io.Reader {
	return io.MultiReader(bytes.NewReader(unhex(t, s)), chaCha(3))
}

func TestRecordedPeer(t *testing.T) {
	for _, r := range recordings {
		p := NewPeer(r.m, PeerConfig{User: r.user, Password: Secret(r.password), Rand: random(t, r.peerRand), AllowEAPMD5: !r.noMD5})
		p.Start(epoch)
		var sent [][]byte
		var all []Event // but for what is sent
		drain := func() {
			for _, ev := range events(p) {
				if s, ok := ev.(Send); ok && s.Protocol == r.m.Protocol() {
					sent = append(sent, s.Packet)
				} else {
					all = append(all, ev)
				}
			}
		}
		drain()
		for _, s := range r.server {
			p.Handle(epoch, r.m.Protocol(), unhex(t, s))
			drain()
		}
		for i, c := range r.client {
			if i >= len(sent) || !bytes.Equal(sent[i], unhex(t, c)) {
				t.Fatalf("%s: %x, want %q", r.name, sent, r.client)
			}
		}
		if len(all) != 1 {
			t.Fatalf("%s: events %v", r.name, all)
		}
		switch ev := all[0].(type) {
		case Done:
			_, _, keys := ev.StartKeys(false)
			if r.refused || ev.User != r.user || keys != (r.m == MSCHAP || r.m == MSCHAPv2 || r.noMD5) {
				t.Errorf("%s: %+v", r.name, ev)
			}
			if want := map[Method]string{PAP: "Login ok", EAP: ""}[r.m]; ev.Message != want && ev.Message != "Access granted" {
				t.Errorf("%s: message %q", r.name, ev.Message)
			}
		case Failed:
			var e *Error
			if !r.refused || !errors.As(ev.Err, &e) {
				t.Fatalf("%s: %v", r.name, ev.Err)
			}
			if (r.m == MSCHAPv2 || r.noMD5) && (e.Code != 691 || e.Message != "Access denied" || !e.Retry) {
				t.Errorf("%s: %#v", r.name, e)
			}
			if r.m == PAP && e.Message != "Login incorrect" {
				t.Errorf("%s: %#v", r.name, e)
			}
		default:
			t.Errorf("%s: %v", r.name, ev)
		}
		if !p.Deadline().IsZero() {
			t.Errorf("%s: a deadline is left", r.name)
		}
	}
}

func TestRecordedAuthenticator(t *testing.T) {
	for _, r := range recordings {
		if r.authRand == "" && r.m != PAP {
			continue // challenges of a length we do not use: TestRecordedMD5
		}
		name := "pptpd"
		if r.asked {
			name = "ours"
		}
		a := NewAuthenticator(r.m, AuthenticatorConfig{Name: name, Rand: random(t, r.authRand), Lookup: func(u string) (Credential, error) {
			if u == "sio4" {
				return Credential{Password: "p4ssw0rd"}, nil
			}
			return Credential{Password: Secret(r.password)}, nil
		}})
		a.Start(epoch)
		var sent [][]byte
		var done *Result
		var failed error
		drain := func() {
			for _, ev := range events(a) {
				switch ev := ev.(type) {
				case Send:
					sent = append(sent, ev.Packet)
				case Done:
					done = &ev.Result
				case Failed:
					failed = ev.Err
				}
			}
		}
		drain()
		for _, c := range r.client {
			a.Handle(epoch, r.m.Protocol(), unhex(t, c))
			drain()
		}
		if len(sent) != len(r.server) {
			t.Fatalf("%s: sent %x", r.name, sent)
		}
		for i, s := range r.server {
			want := unhex(t, s)
			if !r.ours[i] && !bytes.Equal(sent[i], want) || sent[i][0] != want[0] || sent[i][1] != want[1] {
				t.Errorf("%s: packet %d is %q, want %q", r.name, i, sent[i], want)
			}
		}
		if (done == nil) != r.refused || (failed != nil) != r.refused {
			t.Errorf("%s: %+v, %v", r.name, done, failed)
		}
		if r.name == "mschapv2, wrong password" {
			if s := string(sent[1][4:]); !strings.HasPrefix(s, "E=691 R=0 C=") || !strings.HasSuffix(s, " V=3 M=Access denied") || len(s) != 64 || strings.Contains(s, "21E75D60") {
				t.Errorf("%s: %q", r.name, s)
			}
		}
	}
}

// TestRecordedMD5 checks the arithmetic on the recorded challenges.
func TestRecordedMD5(t *testing.T) {
	for _, r := range recordings {
		var challenge, response packet
		if r.noMD5 {
			continue
		}
		switch r.m {
		case CHAP:
			challenge, _ = parsePacket(unhex(t, r.server[0]))
			response, _ = parsePacket(unhex(t, r.client[0]))
		case EAP:
			challenge, _ = parsePacket(unhex(t, r.server[1]))
			response, _ = parsePacket(unhex(t, r.client[1]))
			challenge.data, response.data = challenge.data[1:], response.data[1:]
		default:
			continue
		}
		c, _, _ := parseValue(challenge.data)
		v, _, ok := parseValue(response.data)
		u := &users{base: newBase(r.m, nil, 0, 0), cfg: &AuthenticatorConfig{Lookup: one("sio4", Credential{Password: "p4ssw0rd"})}}
		if got := u.checkMD5("sio4", response.id, c, v); !ok || got.err != nil {
			t.Errorf("%s: %v", r.name, got.err)
		}
		if got := u.checkMD5("sio4", response.id+1, c, v); got.err == nil {
			t.Errorf("%s: accepted for another identifier", r.name)
		}
	}
}

// TestRFC2759 is the example of RFC 2759, Section 9.2, with the send key of RFC
// 3079, Section 3.5.3, through the cores.
func TestRFC2759(t *testing.T) {
	const (
		challenge = "5b5d7c7d7b3f2f3e3c2c602132262628"
		peer      = "21402324255e262a28295f2b3a337c7e"
		response  = "02010039 31" + peer + "0000000000000000" + "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df" + "00 55736572"
		success   = "S=407A5589115FD0D6209F510FE9C04566932CDA56"
		key       = "8b7cdc149b993a1ba118cb153f56dccb" // what the server sends with
	)
	want := unhex(t, response)
	want[3] = byte(len(want))
	p := NewPeer(MSCHAPv2, PeerConfig{User: "User", Password: "clientPass", Rand: random(t, peer)})
	a := NewAuthenticator(MSCHAPv2, AuthenticatorConfig{Rand: random(t, "00"+challenge), Lookup: one("User", Credential{Password: "clientPass"})})
	p.Start(epoch)
	a.Start(epoch)
	asked := events(a)[0].(Send)
	if asked.Packet[1] != 1 || !bytes.Equal(asked.Packet[5:], unhex(t, challenge)) {
		t.Fatalf("challenge %x", asked.Packet)
	}
	p.Handle(epoch, asked.Protocol, asked.Packet)
	answered := events(p)[0].(Send)
	if !bytes.Equal(answered.Packet, want) {
		t.Fatalf("response %x, want %x", answered.Packet, want)
	}
	a.Handle(epoch, answered.Protocol, answered.Packet)
	out := events(a)
	verdict := out[0].(Send)
	if got := string(verdict.Packet[4:]); got != success+" M=Access granted" {
		t.Fatalf("success %q", got)
	}
	p.Handle(epoch, verdict.Protocol, verdict.Packet)
	server, client := out[1].(Done), events(p)[0].(Done)
	send, _, _ := server.StartKeys(true)
	_, recv, _ := client.StartKeys(false)
	if k := mschap.Key(unhex(t, key)); send != k || recv != k {
		t.Error("not the key of RFC 3079")
	}
}
