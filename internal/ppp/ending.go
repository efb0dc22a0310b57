package ppp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"goppptp/internal/ppp/auth"
)

// Close ends the link in an orderly way: a Terminate-Request with the reason
// goes out, and Finished follows when the peer has agreed or does not answer.
func (l *Link) Close(now time.Time, reason string) {
	if l.done || l.closing {
		return
	}
	l.closing = true
	l.setPhase(Terminate)
	l.lcpM.close(now, reason)
	if !l.heard || !l.lcpM.state.timed() {
		l.finish(now) // nobody is there to agree
	}
}

// Down ends the link at once, because what carries it is gone: the call was
// cleared or the control connection lost. Finished gives the reason the link
// itself had for ending, or else err.
func (l *Link) Down(now time.Time, err error) {
	if !l.closing && l.err == nil {
		l.err = err
	}
	l.finish(now)
}

// abort ends the link at once, with a last word to a peer that may not hear it.
func (l *Link) abort(now time.Time, err error) {
	if l.err == nil {
		l.err = err
	}
	l.closing = true
	l.lcpM.close(now, err.Error())
	l.finish(now)
}

// fail makes the link end: LCP says why in the text. It only takes note; the
// public methods act on it when the automata have come to rest.
func (l *Link) fail(err error, text string) {
	if l.ending() {
		return
	}
	l.err, l.text = err, text
}

// ending tells whether the link is to end, or has.
func (l *Link) ending() bool { return l.err != nil || l.closing || l.done }

// settle does what fail left to be done.
func (l *Link) settle(now time.Time) {
	if l.err == nil || l.closing || l.done {
		return
	}
	l.closing = true
	l.setPhase(Terminate)
	l.lcpM.close(now, l.text)
	if !l.lcpM.state.timed() {
		l.finish(now)
	}
}

// finish says that the link is dead.
func (l *Link) finish(now time.Time) {
	if l.done {
		return
	}
	l.closing = true
	l.lowerDown(now)
	l.setPhase(Dead)
	l.emit(Finished{l.err})
	l.done = true
}

// peerLeft: the peer sent LCP's Terminate-Request. Why is not said in a way
// that could be relied on, but when it did so tells.
func (l *Link) peerLeft(text string) {
	if l.ending() {
		return
	}
	client := l.cfg.Role == Client
	switch {
	case client && l.phase == Authenticate:
		// The refusal itself may have been lost on the way.
		l.err = &auth.Error{Method: l.method, Message: text}
	case client && l.method == 0 && l.lcp.refused != "":
		l.err = l.noMethod()
	case l.cfg.MPPE.Require && l.phase == Network && !l.ccp.wasUp && (l.ccp.heardAny || text == "" || ofEncryption(text)):
		detail := "it ended the session"
		if text != "" {
			detail = fmt.Sprintf("it said %q", text)
		}
		l.err = l.ccp.error(detail)
	default:
		l.err = &PeerError{ProtocolLCP, text}
	}
	l.text = "as the peer asked"
	if l.lcpM.state == Opened {
		l.closing = true // the automaton does what is left to do
	}
}

// ofEncryption tells whether a peer's words are about MPPE.
//
// Interop: pppd says "MPPE required but peer negotiation failed".
func ofEncryption(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "mppe") || strings.Contains(text, "ccp") || strings.Contains(text, "encrypt")
}

// noMethod is the error of a client whose server wants what it may not do.
func (l *Link) noMethod() error {
	return &NegotiationError{ProtocolLCP, fmt.Sprintf("the server wants to authenticate us with %s, which we are not allowed to do", l.lcp.refused), true}
}

// lateOffer takes note of what a peer wanted of MPPE that has ended the link
// already, for the error.
func (l *Link) lateOffer(info []byte) {
	var e *MPPEError
	if !errors.As(l.err, &e) || e.Theirs != "" {
		return
	}
	pkt, err := ParsePacket(info)
	if err != nil || pkt.Code != ConfigureRequest && pkt.Code != ConfigureNak {
		return
	}
	if opts, err := ParseOptions(pkt.Data); err == nil {
		if _, bits, ok := l.ccp.note(opts); ok {
			e.Theirs = bits.String()
			if rest, ok := strings.CutPrefix(e.Detail, "the "+e.Peer+" "); ok {
				e.Detail = "it " + rest
			}
		}
	}
}
