package profiles

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Show returns the effective profile as YAML: every key, defaults included,
// the password redacted.
func (p *Profile) Show() []byte { return p.render(true) }

// YAML returns a profile file with the keys that differ from their defaults,
// the password among them. Parse of it gives the same profile. Comments are
// those of a new file: none; to keep a file's own, edit it and Save.
func (p *Profile) YAML() []byte { return p.render(false) }

func (p *Profile) render(all bool) []byte {
	var b strings.Builder
	line := func(key, value string, show bool) {
		if show || all {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	def := New("")
	gateway := p.Gateway
	if p.Port != DefaultPort || all {
		gateway += ":" + strconv.Itoa(int(p.Port))
	}
	line("gateway", scalar(gateway), true)
	line("user", scalar(p.User), true)
	if p.Password != "" {
		secret := scalar(p.Password.Reveal())
		if all {
			secret = scalar(redacted)
		}
		line("password", secret, true)
	}
	if p.PasswordFile != "" {
		line("password_file", scalar(p.PasswordFile), true)
	}
	if len(p.PasswordCommand) > 0 {
		line("password_command", flow(p.PasswordCommand), true)
	}
	if p.Keyring {
		line("keyring", "true", true)
	}
	if len(p.Routes) == 0 {
		line("routes", "[]", false)
	} else {
		b.WriteString("routes:\n")
		for _, r := range p.Routes {
			fmt.Fprintf(&b, "  - %s\n", r.yaml())
		}
	}
	line("exclude", flowPrefixes(p.Exclude), len(p.Exclude) > 0)
	line("default_route", strconv.FormatBool(p.DefaultRoute), p.DefaultRoute)
	pushed := string(p.PushedRoutes.Mode)
	if p.PushedRoutes.Mode == PushedWithin {
		pushed = flowPrefixes(p.PushedRoutes.Within)
	}
	line("pushed_routes", pushed, p.PushedRoutes.Mode != PushedIgnore)
	line("metric", strconv.Itoa(p.Metric), p.Metric != def.Metric)
	line("dns", string(p.DNS), p.DNS != def.DNS)
	line("domains", flow(p.Domains), len(p.Domains) > 0)
	bits := make([]string, len(p.MPPE.Bits))
	for i, v := range p.MPPE.Bits {
		bits[i] = strconv.Itoa(v)
	}
	line("mppe", fmt.Sprintf("{require: %t, bits: [%s], stateful: %t}", p.MPPE.Require, strings.Join(bits, ", "), p.MPPE.Stateful),
		!p.MPPE.Require || p.MPPE.Stateful || len(bits) != 1 || bits[0] != "128")
	line("auth", flow(p.Auth), len(p.Auth) != 1 || p.Auth[0] != def.Auth[0])
	mtu := "auto"
	if p.MTU != 0 {
		mtu = strconv.Itoa(p.MTU)
	}
	line("mtu", mtu, p.MTU != 0)
	line("keepalive", fmt.Sprintf("{interval: %s, failures: %d}", short(p.Keepalive.Interval), p.Keepalive.Failures), p.Keepalive != def.Keepalive)
	line("reconnect", strconv.FormatBool(p.Reconnect), p.Reconnect != def.Reconnect)
	line("on_conflict", p.OnConflict, p.OnConflict != def.OnConflict)
	line("leak", p.Leak, p.Leak != def.Leak && p.Leak != "")
	line("on_up", flowHooks(p.OnUp), len(p.OnUp) > 0)
	line("on_down", flowHooks(p.OnDown), len(p.OnDown) > 0)
	line("on_change", flowHooks(p.OnChange), len(p.OnChange) > 0)
	return []byte(b.String())
}

// yaml returns r as an entry of "routes".
func (r Route) yaml() string {
	if r.Metric != 0 {
		return fmt.Sprintf("{to: %s, metric: %d}", scalar(r.String()), r.Metric)
	}
	return scalar(r.String())
}

// scalar writes s so that YAML reads it back as this very text, in flow
// collections too: plain where that is certain, else in double quotes.
func scalar(s string) string {
	plain := s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" && s[0] != '-' && s[0] != '.'
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		plain = false
	}
	if plain {
		return s
	}
	var b strings.Builder
	enc := json.NewEncoder(&b) // JSON's texts are YAML's double-quoted scalars
	enc.SetEscapeHTML(false)
	enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

func flow(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = scalar(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func flowPrefixes(list []netip.Prefix) string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = scalar(p.String())
	}
	return "[" + strings.Join(out, ", ") + "]"
}
