package nm

import (
	"github.com/godbus/dbus/v5"

	"goppptp/profiles"
)

// get returns a setting's value, or the zero value where it is missing or of
// another type.
func get[T any](s settings, setting, key string) (v T) {
	if variant, ok := s[setting][key]; ok {
		v, _ = variant.Value().(T)
	}
	return v
}

// connectionOf reads the settings that matter to a tunnel.
func connectionOf(s settings) *profiles.NMConnection {
	c := &profiles.NMConnection{
		ID: get[string](s, "connection", "id"), UUID: get[string](s, "connection", "uuid"),
		Type: get[string](s, "vpn", "service-type"), UserName: get[string](s, "vpn", "user-name"),
		Data: get[map[string]string](s, "vpn", "data"), Secrets: get[map[string]string](s, "vpn", "secrets"),
		NeverDefault:     get[bool](s, "ipv4", "never-default"),
		IgnoreAutoRoutes: get[bool](s, "ipv4", "ignore-auto-routes"),
		IgnoreAutoDNS:    get[bool](s, "ipv4", "ignore-auto-dns"),
	}
	if v, ok := s["ipv4"]["auto-route-ext-gw"]; ok {
		off, isInt := v.Value().(int32) // a ternary: -1 default, 0 no, 1 yes
		c.NoGatewayRoute = isInt && off == 0
	}
	return c
}

// notRequired is the flag NM_SETTING_SECRET_FLAG_NOT_REQUIRED.
const notRequired = 4

// lacksPassword reports whether NetworkManager is to get us a password.
func lacksPassword(c *profiles.NMConnection) bool {
	if c.Secrets["password"] != "" {
		return false
	}
	var flags int
	for _, d := range c.Data["password-flags"] {
		if d < '0' || d > '9' {
			return true
		}
		flags = flags*10 + int(d-'0')
	}
	return flags&notRequired == 0
}

// wantsIPv6 reports whether the connection's IPv6 settings take what a VPN
// offers.
func wantsIPv6(s settings) bool {
	switch get[string](s, "ipv6", "method") {
	case "", "auto", "manual":
		return true
	}
	return false
}

func variants(m map[string]any) values {
	out := make(values, len(m))
	for k, v := range m {
		out[k] = dbus.MakeVariant(v)
	}
	return out
}
