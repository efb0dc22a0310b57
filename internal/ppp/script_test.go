package ppp

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// script talks to one link, in the words of Describe:
//
//	s.recv("LCP Configure-Ack id=1 …")   what the peer sends
//	s.want("LCP Configure-Request …")    all that we send next, and nothing more
//	s.advance(time.Second)               time passes
//
// In want a word "*" stands for any one, in recv "%ours" for the options of our
// last Configure-Request of that protocol.
type script struct {
	*end
	now  time.Time
	sent []string
	raw  [][]byte // authentication frames among them
	ours map[string]string
}

func newScript(t *testing.T, cfg Config) *script {
	s := &script{end: &end{Link: NewLink(cfg), t: t, name: cfg.Role.String()}, now: epoch, ours: map[string]string{}}
	s.Open(s.now)
	s.drain()
	return s
}

func (s *script) drain() {
	s.t.Helper()
	for ev := s.NextEvent(); ev != nil; ev = s.NextEvent() {
		f, ok := ev.(SendFrame)
		if !ok {
			s.take(ev)
			continue
		}
		text := Describe(f.Frame)
		if p, _, _ := ParseFrame(f.Frame); p == ProtocolCHAP {
			s.raw = append(s.raw, f.Frame)
			continue
		}
		if words := strings.Fields(text); len(words) > 2 && words[1] == "Configure-Request" {
			s.ours[words[0]] = words[2] + " " + strings.Join(words[3:], " ")
		}
		s.sent = append(s.sent, text)
	}
}

// recv hands the link a packet.
func (s *script) recv(text string) {
	s.t.Helper()
	protocol, _, _ := strings.Cut(text, " ")
	text = strings.ReplaceAll(text, "%ours", strings.TrimSpace(s.ours[protocol]))
	s.frame(AppendFrame(nil, protocolOf(s.t, protocol), compose(s.t, text), false, false))
}

func (s *script) frame(frame []byte) {
	s.t.Helper()
	s.Handle(s.now, frame)
	s.drain()
}

// want compares what was sent since the last want.
func (s *script) want(texts ...string) {
	s.t.Helper()
	ok := len(texts) == len(s.sent)
	for i := 0; ok && i < len(texts); i++ {
		ok = match(texts[i], s.sent[i])
	}
	if !ok {
		s.t.Fatalf("sent\n\t%s\nwant\n\t%s", strings.Join(s.sent, "\n\t"), strings.Join(texts, "\n\t"))
	}
	s.sent = nil
}

// advance lets time pass, timer by timer.
func (s *script) advance(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for range 1000 {
		next := s.Deadline()
		if next.IsZero() || next.After(end) {
			s.now = end
			return
		}
		if next.After(s.now) {
			s.now = next
		}
		s.Advance(s.now)
		s.drain()
	}
	s.t.Fatalf("no end of timers; deadline %v at %v", s.Deadline(), s.now)
}

// authenticate plays the server's part of MS-CHAPv2.
func (s *script) authenticate() {
	s.t.Helper()
	a := auth.NewAuthenticator(auth.MSCHAPv2, serverConfig(auth.MSCHAPv2, MPPE{}).Authenticator)
	a.Start(s.now)
	for range 10 {
		for ev := a.NextEvent(); ev != nil; ev = a.NextEvent() {
			if send, ok := ev.(auth.Send); ok {
				s.frame(AppendFrame(nil, Protocol(send.Protocol), send.Packet, false, false))
			}
		}
		raw := s.raw
		s.raw = nil
		for _, f := range raw {
			p, info, _ := ParseFrame(f)
			a.Handle(s.now, uint16(p), info)
		}
	}
	if s.user != user {
		s.t.Fatal("not authenticated")
	}
}

func match(pattern, text string) bool {
	p, w := strings.Fields(pattern), strings.Fields(text)
	if len(p) != len(w) {
		return false
	}
	for i := range p {
		if p[i] != w[i] && p[i] != "*" && p[i] != "*>" {
			return false
		}
	}
	return true
}

func protocolOf(t testing.TB, name string) Protocol {
	t.Helper()
	for _, p := range []Protocol{ProtocolLCP, ProtocolCCP, ProtocolIPCP, ProtocolIPV6CP, ProtocolCHAP, ProtocolPAP} {
		if p.String() == name {
			return p
		}
	}
	t.Fatalf("protocol %q", name)
	return 0
}

// compose makes a packet from words: "LCP Configure-Request id=1 <mru 1400>
// <magic 0x1>", an option of any kind being <option 3 c22381>, and other data
// in hexadecimal: "LCP Echo-Request id=1 00000001".
func compose(t testing.TB, text string) []byte {
	t.Helper()
	head, opts, hasOpts := strings.Cut(text, "<")
	words := strings.Fields(head)
	pkt := Packet{Code: Code(255)}
	for c := range codeNames {
		if codeNames[c] == words[1] {
			pkt.Code = Code(c)
		}
	}
	if n, ok := strings.CutPrefix(words[1], "code-"); ok {
		c, _ := strconv.Atoi(n)
		pkt.Code = Code(c)
	}
	id, err := strconv.Atoi(strings.TrimPrefix(words[2], "id="))
	if err != nil || pkt.Code == 255 {
		t.Fatalf("%q", text)
	}
	pkt.ID = byte(id)
	for _, w := range words[3:] {
		data, err := hex.DecodeString(w)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		pkt.Data = append(pkt.Data, data...)
	}
	if hasOpts {
		for o := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(opts), ">"), "> <") {
			pkt.Data = AppendOptions(pkt.Data, []Option{composeOption(t, protocolOf(t, words[0]), o)})
		}
	}
	return AppendPacket(nil, pkt)
}

func composeOption(t testing.TB, p Protocol, text string) Option {
	t.Helper()
	words := strings.Fields(text)
	number := func() uint64 {
		n, err := strconv.ParseUint(words[1], 0, 32)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return n
	}
	addr := func(o byte) Option {
		var a [4]byte
		if _, err := fmt.Sscanf(words[1], "%d.%d.%d.%d", &a[0], &a[1], &a[2], &a[3]); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return Option{o, a[:]}
	}
	switch words[0] {
	case "mru":
		return option16(OptionMRU, uint16(number()))
	case "asyncmap":
		return option32(OptionACCM, uint32(number()))
	case "magic":
		return option32(OptionMagic, uint32(number()))
	case "pcomp":
		return Option{Type: OptionPFC}
	case "accomp":
		return Option{Type: OptionACFC}
	case "auth":
		for _, m := range methods {
			if m.String() == words[1] {
				return Option{OptionAuth, m.Option()}
			}
		}
	case "mppe":
		var v uint32
		for _, w := range words[1:] {
			if w[0] == '+' {
				v |= map[byte]uint32{'H': 0x01000000, 'M': 0x80, 'S': 0x40, 'L': 0x20, 'D': 0x10, 'C': 0x01}[w[1]]
			}
		}
		return option32(OptionMPPE, v)
	case "addr":
		return addr(OptionIPAddress)
	case "dns1":
		return addr(OptionPrimaryDNS)
	case "dns2":
		return addr(OptionSecondaryDNS)
	case "wins1":
		return addr(OptionPrimaryWINS)
	case "wins2":
		return addr(OptionSecondaryWINS)
	case "id":
		b, err := hex.DecodeString(words[1])
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return Option{OptionInterfaceID, b}
	case "compress":
		b, _ := hex.DecodeString(words[1])
		return Option{OptionIPCompression, b}
	case "option":
		n, _ := strconv.Atoi(words[1])
		b := []byte{}
		if len(words) > 2 {
			b, _ = hex.DecodeString(words[2])
		}
		return Option{byte(n), b}
	}
	t.Fatalf("option %q of %s", text, p)
	return Option{}
}
