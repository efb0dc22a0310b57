package profiles

import (
	"os"
	"strings"
	"testing"
)

// TestFromPPPDOptions: what options mean to pppd is what they mean in the
// profile, also where a later one takes an earlier one back; what has no
// counterpart is named.
func TestFromPPPDOptions(t *testing.T) {
	none := func(string) ([]byte, error) { return nil, os.ErrNotExist }
	for _, c := range []struct {
		options string
		good    func(*Profile) bool
		note    string // that there must be
	}{
		{"defaultroute", func(p *Profile) bool { return p.DefaultRoute }, ""},
		{"defaultroute nodefaultroute", func(p *Profile) bool { return !p.DefaultRoute }, ""},
		{"require-mppe", func(p *Profile) bool { return p.MPPE.Require && len(p.MPPE.Bits) == 2 }, ""},
		{"require-mppe nomppe", func(p *Profile) bool { return !p.MPPE.Require }, ""},
		{"nomppe-40", func(p *Profile) bool { return !p.MPPE.Require }, "nomppe-40: encryption is not required"},
		{"require-mppe nomppe-40", func(p *Profile) bool { return p.MPPE.Require && len(p.MPPE.Bits) == 1 && p.MPPE.Bits[0] == 128 }, ""},
		{"require-mppe nomppe-128", func(p *Profile) bool { return p.MPPE.Require && len(p.MPPE.Bits) == 1 && p.MPPE.Bits[0] == 40 }, ""},
		{"domain corp.example", func(p *Profile) bool { return p.User == "u" }, "domain corp.example"},
		{"plugin passwordfd.so", func(p *Profile) bool { return true }, "plugin passwordfd.so"},
		{"unit 5", func(p *Profile) bool { return true }, "unit 5"},
		{"persist", func(p *Profile) bool { return p.Reconnect }, ""},
		{"nopersist", func(p *Profile) bool { return !p.Reconnect }, ""},
		{"", func(p *Profile) bool { return p.Reconnect }, "pppd without persist dials once"},
	} {
		text := "pty \"pptp h.example --nolaunchpppd\"\nuser u\npassword p\n" + strings.ReplaceAll(c.options, " no", "\nno") + "\n"
		p, notes, err := FromPPPD("/etc/ppp/peers/work", []byte(text), "/", none)
		if err != nil {
			t.Errorf("%q: %v", c.options, err)
			continue
		}
		if !c.good(p) {
			t.Errorf("%q: %+v, default_route %v, reconnect %v, user %q", c.options, p.MPPE, p.DefaultRoute, p.Reconnect, p.User)
		}
		if !strings.Contains(strings.Join(notes, "\n"), c.note) {
			t.Errorf("%q: notes %q, want %q among them", c.options, notes, c.note)
		}
	}
}
