//go:build linux

package roaming

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"goppptp/internal/control"
)

var uplinks = [2]struct{ link, addr, via string }{
	{"eth0", "10.1.0.2", "10.1.0.1"},
	{"eth1", "10.2.0.2", "10.2.0.1"},
}

// transfer sends 10 MB through the tunnel and calls move after each chunk but
// the last; the next chunk is on its way meanwhile.
func (p *place) transfer(moves int, move func(n int)) {
	p.t.Helper()
	to := p.play(server, "sink")
	from := p.play(client, "source")
	from.tell("go")
	for n := 1; n <= chunks; n++ {
		if got := to.line(); got != fmt.Sprint("chunk ", n) {
			p.t.Fatalf("the sink says %q", got)
		}
		to.tell("go")
		if n <= moves {
			move(n)
		}
	}
	if got, want := to.line(), fmt.Sprintf("%x", sha256.Sum256(content())); got != want {
		p.t.Errorf("what came has the checksum %s, want %s", got, want)
	}
}

// TestRoaming moves the default route between two uplinks ten times while 10 MB
// go through the tunnel. The client's address stays: one that belongs to
// neither link, or that of the first link, which the second lets through.
// The session stays too.
func TestRoaming(t *testing.T) {
	for _, c := range []struct {
		name, src string
		prepare   func(p *place)
	}{
		{"one address", " src 10.99.0.2", func(p *place) {
			p.ip(client, "addr add 10.99.0.2/32 dev lo")
			p.ip(client, "route replace default via 10.1.0.1 src 10.99.0.2")
			p.ip(router, "route add 10.99.0.2/32 via 10.1.0.2")
		}},
		{"an address on each link", "", func(*place) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t, "")
			c.prepare(p)
			p.up()
			was := p.status()
			p.play(server, "echo")
			beat := p.play(client, "beat")
			beat.ask("wait")
			beat.ask("gap")
			move := func(n int) {
				to := uplinks[n%2]
				p.ip(client, "route replace default via "+to.via+" dev "+to.link+c.src)
				p.note("another way now: via " + to.via)
				if pin := p.pin(); !strings.Contains(pin, "via "+to.via+" dev "+to.link) {
					t.Errorf("move %d: the gateway's route is %q", n, pin)
				}
			}
			p.transfer(chunks, move)
			beat.ask("wait")
			t.Logf("the longest gap: %s ms", beat.ask("gap"))
			if is := p.status(); is.State != control.StateUp || !is.Since.Equal(was.Since) || is.Interface != was.Interface || p.sessions() != 1 {
				t.Errorf("another session: was %+v, is %+v; the server has had %d", was, is, p.sessions())
			}
			p.down()
		})
	}
}

// TestRoamingAway takes the address away with the uplink: the session cannot
// stay, and the next one is there at once. What goes through the tunnel has the
// same address in it, and arrives.
func TestRoamingAway(t *testing.T) {
	p := open(t, "")
	p.ip(client, "addr del 10.2.0.2/24 dev eth1")
	p.up()
	p.play(server, "echo")
	beat := p.play(client, "beat")
	beat.ask("wait")
	beat.ask("gap")
	before := p.before
	p.transfer(2, func(n int) {
		to, from := uplinks[n%2], uplinks[1-n%2]
		p.ip(client, "addr add "+to.addr+"/24 dev "+to.link)
		p.ip(client, "route replace default via "+to.via+" dev "+to.link)
		p.ip(client, "addr del "+from.addr+"/24 dev "+from.link)
		p.state(control.StateReconnecting)
		p.state(control.StateUp)
		if pin := p.pin(); !strings.Contains(pin, "via "+to.via+" dev "+to.link) {
			t.Errorf("move %d: the gateway's route is %q", n, pin)
		}
		beat.ask("wait")
		t.Logf("the longest gap: %s ms", beat.ask("gap"))
	})
	if n := p.sessions(); n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
	p.before = before
	p.down()
}

// TestLinkDown takes the only uplink down for 5 s: the session stays, waits,
// and goes on when the link is back.
func TestLinkDown(t *testing.T) {
	p := open(t, "")
	p.up()
	was := p.status()
	p.play(server, "echo")
	beat := p.play(client, "beat")
	beat.ask("wait")
	p.ip(client, "link set eth0 down")
	p.note("no route leads to the gateway any more")
	if st := p.state(control.StateUp); !strings.Contains(strings.Join(st.Warnings, "\n"), "waiting for the network") {
		t.Errorf("the status does not say that the network is waited for: %q", st.Warnings)
	}
	<-time.After(5 * time.Second) // for which the link is down
	p.ip(client, "link set eth0 up")
	p.ip(client, "route add default via 10.1.0.1")
	t.Logf("traffic again after %s ms", beat.ask("wait"))
	p.note("the gateway has a route again")
	if is := p.status(); !is.Since.Equal(was.Since) || len(is.Warnings) > 0 || p.sessions() != 1 {
		t.Errorf("was %+v, is %+v; %d sessions", was, is, p.sessions())
	}
	p.down()
}

// TestNoNetwork loses the session for want of a network: it is not dialled in
// vain, and dialled when there is one.
func TestNoNetwork(t *testing.T) {
	p := open(t, "keepalive: {interval: 1s, failures: 1}\n")
	p.up()
	p.ip(client, "link set eth0 down")
	lost := p.state(control.StateReconnecting)
	if !lost.NextAttempt.IsZero() {
		t.Errorf("the next attempt is at %v, without a network", lost.NextAttempt)
	}
	if st := p.status(); st.Attempt > 1 {
		t.Errorf("%d attempts without a network", st.Attempt)
	}
	p.ip(client, "link set eth0 up")
	p.ip(client, "route add default via 10.1.0.1")
	p.state(control.StateUp)
	p.down()
}

// TestDeletedRoutes deletes each of the session's routes: they come back, and
// that is said.
func TestDeletedRoutes(t *testing.T) {
	p := open(t, "")
	p.up()
	up := p.table()
	for _, to := range []string{"172.16.0.0/16", "192.168.13.254", gateway} {
		p.ip(client, "route del "+to)
		p.note("somebody else took this route away, it is put back: " + strings.TrimSuffix(to, "/32"))
		if is := p.table(); is != up {
			t.Errorf("%s put back:\n%s\nbefore:\n%s", to, is, up)
		}
		if st := p.status(); !strings.Contains(strings.Join(st.Warnings, "\n"), to) {
			t.Errorf("the status does not tell of %s: %q", to, st.Warnings)
		}
	}
	if p.sessions() != 1 {
		t.Errorf("%d sessions", p.sessions())
	}
	p.down()
}

// TestInterfaceDown sets the tunnel's interface down and up again: that is
// said, and the routes come back with it.
func TestInterfaceDown(t *testing.T) {
	p := open(t, "")
	p.up()
	up := p.table()
	p.ip(client, "link set ppp0 down")
	p.note("somebody has set ppp0 down")
	if st := p.status(); !strings.Contains(strings.Join(st.Warnings, "\n"), "ppp0 down") || len(st.Routes) > 0 {
		t.Errorf("the status has the routes %v and the warnings %q", st.Routes, st.Warnings)
	}
	p.ip(client, "link set ppp0 up")
	p.until("the routes are back", func() bool { return p.table() == up })
	p.until("nothing is amiss", func() bool { st := p.status(); return len(st.Warnings) == 0 && len(st.Routes) == 2 })
	if p.sessions() != 1 {
		t.Errorf("%d sessions", p.sessions())
	}
	p.down()
}

// TestLeak kills the server while packets are sent into the tunnel: with
// "leak: block" none of them leaves in clear until the tunnel is taken down.
func TestLeak(t *testing.T) {
	for _, leak := range []string{"block", "allow"} {
		t.Run(leak, func(t *testing.T) {
			p := open(t, "leak: "+leak+"\n")
			p.up()
			sniffer := p.play(router, "sniff")
			p.play(client, "flood")
			seen := func() bool { return sniffer.ask("?") != "0" }
			p.serve.Process.Signal(syscall.SIGKILL)
			p.state(control.StateReconnecting)
			if leak == "allow" { // the test sees what there is to be seen
				p.until("packets in clear", seen)
				return
			}
			p.ip(client, "route replace default via 10.2.0.1 dev eth1") // the network changes meanwhile
			p.startServer()
			p.state(control.StateUp)
			p.ip(client, "link set ppp0 down") // somebody thinks that this helps
			p.ip(client, "link set ppp0 up")
			p.until("the routes are back", func() bool {
				return strings.Contains(p.ip(client, "route show dev ppp0"), "172.16.0.0/16")
			})
			if seen() {
				t.Errorf("%s packets left in clear", sniffer.ask("?"))
			}
			p.ip(client, "route replace default via 10.1.0.1 dev eth0")
			p.down()
			p.until("packets in clear, after the end", seen)
		})
	}
}
