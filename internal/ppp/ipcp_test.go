package ppp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// openServer is a server without authentication and encryption, whose LCP is open.
func openServer(t *testing.T, change func(*Config)) *script {
	t.Helper()
	cfg := Config{Role: Server, MPPE: MPPE{Refuse: true}, Local: serverAddr, Remote: clientAddr, DNS: []netip.Addr{dnsAddr}, Rand: seeded(2)}
	if change != nil {
		change(&cfg)
	}
	s := established(t, cfg)
	s.sent = nil
	return s
}

func TestIPCPReview(t *testing.T) {
	client := func(t *testing.T) *script { return established(t, plain()) }
	server := func(t *testing.T) *script { return openServer(t, nil) }
	for _, tt := range []struct {
		name          string
		make          func(*testing.T) *script
		asked, answer string
	}{
		{"server: an address please", server, "<addr 0.0.0.0>", "Configure-Nak <addr 192.168.13.240>"},
		{"server: another address", server, "<addr 10.0.0.1>", "Configure-Nak <addr 192.168.13.240>"},
		{"server: the address given", server, "<addr 192.168.13.240>", "Configure-Ack <addr 192.168.13.240>"},
		{"server: no address", server, "", "Configure-Nak <addr 192.168.13.240>"},
		{"server: name servers", server, "<addr 192.168.13.240> <dns1 0.0.0.0> <dns2 0.0.0.0>", "Configure-Nak <dns1 192.168.13.1> <dns2 192.168.13.1>"},
		{"server: the name servers given", server, "<addr 192.168.13.240> <dns1 192.168.13.1> <dns2 192.168.13.1>",
			"Configure-Ack <addr 192.168.13.240> <dns1 192.168.13.1> <dns2 192.168.13.1>"},
		{"server: WINS, of which there is none", server, "<addr 0.0.0.0> <wins1 0.0.0.0> <wins2 0.0.0.0>", "Configure-Reject <wins1 0.0.0.0> <wins2 0.0.0.0>"},
		{"server: header compression", server, "<compress 002d0f01> <addr 0.0.0.0>", "Configure-Reject <compress 002d0f01>"},
		{"server: the deprecated option", server, "<option 1 0000000000000000>", "Configure-Reject <option 1 0000000000000000>"},
		{"server: an address of three octets", server, "<option 3 0a0000>", "Configure-Reject <option 3 0a0000>"},
		{"client: the server's address", client, "<addr 192.168.13.3>", "Configure-Ack <addr 192.168.13.3>"},
		{"client: a server without an address", client, "", "Configure-Ack"},
		{"client: a server that wants an address", client, "<addr 0.0.0.0>", "Configure-Reject <addr 0.0.0.0>"},
		{"client: a server that wants name servers", client, "<addr 192.168.13.3> <dns1 0.0.0.0>", "Configure-Reject <dns1 0.0.0.0>"},
		{"client: header compression", client, "<compress 002d0f01> <addr 192.168.13.3>", "Configure-Reject <compress 002d0f01>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.make(t)
			s.sent = nil
			s.recv("IPCP Configure-Request id=3 " + tt.asked)
			code, opts, _ := strings.Cut(tt.answer, " ")
			s.want("IPCP " + code + " id=3 " + opts)
		})
	}
}

// TestIPCPClient: ways to an address, or not.
func TestIPCPClient(t *testing.T) {
	peer := "IPCP Configure-Request id=1 <addr 192.168.13.3>"
	for _, tt := range []struct {
		name   string
		change func(*Config)
		recv   []string
		want   *NetworkUp // nil: the link ends with a NegotiationError
	}{
		{"an address by Nak", nil, []string{peer, "IPCP Configure-Nak id=1 <addr 192.168.13.200>", "IPCP Configure-Ack %ours"},
			&NetworkUp{Local: netip.MustParseAddr("192.168.13.200"), Peer: netip.MustParseAddr("192.168.13.3")}},
		{"name servers", func(c *Config) { c.WantDNS, c.WantWINS = true, true },
			[]string{peer, "IPCP Configure-Nak id=1 <addr 192.168.13.200> <dns1 192.168.13.1> <dns2 192.168.13.1> <wins1 192.168.13.9> <wins2 192.168.13.8>", "IPCP Configure-Ack %ours"},
			&NetworkUp{Local: netip.MustParseAddr("192.168.13.200"), Peer: netip.MustParseAddr("192.168.13.3"), DNS: []netip.Addr{dnsAddr},
				WINS: []netip.Addr{netip.MustParseAddr("192.168.13.9"), netip.MustParseAddr("192.168.13.8")}}},
		{"no name servers", func(c *Config) { c.WantDNS = true },
			[]string{peer, "IPCP Configure-Reject id=1 <dns1 0.0.0.0> <dns2 0.0.0.0>", "IPCP Configure-Nak id=2 <addr 192.168.13.200>", "IPCP Configure-Ack %ours"},
			&NetworkUp{Local: netip.MustParseAddr("192.168.13.200"), Peer: netip.MustParseAddr("192.168.13.3")}},
		{"a server without an address", nil, []string{"IPCP Configure-Request id=1", "IPCP Configure-Nak id=1 <addr 192.168.13.200>", "IPCP Configure-Ack %ours"},
			&NetworkUp{Local: netip.MustParseAddr("192.168.13.200")}},
		{"the address asked for", func(c *Config) { c.Local = netip.MustParseAddr("10.9.8.7") }, []string{peer, "IPCP Configure-Ack %ours"},
			&NetworkUp{Local: netip.MustParseAddr("10.9.8.7"), Peer: netip.MustParseAddr("192.168.13.3")}},
		{"another than asked for", func(c *Config) { c.Local = netip.MustParseAddr("10.9.8.7") },
			[]string{peer, "IPCP Configure-Nak id=1 <addr 192.168.13.200>", "IPCP Configure-Ack %ours"},
			&NetworkUp{Local: netip.MustParseAddr("192.168.13.200"), Peer: netip.MustParseAddr("192.168.13.3")}},
		{"a server that is us", nil, []string{peer, "IPCP Configure-Nak id=1 <addr 192.168.13.3>", "IPCP Configure-Ack %ours"}, nil},
		{"an address for no host", nil, []string{peer, "IPCP Configure-Nak id=1 <addr 127.0.0.1>", "IPCP Configure-Ack %ours"}, nil},
		{"a server at an address for no host", nil, []string{"IPCP Configure-Request id=1 <addr 224.0.0.1>", "IPCP Configure-Nak id=1 <addr 192.168.13.200>", "IPCP Configure-Ack %ours"}, nil},
		{"no address is an address", nil, []string{peer, "IPCP Configure-Ack %ours"}, nil},
		{"addresses are not given", nil, []string{peer, "IPCP Configure-Reject id=1 <addr 0.0.0.0>"}, nil},
		{"IPCP is rejected", nil, []string{"LCP Protocol-Reject id=1 8021 01010004"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := plain()
			if tt.change != nil {
				tt.change(&cfg)
			}
			s := established(t, cfg)
			for _, r := range tt.recv {
				s.recv(r)
			}
			if tt.want == nil {
				s.advance(10 * time.Second)
				var failed *NegotiationError
				if s.over == nil || !errors.As(s.over.Err, &failed) || failed.Protocol != ProtocolIPCP || s.ups != 0 {
					t.Fatalf("ended with %+v", s.over)
				}
				return
			}
			if s.net == nil || s.net.Local != tt.want.Local || s.net.Peer != tt.want.Peer ||
				!slices.Equal(s.net.DNS, tt.want.DNS) || !slices.Equal(s.net.WINS, tt.want.WINS) {
				t.Fatalf("network %+v, want %+v", s.net, tt.want)
			}
		})
	}
}

// TestIPCPNamelessClient: a client that leaves its address out is asked once,
// and then given it all the same.
func TestIPCPNamelessClient(t *testing.T) {
	s := openServer(t, nil)
	s.recv("IPCP Configure-Ack %ours")
	s.recv("IPCP Configure-Request id=1")
	s.want("IPCP Configure-Nak id=1 <addr 192.168.13.240>")
	s.recv("IPCP Configure-Request id=2")
	s.want("IPCP Configure-Ack id=2")
	if s.net == nil || s.net.Peer != clientAddr {
		t.Fatalf("network %+v", s.net)
	}
}

// TestIPCPTerminated: a peer that closes IPCP ends the session.
func TestIPCPTerminated(t *testing.T) {
	s := encrypted(t, MPPE{Require: true}, stateless128)
	s.recv("IPCP Terminate-Request id=9")
	s.want("IPCP Terminate-Ack id=9")
	if s.net != nil {
		t.Fatal("the network is up")
	}
	s.advance(time.Second)
	s.want(`LCP Terminate-Request id=2 "no network protocol running"`)
	s.recv("LCP Terminate-Ack id=2")
	var left *PeerError
	if s.over == nil || !errors.As(s.over.Err, &left) || left.Protocol != ProtocolIPCP {
		t.Fatalf("ended with %+v", s.over)
	}
}

// owner gives addresses, or an error, and knows the user.
type owner struct {
	asked, looked []string // with which names
	err           error
}

func (o *owner) Lookup(name string) (auth.Credential, error) {
	o.looked = append(o.looked, name)
	return auth.Credential{Password: password}, nil
}

func (o *owner) Assign(name string) (local, remote netip.Addr, err error) {
	o.asked = append(o.asked, name)
	return serverAddr, clientAddr, o.err
}

// TestAssign: a server asks for the addresses once, with the user's name.
func TestAssign(t *testing.T) {
	cfg := serverConfig(auth.MSCHAPv2, MPPE{Require: true})
	cfg.Local, cfg.Remote, cfg.Authenticator.Lookup = netip.Addr{}, netip.Addr{}, nil
	settings, o := NewSettings(cfg), &owner{}
	w := join(t, clientConfig(auth.MSCHAPv2, MPPE{Require: true}), cfg, good)
	w.server().Link = settings.NewLink(0, o)
	w.open()
	w.mustUp(10 * time.Second)
	if dns := w.client().net.DNS; !slices.Equal(dns, []netip.Addr{dnsAddr}) {
		t.Errorf("name servers %v", dns)
	}
	// LCP begins anew: other keys, the same user and addresses.
	key := w.client().comp.SendKey
	w.client().lcpM.restart(w.now)
	w.mustUp(time.Minute)
	if !slices.Equal(o.asked, []string{user}) || w.server().ups != 2 {
		t.Errorf("asked for %q, up %d times", o.asked, w.server().ups)
	}
	if !slices.Equal(o.looked, []string{user, user}) {
		t.Errorf("looked for %q", o.looked)
	}
	if w.client().comp.SendKey == key {
		t.Error("the key is the old one")
	}

	full := errors.New("the pool is empty")
	w = join(t, clientConfig(auth.MSCHAPv2, MPPE{Require: true}), cfg, good)
	w.server().Link = settings.NewLink(0, &owner{err: full})
	w.open()
	w.run(time.Minute, w.bothOver)
	if s := w.server(); s.over == nil || !errors.Is(s.over.Err, full) {
		t.Errorf("server ended with %+v", s.over)
	}
}

// TestOwnMRU: a link has an MRU of its own where the settings name none.
func TestOwnMRU(t *testing.T) {
	for _, tt := range []struct{ config, own, want int }{
		{0, 0, 1400}, {0, 1448, 1448}, {1300, 1448, 1300}, {0, 1, minMRU}, {1, 1448, minMRU}, {1 << 20, 0, 65535},
	} {
		cfg := serverConfig(auth.MSCHAPv2, MPPE{Require: true})
		cfg.MRU = tt.config
		w := join(t, clientConfig(auth.MSCHAPv2, MPPE{Require: true}), cfg, good)
		w.server().Link = NewSettings(cfg).NewLink(tt.own, nil)
		w.open()
		w.mustUp(10 * time.Second)
		if got := w.client().linkUp.PeerMRU; got != tt.want {
			t.Errorf("Config.MRU %d, own %d: %d, want %d", tt.config, tt.own, got, tt.want)
		}
	}
}

func TestIPV6CP(t *testing.T) {
	c, s := clientConfig(auth.MSCHAPv2, MPPE{Require: true}), serverConfig(auth.MSCHAPv2, MPPE{Require: true})
	c.IPv6, s.IPv6 = true, true
	w := join(t, c, s, good)
	w.open()
	w.mustUp(10 * time.Second)
	w.run(time.Second, w.never)
	a, b := w.client().net6, w.server().net6
	if a == nil || b == nil || a.LocalID != b.PeerID || a.PeerID != b.LocalID || a.LocalID == a.PeerID || a.LocalID == 0 {
		t.Fatalf("client %v, server %v", a, b)
	}

	s.IPv6 = false
	w = join(t, c, s, good)
	w.open()
	w.mustUp(10 * time.Second)
	w.run(time.Minute, w.never)
	if !w.bothUp() || w.client().net6 != nil {
		t.Errorf("IPv6 %v; over %v", w.client().net6, w.client().over)
	}
}

func TestIPV6CPReview(t *testing.T) {
	cfg := plain()
	cfg.IPv6 = true
	s := established(t, cfg)
	s.sent = nil
	for _, tt := range []struct{ asked, answer string }{
		{"<id 1021da9c4938008d>", "Configure-Ack id=1 <id 1021da9c4938008d>"},
		{"<id 0000000000000000>", "Configure-Nak id=1 <id *>"},
		{"", "Configure-Nak id=1 <id *>"},
		{"<option 2 004f>", "Configure-Reject id=1 <option 2 004f>"},
		{"<option 1 0102>", "Configure-Reject id=1 <option 1 0102>"},
	} {
		s.recv("IPV6CP Configure-Request id=1 " + tt.asked)
		s.want("IPV6CP " + tt.answer)
	}
	ours := strings.Fields(s.ours["IPV6CP"])
	s.recv("IPV6CP Configure-Request id=1 <id " + ours[2])
	if len(s.sent) != 1 || !strings.HasPrefix(s.sent[0], "IPV6CP Configure-Nak") || strings.Contains(s.sent[0], ours[2]) {
		t.Errorf("our own identifier: %q", s.sent)
	}
}
