package ppp

import (
	"slices"
	"strings"
	"testing"
)

// rfc1661 is Section 4.1's table, transcribed once more and in the RFC's own
// notation: columns are the states 0 to 9, "-" is an illegal transition,
// footnote letters are kept.
const rfc1661 = `
Up    2      irc,scr/6 -        -              -       -      -         -         -         -
Down  -      -         0        tls/1          0       1      1         1         1         tld/1
Open  tls/1  1         irc,scr/6 3r            5r      5r     6         7         8         9r
Close 0      tlf/0     2        2              4       4      irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4
TO+   -      -         -        -              str/4   str/5  scr/6     scr/6     scr/8     -
TO-   -      -         -        -              tlf/2   tlf/3  tlf/3p    tlf/3p    tlf/3p    -
RCR+  -      -         sta/2    irc,scr,sca/8  4       5      sca/8     sca,tlu/9 sca/8     tld,scr,sca/8
RCR-  -      -         sta/2    irc,scr,scn/6  4       5      scn/6     scn/7     scn/6     tld,scr,scn/6
RCA   -      -         sta/2    sta/3          4       5      irc/7     scr/6x    irc,tlu/9 tld,scr/6x
RCN   -      -         sta/2    sta/3          4       5      irc,scr/6 scr/6x    irc,scr/8 tld,scr/6x
RTR   -      -         sta/2    sta/3          sta/4   sta/5  sta/6     sta/6     sta/6     tld,zrc,sta/5
RTA   -      -         2        3              tlf/2   tlf/3  6         6         8         tld,scr/6
RUC   -      -         scj/2    scj/3          scj/4   scj/5  scj/6     scj/7     scj/8     scj/9
RXJ+  -      -         2        3              4       5      6         6         8         9
RXJ-  -      -         tlf/2    tlf/3          tlf/2   tlf/3  tlf/3     tlf/3     tlf/3     tld,irc,str/5
RXR   -      -         2        3              4       5      6         7         8         ser/9
`

// TestTransitions walks all 160 cells.
func TestTransitions(t *testing.T) {
	cells := 0
	for e, line := range strings.Split(strings.TrimSpace(rfc1661), "\n") {
		words := strings.Fields(line)
		if len(words) != 1+int(numStates) {
			t.Fatalf("%s: %d cells", words[0], len(words)-1)
		}
		if got := event(e).String(); got != words[0] {
			t.Fatalf("row %d is event %s, want %s", e, got, words[0])
		}
		for s, want := range words[1:] {
			cells++
			want = strings.TrimRight(want, "rpx")
			c := transitions[e][s]
			if got := notation(c); got != want {
				t.Errorf("%s in state %d (%s): %s, want %s", words[0], s, State(s), got, want)
			}
		}
	}
	if cells != 160 {
		t.Errorf("%d cells, want 160", cells)
	}
}

// notation writes a cell as the RFC does.
func notation(c cell) string {
	if !c.legal {
		return "-"
	}
	next := string(rune('0' + c.next))
	if len(c.do) == 0 {
		return next
	}
	names := make([]string, len(c.do))
	for i, a := range c.do {
		names[i] = a.String()
	}
	return strings.Join(names, ",") + "/" + next
}

// TestTimedStates: RFC 1661, Section 4.2 says in which states the Restart timer
// runs, and they are those where TO+ is legal.
func TestTimedStates(t *testing.T) {
	for s := Initial; s < numStates; s++ {
		if got, want := s.timed(), transitions[evTOp][s].legal; got != want {
			t.Errorf("%s: timed %v, but TO+ legal %v", s, got, want)
		}
	}
	want := []State{ReqSent, AckRcvd, AckSent}
	for s := Initial; s < numStates; s++ {
		if got := s.negotiating(); got != slices.Contains(want, s) {
			t.Errorf("%s: negotiating %v", s, got)
		}
	}
}
