package server

import (
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/osnet/osnettest"
)

// A client whose network has changed comes back from elsewhere while its old
// session holds its address: it is refused, that session is asked, and gives
// way. One whose client is there stays.
func TestStaleSessionGivesWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := run(t, testConfig, Limits{})
		defer r.stop()
		user := dialOptions{user: "sio4", pass: "p4ssw0rd"} // who has a fixed address
		first := r.dial(user)
		first.wantUp(t)
		stranger := r.dial(dialOptions{user: "ann", pass: "secret"})
		stranger.wantUp(t)
		stranger.gre.Filter(osnettest.Blackhole())

		user.from = "198.51.100.2"
		second := r.dial(user)
		second.wantRefused(t)
		<-time.After(2 * staleProbe)
		third := r.dial(user)
		third.wantRefused(t)
		select {
		case <-first.ended:
			t.Fatalf("the session of a client that is there ended: %v", first.err)
		default:
		}

		first.gre.Filter(osnettest.Blackhole())
		for range 2 { // each takes a second; impatience does not put the end off
			again := r.dial(user)
			again.wantRefused(t)
		}
		synctest.Wait()
		if r.log.line("session ended", "user=sio4", "not there any more") == "" {
			t.Errorf("the log does not say why the first ended:\n%s", r.log.String())
		}
		fifth := r.dial(user)
		fifth.wantUp(t)
		select {
		case <-stranger.ended:
			t.Error("another user's session ended")
		default:
		}
		fifth.hangUp()
		stranger.vanish()
		first.vanish()
	})
}
