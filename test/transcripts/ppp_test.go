package transcripts

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"goppptp/internal/mppe"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
)

// TestPPP puts our Link into the place of each of the two recorded programs in
// turn. It must come to the recorded end, with the recorded keys, and answer
// each request as the program whose place it takes did.
func TestPPP(t *testing.T) {
	for _, client := range []bool{true, false} {
		t.Run(map[bool]string{true: "client", false: "server"}[client], func(t *testing.T) {
			all(t, every, func(t *testing.T, r *Recording) {
				list := frames(t, r)
				p := newPlayer(t, r, client, list)
				p.play(list)
				p.checkEnd(list)
				p.checkAnswers(list)
				p.checkAuthentication(list)
				if t.Failed() {
					t.Log("\n" + p.story())
				}
			})
		})
	}
}

// story is what happened, for the log of a test that failed.
func (p *player) story() string {
	var b strings.Builder
	for _, ev := range p.events {
		if s, ok := ev.(ppp.SendFrame); ok {
			fmt.Fprintf(&b, "sent % x\n", s.Frame)
		} else {
			fmt.Fprintf(&b, "%T %+v\n", ev, ev)
		}
	}
	return b.String()
}

// last finds the latest event of a type.
func last[E ppp.Event](p *player) (found E, ok bool) {
	for _, ev := range p.events {
		if e, is := ev.(E); is {
			found, ok = e, true
		}
	}
	return found, ok
}

// checkEnd compares what came of it with the recording.
func (p *player) checkEnd(list []pppFrame) {
	p.t.Helper()
	up, isUp := last[ppp.NetworkUp](p)
	if isUp != p.r.Up {
		p.t.Fatalf("tunnel up: %v, in the recording %v", isUp, p.r.Up)
	}
	end, ok := last[ppp.Finished](p)
	if !ok {
		p.t.Fatal("it never finished")
	}
	if !p.r.Up {
		p.checkRefusal(end.Err)
		return
	}
	local, peer := clientAddr, serverAddr
	if !p.client {
		local, peer = peer, local
	}
	if up.Local != local || up.Peer != peer {
		p.t.Errorf("addresses %v and %v, want %v and %v", up.Local, up.Peer, local, peer)
	}
	if p.client && strings.HasSuffix(p.r.Name, "-dns") {
		if len(up.DNS) != 1 || up.DNS[0] != dnsAddr {
			p.t.Errorf("name servers %v, want %v", up.DNS, dnsAddr)
		}
	}
	if _, six := last[ppp.Network6Up](p); six != strings.HasSuffix(p.r.Name, "128-ipv6cp") {
		p.t.Errorf("IPv6 up: %v", six)
	}
	p.checkKeys(list)
	p.checkLastWord(list, end.Err)
}

// checkLastWord: who said goodbye first is recorded.
func (p *player) checkLastWord(list []pppFrame, err error) {
	p.t.Helper()
	var peer *ppp.PeerError
	for _, f := range list {
		if f.protocol != pppLCP || f.info[0] != 5 {
			continue
		}
		if f.fromClient == p.client {
			if err != nil {
				p.t.Errorf("we said goodbye, and it ended with %v", err)
			}
		} else if !errors.As(err, &peer) {
			p.t.Errorf("the peer said goodbye, and it ended with %v", err)
		}
		return
	}
	if !errors.Is(err, errHangup) {
		p.t.Errorf("nobody said goodbye, and it ended with %v", err)
	}
}

// checkRefusal: why it did not come up is told by the type of the error. Who
// hears of it from the peer alone has its word only.
func (p *player) checkRefusal(err error) {
	p.t.Helper()
	var wrong *auth.Error
	var mppeError *ppp.MPPEError
	var peer *ppp.PeerError
	var negotiation *ppp.NegotiationError
	ok := false
	switch {
	case strings.HasSuffix(p.r.Name, "bad-password"):
		ok = errors.As(err, &wrong)
	case strings.Contains(p.r.Name, "-mppe-"):
		ok = errors.As(err, &mppeError) || !p.client && errors.As(err, &peer)
		// Told what we need, the client would have to say no itself; in the
		// recording it was not told.
		ok = ok || !p.client && p.r.Name == "mschapv2-mppe-strength" && errors.Is(err, errHangup)
	case p.r.Name == "auth-refused":
		ok = errors.As(err, &negotiation) || errors.As(err, &wrong)
	}
	if !ok {
		p.t.Errorf("it ended with %T: %v", err, err)
	}
	p.t.Logf("%v", err)
}

// checkKeys: with the keys handed out the first packet of each direction opens.
func (p *player) checkKeys(list []pppFrame) {
	p.t.Helper()
	c, ok := last[ppp.CompressionUp](p)
	if ok != (p.r.MPPE != "none") {
		p.t.Fatalf("MPPE is up: %v, recorded was %q", ok, p.r.MPPE)
	}
	if !ok {
		return
	}
	words := func(bits int, stateful bool) string {
		return fmt.Sprint(bits) + map[bool]string{true: " stateful"}[stateful]
	}
	if got := words(c.SendBits, c.SendStateful); got != p.r.MPPE {
		p.t.Errorf("we send %s, recorded was %s", got, p.r.MPPE)
	}
	if got := words(c.RecvBits, c.RecvStateful); got != p.r.MPPE {
		p.t.Errorf("we receive %s, recorded was %s", got, p.r.MPPE)
	}
	openers := map[bool]*mppe.Opener{
		p.client:  mppe.NewOpener(c.SendKey, mppe.Bits(c.SendBits), c.SendStateful),
		!p.client: mppe.NewOpener(c.RecvKey, mppe.Bits(c.RecvBits), c.RecvStateful),
	}
	opened := 0
	for _, f := range list {
		if o := openers[f.fromClient]; f.protocol == pppMPPE && o != nil {
			plain, err := o.Open(bytes.Clone(f.info), f.seq)
			if err != nil {
				p.t.Fatalf("packet %d: %v", f.number, err)
			}
			checkPlain(p.t, f, plain)
			delete(openers, f.fromClient)
			opened++
		}
	}
	if opened != 2 {
		p.t.Errorf("%d directions opened", opened)
	}
}

// answers lists what one side answered to the other's requests, by protocol and
// identifier, in order: Configure-Acks, -Naks and -Rejects with their options,
// Terminate-Acks, and of Echo-Replies that there is one.
func answers(list []pppFrame) map[string][]string {
	found := make(map[string][]string)
	for _, f := range list {
		if !isNegotiation(f.protocol) {
			continue
		}
		key := fmt.Sprintf("%#x id %d", f.protocol, f.info[1])
		switch code := f.info[0]; code {
		case 2, 3, 4:
			size := min(len(f.info), int(f.info[2])<<8|int(f.info[3]))
			found[key] = append(found[key], fmt.Sprintf("code %d options % x", code, f.info[4:size]))
		case 6, 10:
			found[key+" "+fmt.Sprint(code)] = append(found[key+" "+fmt.Sprint(code)], fmt.Sprintf("code %d", code))
		}
	}
	return found
}

// better lists where our answer is another than pppd's, and what it is. CCP
// requests without the encryption we need get a Nak that names it, where pppd
// agrees to nothing or rejects without a hint; and where we refuse MPPE we have
// no use for CCP at all.
var better = map[string]string{
	"client mschapv2-mppe-refused 0x80fd id 1":  "code 3 options 12 06 01 00 00 40",
	"server mschapv2-mppe-strength 0x80fd id 1": "code 3 options 12 06 01 00 00 40",
	"server mschapv2-mppe-refused 0x80fd id 1":  "",
}

// checkAnswers compares our answers with those recorded. One more on either
// side, to a request sent again, is no difference.
func (p *player) checkAnswers(list []pppFrame) {
	p.t.Helper()
	var theirs []pppFrame
	for _, f := range list {
		if f.fromClient == p.client {
			theirs = append(theirs, f)
		}
	}
	want, got := answers(theirs), answers(p.sent)
	compared := 0
	for _, f := range p.fed {
		key := fmt.Sprintf("%#x id %d", f.protocol, f.info[1])
		switch f.info[0] {
		case 5:
			key += " 6"
		case 9:
			key += " 10"
		}
		if len(want[key]) == 0 {
			continue // the program had other worries
		}
		compared++
		if ours, ok := better[p.role()+" "+p.r.Name+" "+key]; ok {
			want[key] = []string{ours}
			if ours == "" && len(got[key]) == 0 && p.rejectedProtocol(f.protocol) {
				continue
			}
		}
		if len(got[key]) == 0 {
			p.t.Errorf("packet %d, % x: no answer, recorded is %s", f.number, f.info, want[key][0])
			continue
		}
		if got[key][0] != want[key][0] {
			p.t.Errorf("packet %d, % x: our answer is %s, recorded is %s", f.number, f.info, got[key][0], want[key][0])
		}
	}
	if compared == 0 {
		p.t.Error("no answer was compared")
	}
}

func (p *player) role() string { return map[bool]string{true: "client", false: "server"}[p.client] }

// rejectedProtocol tells whether we sent a Protocol-Reject for it.
func (p *player) rejectedProtocol(protocol uint16) bool {
	for _, f := range p.sent {
		if f.protocol == pppLCP && f.info[0] == 8 && uint16(f.info[4])<<8|uint16(f.info[5]) == protocol {
			return true
		}
	}
	return false
}

// checkAuthentication compares what proves knowledge of the password: the
// client's responses, and the server's answer to the client's.
func (p *player) checkAuthentication(list []pppFrame) {
	p.t.Helper()
	for _, f := range list {
		if f.fromClient != p.client {
			continue
		}
		mine := p.client && (f.protocol == pppCHAP && f.info[0] == 2 || f.protocol == pppEAP && f.info[0] == 2 || f.protocol == pppPAP && f.info[0] == 1)
		if !p.client && f.protocol == pppCHAP && f.info[0] == 3 && p.r.Auth == "mschap-v2" {
			mine = true
		}
		if !mine {
			continue
		}
		compare := f.info
		if f.protocol == pppPAP {
			compare = f.info[2:] // behind the identifier
		} else if !p.client {
			compare = f.info[4:46] // S= and the proof
		}
		found := false
		for _, s := range p.sent {
			found = found || s.protocol == f.protocol && bytes.Contains(s.info, compare)
		}
		if !found {
			p.t.Errorf("packet %d: we never sent % x", f.number, compare)
		}
	}
}
