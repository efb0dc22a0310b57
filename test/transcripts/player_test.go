package transcripts

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
)

// What the recorded server gives.
var (
	serverAddr = netip.MustParseAddr("192.168.13.3")
	clientAddr = netip.MustParseAddr("192.168.13.200")
	dnsAddr    = netip.MustParseAddr("192.168.13.1")
	winsAddr   = netip.MustParseAddr("192.168.13.2")
)

// script is a source of randomness that makes a core choose what the recorded
// program chose: id where one octet is asked for, and the challenge. All else
// it fills with a constant.
type script struct {
	id        byte
	challenge []byte
}

func (s *script) Read(p []byte) (int, error) {
	switch {
	case len(p) == 1:
		p[0] = s.id
	case len(p) == len(s.challenge):
		copy(p, s.challenge)
	default:
		for i := range p {
			p[i] = 0x5a
		}
	}
	return len(p), nil
}

// A player is a Link in the place of one of the two programs, which is given
// what the other one sent. Its requests differ from those recorded, so what
// answers these is made to answer its own; all else is as it was sent.
type player struct {
	t      *testing.T
	r      *Recording
	client bool // the part we play
	link   *ppp.Link
	begin  time.Time

	sent     []pppFrame
	events   []ppp.Event
	requests map[uint16][]byte // our latest Configure-Request by protocol, and under LCP's and 5 our Terminate-Request
	papID    byte
	fed      []pppFrame // requests of the peer that were passed on as they are
}

const terminateKey = pppLCP &^ 0xff // in requests: no protocol has it

func newPlayer(t *testing.T, r *Recording, client bool, list []pppFrame) *player {
	p := &player{t: t, r: r, client: client, begin: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), requests: make(map[uint16][]byte)}
	p.link = ppp.NewLink(p.config(list))
	return p
}

// config is the recorded program's policy.
func (p *player) config(list []pppFrame) ppp.Config {
	name := p.r.Name
	method, err := auth.ParseMethod(map[string]string{"mschap-v2": "mschapv2"}[p.r.Auth] + map[bool]string{true: p.r.Auth}[p.r.Auth != "mschap-v2"])
	if err != nil {
		p.t.Fatal(err)
	}
	cfg := ppp.Config{
		Auth: []auth.Method{method}, Restart: time.Minute, RestartMax: time.Minute,
		MPPE: policyOf(p.r.MPPE),
		IPv6: strings.Contains(name, "ipv6cp"),
	}
	if p.client {
		cfg.Role = ppp.Client
		cfg.Peer = auth.PeerConfig{User: p.r.User, Password: auth.Secret(p.r.ClientPassword), AllowEAPMD5: true, Restart: time.Minute,
			Rand: &script{challenge: recordedPeerChallenge(list)}}
		cfg.WantDNS = strings.HasSuffix(name, "-dns")
	} else {
		id, challenge := recordedChallenge(list)
		cfg.Role, cfg.Local, cfg.Remote = ppp.Server, serverAddr, clientAddr
		cfg.Authenticator = auth.AuthenticatorConfig{Name: "pptpd", EAPMD5: true, Restart: time.Minute, Rand: &script{id: id - 1, challenge: challenge},
			Lookup: func(user string) (auth.Credential, error) {
				if user != p.r.User {
					return auth.Credential{}, errors.New("no such user")
				}
				return auth.Credential{Password: auth.Secret(p.r.Password)}, nil
			}}
		cfg.DNS, cfg.WINS = []netip.Addr{dnsAddr}, []netip.Addr{winsAddr}
	}
	switch { // where the two sides' policies differ
	case strings.HasSuffix(name, "-mppe-any") && p.client:
		cfg.MPPE.Bits = []int{128, 40}
	case strings.HasSuffix(name, "-mppe-refused") && !p.client:
		cfg.MPPE = policyOf("none")
	case strings.HasSuffix(name, "-mppe-strength") && p.client:
		cfg.MPPE.Bits = []int{40}
	case name == "auth-refused" && p.client:
		cfg.Auth, cfg.MPPE = []auth.Method{auth.PAP}, policyOf("none")
	case strings.HasSuffix(name, "-no-ipv6cp") && !p.client:
		cfg.IPv6 = false
	}
	return cfg
}

func policyOf(words string) ppp.MPPE {
	m := ppp.MPPE{Require: true, Bits: []int{128}, Stateful: strings.HasSuffix(words, "stateful")}
	switch {
	case words == "none":
		return ppp.MPPE{Refuse: true}
	case strings.HasPrefix(words, "40"):
		m.Bits = []int{40}
	}
	return m
}

// recordedPeerChallenge is what the client's MS-CHAPv2 response begins with.
func recordedPeerChallenge(list []pppFrame) []byte {
	for _, f := range list {
		if f.protocol == pppCHAP && f.fromClient && f.info[0] == 2 && f.info[4] == 49 {
			return f.info[5:21]
		}
	}
	return nil
}

// recordedChallenge is the server's, with the identifier.
func recordedChallenge(list []pppFrame) (id byte, challenge []byte) {
	for _, f := range list {
		if f.protocol == pppCHAP && !f.fromClient && f.info[0] == 1 {
			return f.info[1], f.info[5 : 5+f.info[4]]
		}
	}
	return 0, nil
}

// play runs the whole recording.
func (p *player) play(list []pppFrame) {
	p.link.Open(p.begin)
	p.drain()
	for _, f := range list {
		now := p.begin.Add(p.r.Packets[f.number].At)
		switch {
		case f.fromClient != p.client:
			p.feed(now, f)
		case p.r.Up && f.protocol == pppLCP && f.info[0] == 5: // our part says goodbye
			p.link.Close(now, "goodbye")
			p.drain()
		}
	}
	p.link.Down(p.begin.Add(time.Hour), errHangup)
	p.drain()
}

var errHangup = errors.New("the recording ends here")

// drain takes what the core has to say.
func (p *player) drain() {
	for ev := p.link.NextEvent(); ev != nil; ev = p.link.NextEvent() {
		p.events = append(p.events, ev)
		s, ok := ev.(ppp.SendFrame)
		if !ok {
			continue
		}
		f, err := parsePPP(s.Frame)
		if err != nil || len(f.info) < 4 {
			p.t.Fatalf("we sent % x: %v", s.Frame, err)
		}
		p.sent = append(p.sent, f)
		switch {
		case isNegotiation(f.protocol) && f.info[0] == 1:
			p.requests[f.protocol] = f.info
		case f.protocol == pppLCP && f.info[0] == 5:
			p.requests[terminateKey] = f.info
		case f.protocol == pppPAP && f.info[0] == 1:
			p.papID = f.info[1]
		}
	}
}

func isNegotiation(protocol uint16) bool {
	return protocol == pppLCP || protocol == pppIPCP || protocol == pppCCP || protocol == pppIPV6CP
}

// feed passes on what the peer sent.
func (p *player) feed(now time.Time, f pppFrame) {
	if f.protocol == pppMPPE || f.protocol == pppIP {
		return // the data path's
	}
	raw := f.raw
	head := len(f.raw) - len(f.info)
	if info := p.adapt(now, f); info == nil {
		return
	} else if !bytes.Equal(info, f.info) {
		raw = append(bytes.Clone(f.raw[:head]), info...)
	}
	p.link.Handle(now, bytes.Clone(raw))
	p.drain()
}

// adapt makes an answer to the recorded program one to us; nil where we never
// asked.
func (p *player) adapt(now time.Time, f pppFrame) []byte {
	code := f.info[0]
	answer := func(to []byte) []byte {
		if to == nil {
			return nil
		}
		info := bytes.Clone(f.info)
		info[1] = to[1]
		return info
	}
	switch {
	case isNegotiation(f.protocol) && code == 1, f.protocol == pppLCP && (code == 5 || code == 9):
		p.fed = append(p.fed, f)
	case isNegotiation(f.protocol) && code == 2: // Configure-Ack
		request := p.requests[f.protocol]
		if request == nil {
			return nil
		}
		info := bytes.Clone(request)
		info[0] = 2
		return info
	case isNegotiation(f.protocol) && (code == 3 || code == 4): // Nak, Reject
		return p.adaptRefusal(f)
	case f.protocol == pppLCP && code == 6: // Terminate-Ack
		return answer(p.requests[terminateKey])
	case f.protocol == pppLCP && code == 10: // Echo-Reply
		return nil
	case f.protocol == pppPAP && p.client:
		return answer([]byte{0, p.papID})
	case f.protocol == pppCHAP && !p.client && code == 2 && f.info[4] == 16:
		return p.answerMD5(f, 4)
	case f.protocol == pppEAP && !p.client && code == 2:
		if f.info[4] == 4 {
			p.preferMD5(now)
			return p.answerMD5(f, 5)
		}
		return answer(p.lastSent(pppEAP))
	}
	return f.info
}

// adaptRefusal keeps of a Nak or Reject the options that our request has too.
func (p *player) adaptRefusal(f pppFrame) []byte {
	request := p.requests[f.protocol]
	if request == nil {
		return nil
	}
	asked := make(map[byte]bool)
	eachOption(request, func(kind byte, _ []byte) { asked[kind] = true })
	info := []byte{f.info[0], request[1], 0, 0}
	eachOption(f.info, func(kind byte, whole []byte) {
		// A hint at what we might ask for is left as it is.
		if asked[kind] || f.info[0] == 3 {
			info = append(info, whole...)
		}
	})
	if len(info) == 4 {
		return nil
	}
	binary.BigEndian.PutUint16(info[2:], uint16(len(info)))
	return info
}

func eachOption(packet []byte, f func(kind byte, whole []byte)) {
	b := packet[4:min(len(packet), int(binary.BigEndian.Uint16(packet[2:])))]
	for len(b) >= 2 && int(b[1]) >= 2 && int(b[1]) <= len(b) {
		f(b[0], b[:b[1]])
		b = b[b[1]:]
	}
}

func (p *player) lastSent(protocol uint16) []byte {
	for i := len(p.sent) - 1; i >= 0; i-- {
		if p.sent[i].protocol == protocol {
			return p.sent[i].info
		}
	}
	return nil
}

// preferMD5 says what an EAP client without MSCHAPv2 says when it is asked for
// that: Nak, MD5-Challenge please (RFC 3748, Section 5.3.1).
func (p *player) preferMD5(now time.Time) {
	const response, nak, md5Challenge = 2, 3, 4
	ours := p.lastSent(pppEAP)
	if len(ours) > 4 && ours[4] != md5Challenge {
		p.link.Handle(now, []byte{0xff, 3, 0xc2, 0x27, response, ours[1], 0, 6, nak, md5Challenge})
		p.drain()
	}
}

// answerMD5 computes the response to our own challenge as the recorded client
// would have: MD5 of identifier, secret and challenge (RFC 1994, Section 4.1).
// at is where the value's length stands in both packets.
func (p *player) answerMD5(f pppFrame, at int) []byte {
	ours := p.lastSent(f.protocol)
	if ours == nil || len(ours) <= at || len(ours) < at+1+int(ours[at]) {
		return nil
	}
	challenge := ours[at+1 : at+1+int(ours[at])]
	sum := md5.Sum(append(append([]byte{ours[1]}, p.r.ClientPassword...), challenge...))
	info := bytes.Clone(f.info)
	info[1] = ours[1]
	copy(info[at+1:], sum[:])
	return info
}
