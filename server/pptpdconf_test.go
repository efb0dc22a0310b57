package server

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// importFrom runs the importer on files in memory.
func importFrom(files map[string]string) (string, error) {
	im := &importer{
		read: func(file string) ([]byte, error) {
			text, ok := files[file]
			if !ok {
				return nil, fmt.Errorf("%s: %w", file, fs.ErrNotExist)
			}
			return []byte(text), nil
		},
		localFor: func(a netip.Addr) netip.Addr {
			if netip.MustParsePrefix("192.168.13.0/24").Contains(a) {
				return ip("192.168.13.3")
			}
			return netip.Addr{}
		},
	}
	b, err := im.run("/etc/pptpd.conf")
	return string(b), err
}

func TestImport(t *testing.T) {
	text, err := importFrom(map[string]string{
		"/etc/pptpd.conf": `
# a comment
option /etc/ppp/pptpd-options
localip 192.168.13.254
remoteip 192.168.13.234-238,192.168.13.245
remoteip 10.0.0.1   # pptpd takes the first
listen 203.0.113.7
connections 50
debug
logwtmp
bcrelay eth1
stimeout 5
`,
		"/etc/ppp/options": "lock\nlcp-echo-interval 20\nlcp-echo-failure 3\nasyncmap 0\n",
		"/etc/ppp/pptpd-options": `
name pptpd
refuse-pap
refuse-chap
refuse-mschap
require-mschap-v2
require-mppe-128
ms-dns 192.168.13.1
ms-dns 192.168.13.2
ms-wins 192.168.13.9
proxyarp
nodefaultroute
nobsdcomp
novj
mtu 1400
mru 1380
chapms-strip-domain
idle 600
plugin radius.so
115200
`,
		"/etc/ppp/chap-secrets": "sio4 pptpd p4ssw0rd 192.168.13.240\nann * x\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig("f", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !slices.Equal(c.Listen, []string{"203.0.113.7:1723"}) || join(c.Local) != "192.168.13.254" || c.Name != "pptpd" ||
		join(c.Remote) != "192.168.13.234 192.168.13.235 192.168.13.236 192.168.13.237 192.168.13.238 192.168.13.245" ||
		!slices.Equal(c.Auth, []auth.Method{auth.MSCHAPv2}) || !c.MPPE.Require || !slices.Equal(c.MPPE.Bits, []int{128}) || c.MPPE.Stateful ||
		join(c.DNS) != "192.168.13.1 192.168.13.2" || join(c.WINS) != "192.168.13.9" || c.ProxyARP != ProxyARPOn || c.MaxSessions != 50 ||
		c.MTU != 1380 || !c.StripDomain || c.Keepalive != (Keepalive{20 * time.Second, 3}) {
		t.Errorf("%+v\n%s", c, text)
	}
	for _, want := range []string{
		"chap_secrets: /etc/ppp/chap-secrets",
		"#   /etc/pptpd.conf:10: logwtmp",
		"#   /etc/pptpd.conf:11: no equivalent: bcrelay eth1",
		"stimeout 5",
		"#   /etc/ppp/pptpd-options:18: no equivalent: idle 600",
		"pptpd-options:19: RADIUS is not supported yet",
		"#   /etc/ppp/chap-secrets:2: the line allows no address",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, no := range []string{"p4ssw0rd", "115200", "asyncmap", "10.0.0.1", "novj"} {
		if strings.Contains(text, no) {
			t.Errorf("%q is in\n%s", no, text)
		}
	}
}

func TestImportVariants(t *testing.T) {
	base := map[string]string{"/etc/pptpd.conf": "option /o\nlocalip 10.0.0.1\nremoteip 10.0.0.2-9\n", "/etc/ppp/chap-secrets": "a * b *\n"}
	for _, tt := range []struct {
		conf, options string
		check         func(*Config, string) bool
	}{
		{"", "", func(c *Config, s string) bool {
			return !c.MPPE.Require && len(c.MPPE.Bits) == 0 && c.ProxyARP == ProxyARPOff && len(c.Auth) == 4 && c.Auth[0] == auth.MSCHAPv2
		}},
		{"", "require-mppe\nrequire-mschap-v2\nrequire-mschap", func(c *Config, s string) bool {
			return c.MPPE.Require && slices.Equal(c.MPPE.Bits, []int{128, 40}) && slices.Equal(c.Auth, []auth.Method{auth.MSCHAPv2, auth.MSCHAP})
		}},
		{"", "require-mppe-40 mppe-stateful require-mschap-v2", func(c *Config, s string) bool {
			return slices.Equal(c.MPPE.Bits, []int{40}) && c.MPPE.Stateful
		}},
		{"", "require-mppe-40 require-mppe-128 require-mschap-v2", func(c *Config, s string) bool {
			return slices.Equal(c.MPPE.Bits, []int{128, 40})
		}},
		{"", "require-mppe nomppe-40 require-mschap-v2", func(c *Config, s string) bool { return slices.Equal(c.MPPE.Bits, []int{128}) }},
		{"", "mppe required,no40,stateless", func(c *Config, s string) bool { return slices.Equal(c.MPPE.Bits, []int{128}) }},
		{"", "require-pap", func(c *Config, s string) bool {
			return slices.Equal(c.Auth, []auth.Method{auth.PAP}) && strings.Contains(s, "pap-secrets is not read")
		}},
		{"", "require-chap require-mppe", func(c *Config, s string) bool {
			return slices.Equal(c.Auth, []auth.Method{auth.MSCHAPv2}) && strings.Contains(s, "chap gives no keys")
		}},
		{"", "name \"my \\\"server\\\"\"", func(c *Config, s string) bool { return c.Name == `my "server"` }},
		{"", "ms-dns 1.1.1.1 ms-dns 2.2.2.2 ms-dns 3.3.3.3 ms-dns x", func(c *Config, s string) bool {
			return len(c.DNS) == 2 && strings.Contains(s, "ms-dns 3.3.3.3: a client can be told two") && strings.Contains(s, "ms-dns x: not an IPv4 address")
		}},
		{"", "password hunter2 user me", func(c *Config, s string) bool { return !strings.Contains(s, "hunter2") }},
		{"", "frobnicate", func(c *Config, s string) bool { return strings.Contains(s, "/o:1: no equivalent: frobnicate") }},
		{"", "file /more", func(c *Config, s string) bool { return c.Name == "included" }},
		{"", "file /loop", func(c *Config, s string) bool { return strings.Contains(s, "/loop: cannot be read") }},
		{"", "noauth", func(c *Config, s string) bool { return strings.Contains(s, "without a password are not let in") }},
		{"", "+ipv6 lcp-echo-interval 0", func(c *Config, s string) bool {
			return c.IPv6 && c.Keepalive.Interval == 30*time.Second && strings.Contains(s, "lcp-echo-interval was off")
		}},
		{"delegate\n", "10.9.9.9:", func(c *Config, s string) bool {
			return c == nil && strings.Contains(s, "local: 10.9.9.9\n# remote: []") && strings.Contains(s, "localip and remoteip were ignored")
		}},
		{"vrf blue\n", "", func(c *Config, s string) bool { return strings.Contains(s, "no equivalent: vrf blue") }},
	} {
		files := map[string]string{"/o": tt.options, "/more": "name included", "/loop": "file /loop"}
		for k, v := range base {
			files[k] = v
		}
		files["/etc/pptpd.conf"] += tt.conf
		text, err := importFrom(files)
		if err != nil {
			t.Errorf("%q: %v", tt.options, err)
			continue
		}
		c, err := ParseConfig("f", []byte(text))
		if err != nil {
			c = nil
		}
		if (c == nil) != strings.Contains(text, "# remote:") || !tt.check(c, text) {
			t.Errorf("%q %q: %v\n%s", tt.conf, tt.options, err, text)
		}
	}
}

func TestImportFindsTheLocalAddress(t *testing.T) {
	text, err := importFrom(map[string]string{"/etc/pptpd.conf": "remoteip 192.168.13.240-249\n"})
	if err != nil || !strings.Contains(text, "local: 192.168.13.3\n") {
		t.Errorf("%v\n%s", err, text)
	}
	text, err = importFrom(map[string]string{"/etc/pptpd.conf": "remoteip 10.0.0.240-249\n"})
	if err != nil || !strings.Contains(text, "local: []") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestImportMistakes(t *testing.T) {
	for conf, want := range map[string]string{
		"remoteip 192.168.13.234-8\n":             "/etc/pptpd.conf:1: remoteip: \"192.168.13.234-8\": the range 234-8 runs backwards",
		"\nlocalip here\n":                        "/etc/pptpd.conf:2: localip:",
		"connections many\n":                      "/etc/pptpd.conf:1: connections: \"many\" is not a number",
		"listen eth0\n":                           "/etc/pptpd.conf:1: listen: \"eth0\" is not an address",
		"option /none\nremoteip 192.168.13.2-3\n": "/none:",
	} {
		if text, err := importFrom(map[string]string{"/etc/pptpd.conf": conf}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v; want %s\n%s", conf, err, want, text)
		}
	}
	if _, err := importFrom(nil); err == nil {
		t.Error("no pptpd.conf, and no error")
	}
	if _, err := ImportPptpd(t.TempDir() + "/none"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("ImportPptpd of nothing: %v", err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add("option /o\nlocalip 10.0.0.1\nremoteip 10.0.0.2-9,10.0.1.1\nlisten 1.2.3.4\nconnections 3\ndelegate\n", "name x\nms-dns 1.1.1.1\nrequire-mppe mtu 1400\nplugin a", "a * b *\nc d")
	f.Add("remoteip 192.168.13.2\n", "file /o call x 1.2.3.4:5.6.7.8 mppe required,no40", "")
	f.Fuzz(func(t *testing.T, conf, options, secrets string) {
		text, err := importFrom(map[string]string{"/etc/pptpd.conf": conf, "/o": options, "/etc/ppp/options": options, "/etc/ppp/chap-secrets": secrets})
		if err != nil {
			return
		}
		// What comes out is a configuration, unless the addresses are missing.
		if _, err := ParseConfig("f", []byte(text)); err != nil && !strings.Contains(text, "local: []") && !strings.Contains(text, "# remote:") &&
			!strings.Contains(err.Error(), "the server's own address") {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}

// TestImportLoop: files that name each other, and themselves, many times over,
// are not read many times over.
func TestImportLoop(t *testing.T) {
	again := strings.Repeat("file /a\ncall b\n", 50)
	text, err := importFrom(map[string]string{
		"/etc/pptpd.conf":  "option /a\nlocalip 10.0.0.1\nremoteip 10.0.0.2\n",
		"/a":               "name first\n" + again,
		"/etc/ppp/peers/b": again,
	})
	if err != nil || !strings.Contains(text, "first") || !strings.Contains(text, "cannot be read") || strings.Count(text, "\n") > 10_000 {
		t.Errorf("%d lines, %v", strings.Count(text, "\n"), err)
	}
}
