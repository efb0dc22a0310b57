package tunnel

import (
	"testing"
	"time"

	"goppptp/internal/osnet/osnettest"
)

// In stateful mode a packet that overtook another is held back for it; when that
// one never comes, and nothing else does either, it is let go in time.
func TestHeldNotForEver(t *testing.T) {
	c, s := clientConfig(), serverConfig()
	c.MPPE.Stateful, s.MPPE.Stateful = true, true
	join(t, c, s, func(c, s *end) {
		waitUp(t, c, s)
		carry(t, c, s, 4)
		c.gre.Filter(osnettest.LoseBurst(1, 1))
		c.tun.Inject(packet(0, 10))
		c.tun.Inject(packet(1, 10))
		before := s.session.Stats()
		pass(20*time.Millisecond + reorderWait + 10*time.Millisecond) // the way, and the waiting
		after := s.session.Stats()
		if after.Discarded == before.Discarded && after.RxPackets == before.RxPackets {
			t.Errorf("what came after a lost packet is held back still: %+v", after)
		}
	})
}
