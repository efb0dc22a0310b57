package ppp

import (
	"errors"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// TestPairErrors: what each side says when the two do not come together.
func TestPairErrors(t *testing.T) {
	type change func(c, s *Config)
	var (
		mppe    *MPPEError
		refused *auth.Error
		left    *PeerError
		failed  *NegotiationError
		timeout *TimeoutError
	)
	for _, tt := range []struct {
		name           string
		method         auth.Method
		change         change
		filter         filter
		client, server any    // for errors.As
		text           string // in the client's error
	}{
		{"wrong password", auth.MSCHAPv2, func(c, s *Config) { c.Peer.Password = "wr0ng" }, good, &refused, &refused, "E=691"},
		{"wrong password, PAP", auth.PAP, func(c, s *Config) { c.Peer.Password = "wr0ng" }, good, &refused, &refused, ""},
		{"wrong password, and the refusal is lost", auth.MSCHAPv2, func(c, s *Config) { c.Peer.Password = "wr0ng" },
			func(_, _ int, frame []byte) []time.Duration {
				if strings.HasPrefix(Describe(frame), "CHAP Failure") {
					return nil
				}
				return []time.Duration{transit}
			}, &refused, &refused, "authentication failed"},
		{"no method in common", auth.MSCHAPv2, func(c, s *Config) { c.Auth = []auth.Method{auth.PAP} }, good, &failed, &failed, "mschapv2"},
		{"no method in common that gives keys", auth.PAP, func(c, s *Config) {
			c.Auth, c.MPPE = []auth.Method{auth.MSCHAPv2}, MPPE{Require: true}
		}, good, &failed, &failed, "pap"},
		{"no key length in common", auth.MSCHAPv2, func(c, s *Config) {
			c.MPPE, s.MPPE = MPPE{Require: true, Bits: []int{40}}, MPPE{Require: true}
		}, good, &mppe, &mppe, "we require 40-bit stateless; the server offers 128-bit stateless"},
		{"client requires, server refuses", auth.MSCHAPv2, func(c, s *Config) {
			c.MPPE, s.MPPE = MPPE{Require: true}, MPPE{Refuse: true}
		}, good, &mppe, &left, "it rejected CCP"},
		{"server requires, client refuses", auth.MSCHAPv2, func(c, s *Config) {
			c.MPPE, s.MPPE = MPPE{Refuse: true}, MPPE{Require: true}
		}, good, &left, &mppe, "MPPE required"},
		{"no authentication, so no keys", auth.MSCHAPv2, func(c, s *Config) {
			c.MPPE, s.Auth = MPPE{Require: true}, nil
		}, good, &mppe, &left, "no authentication"},
		{"silence", auth.MSCHAPv2, nil, func(int, int, []byte) []time.Duration { return nil }, &timeout, &timeout, "GRE"},
		{"silence after a while", auth.MSCHAPv2, nil, func(_, n int, _ []byte) []time.Duration {
			if n > 1 {
				return nil
			}
			return []time.Duration{transit}
		}, new(*auth.TimeoutError), new(*auth.TimeoutError), ""},
		{"no address to give", auth.MSCHAPv2, func(c, s *Config) { s.Remote = s.Local }, good, &failed, &failed, "our own address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s := clientConfig(tt.method, MPPE{}), serverConfig(tt.method, MPPE{})
			if tt.change != nil {
				tt.change(&c, &s)
			}
			w := join(t, c, s, tt.filter)
			w.open()
			if !w.run(5*time.Minute, w.bothOver) {
				t.Fatalf("not over\n%s", w.tail())
			}
			if err := w.client().over.Err; !errors.As(err, tt.client) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("client: %v\n%s", err, w.tail())
			}
			if err := w.server().over.Err; !errors.As(err, tt.server) {
				t.Errorf("server: %v\n%s", err, w.tail())
			}
			for _, e := range w.ends {
				if e.ups != 0 {
					t.Errorf("%s was up", e.name)
				}
				if err := e.over.Err.Error(); strings.Contains(err, "\n") || err == "" {
					t.Errorf("%s: %q is not one line", e.name, err)
				}
			}
		})
	}
}

// TestPairChoosesMethod: the server's list is gone through until one suits.
func TestPairChoosesMethod(t *testing.T) {
	for _, tt := range []struct {
		client, server []auth.Method
		want           auth.Method
	}{
		{[]auth.Method{auth.MSCHAPv2}, []auth.Method{auth.EAP, auth.MSCHAPv2, auth.PAP}, auth.MSCHAPv2},
		{[]auth.Method{auth.PAP}, []auth.Method{auth.EAP, auth.MSCHAPv2, auth.PAP}, auth.PAP},
		{[]auth.Method{auth.PAP, auth.EAP}, []auth.Method{auth.MSCHAPv2, auth.EAP, auth.PAP}, auth.PAP},
		{[]auth.Method{auth.MSCHAP, auth.CHAP}, []auth.Method{auth.MSCHAPv2, auth.CHAP}, auth.CHAP},
	} {
		c, s := clientConfig(0, MPPE{Refuse: true}), serverConfig(0, MPPE{Refuse: true})
		c.Auth, s.Auth = tt.client, tt.server
		w := join(t, c, s, good)
		w.open()
		w.mustUp(10 * time.Second)
		if got := w.client().method; got != tt.want || w.server().method != tt.want {
			t.Errorf("client %v, server %v: %v", tt.client, tt.server, got)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"MPPE disabled", "MPPE disabled"},
		{" two\r\nlines\x1b[2J ", "two??lines?[2J"},
		{"\xff\xfe", "?"},
		{strings.Repeat("x", 1000), strings.Repeat("x", 200) + "…"},
	} {
		if got := printable([]byte(tt.in)); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestDescribe: the lines a log gets, and that no secret gets into one.
func TestDescribe(t *testing.T) {
	for _, tt := range []struct{ frame, want string }{
		{"ff03 c021 0101001d 0104 0578 0206 00000000 0305 c22381 0506 86e0f350 0702 0802", "LCP Configure-Request id=1 <mru 1400> <asyncmap 0x0> <auth mschapv2> <magic 0x86e0f350> <pcomp> <accomp>"},
		{"80fd 0101000a 1206 01000040", "CCP Configure-Request id=1 <mppe +H -M +S -L -D -C>"},
		{"8021 01010016 0306 00000000 8106 c0a80d01 8306 c0a80d02", "IPCP Configure-Request id=1 <addr 0.0.0.0> <dns1 192.168.13.1> <dns2 192.168.13.2>"},
		{"8021 0101000a 0206 002d0f01", "IPCP Configure-Request id=1 <compress 002d0f01>"},
		{"8057 0101000e 010a 1021da9c4938008d", "IPV6CP Configure-Request id=1 <id 1021da9c4938008d>"},
		{"c021 05020007 627965", `LCP Terminate-Request id=2 "bye"`},
		{"c021 0802 0006 8057", "LCP Protocol-Reject id=2 IPV6CP"},
		{"c021 0900 0008 86e0f350", "LCP Echo-Request id=0 magic=0x86e0f350"},
		{"c023 0101 0012 04 73696f34 08 7034737377307264", "PAP Authenticate-Request id=1, 14 octets"},
		{"c223 017f 0004", "CHAP Challenge id=127, 0 octets"},
		{"c227 0201 0009 01 73696f34", "EAP Response id=1, 5 octets"},
		{"0021 45000000", "IP, 4 octets"},
		{"c021 0101", "LCP, malformed: 0101"},
		{"00", "no frame: 00"},
	} {
		if got := Describe(unhex(t, tt.frame)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.frame, got, tt.want)
		}
	}
}
