package transcripts

import (
	"bytes"
	"testing"

	"goppptp/internal/gre"
)

// TestGRE reads every GRE packet, writes its header again as it was, and lets a
// Receiver and a Sender keep the recorded programs' books: nothing comes twice,
// gaps are only where packets were lost, and nobody acknowledges what was never
// sent.
func TestGRE(t *testing.T) {
	all(t, every, func(t *testing.T, r *Recording) {
		receivers := map[bool]*gre.Receiver{true: new(gre.Receiver), false: new(gre.Receiver)} // by who sends
		ahead, packets, acks := 0, 0, 0
		for i, p := range r.Packets {
			if !p.GRE {
				continue
			}
			h, payload, err := gre.Parse(p.Data)
			if err != nil {
				t.Fatalf("packet %d: %v", i, err)
			}
			again := append(make([]byte, h.Len()), payload...)
			if h.Put(again, len(payload)); !bytes.Equal(again, p.Data) {
				t.Errorf("packet %d is % x, written again % x", i, p.Data, again)
			}
			if h.HasSeq {
				packets++
				switch v := receivers[p.FromClient].Receive(h.Seq); v {
				case gre.InOrder:
				case gre.Ahead:
					ahead++
				default:
					t.Errorf("packet %d, seq %d: %v", i, h.Seq, v)
				}
			}
			if h.HasAck {
				acks++
				if highest, ok := receivers[!p.FromClient].Highest(); !ok || int32(h.Ack-highest) > 0 {
					t.Errorf("packet %d acknowledges %d, the highest sent is %d", i, h.Ack, highest)
				}
			}
		}
		if packets < 8 || acks == 0 {
			t.Errorf("%d packets, %d acknowledgments", packets, acks)
		}
		if (ahead > 0) != lossy(r) {
			t.Errorf("%d gaps", ahead)
		}
	})
}
