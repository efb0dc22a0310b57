package nm

import (
	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

// The methods by which a plugin's helper process would tell it what it has
// found out. There is no helper here.

// SetConfig is answered with an error.
func (p *Plugin) SetConfig(values) *dbus.Error { return noHelper() }

// SetIp4Config is answered with an error.
func (p *Plugin) SetIp4Config(values) *dbus.Error { return noHelper() }

// SetIp6Config is answered with an error.
func (p *Plugin) SetIp6Config(values) *dbus.Error { return noHelper() }

// SetFailure is answered with an error.
func (p *Plugin) SetFailure(string) *dbus.Error { return noHelper() }

func noHelper() *dbus.Error {
	return busError(errWrongState, "this service has no helper that could say so")
}

func in(name, kind string) introspect.Arg {
	return introspect.Arg{Name: name, Type: kind, Direction: "in"}
}

func out(name, kind string) introspect.Arg { return introspect.Arg{Name: name, Type: kind} }

// description is the interface, for introspection.
var description = introspect.Interface{
	Name: pluginInterface,
	Methods: []introspect.Method{
		{Name: "Connect", Args: []introspect.Arg{in("connection", "a{sa{sv}}")}},
		{Name: "ConnectInteractive", Args: []introspect.Arg{in("connection", "a{sa{sv}}"), in("details", "a{sv}")}},
		{Name: "NeedSecrets", Args: []introspect.Arg{in("settings", "a{sa{sv}}"), {Name: "setting_name", Type: "s", Direction: "out"}}},
		{Name: "NewSecrets", Args: []introspect.Arg{in("connection", "a{sa{sv}}")}},
		{Name: "Disconnect"},
		{Name: "SetConfig", Args: []introspect.Arg{in("config", "a{sv}")}},
		{Name: "SetIp4Config", Args: []introspect.Arg{in("config", "a{sv}")}},
		{Name: "SetIp6Config", Args: []introspect.Arg{in("config", "a{sv}")}},
		{Name: "SetFailure", Args: []introspect.Arg{in("reason", "s")}},
	},
	Signals: []introspect.Signal{
		{Name: "StateChanged", Args: []introspect.Arg{out("state", "u")}},
		{Name: "SecretsRequired", Args: []introspect.Arg{out("message", "s"), out("secrets", "as")}},
		{Name: "Config", Args: []introspect.Arg{out("config", "a{sv}")}},
		{Name: "Ip4Config", Args: []introspect.Arg{out("ip4config", "a{sv}")}},
		{Name: "Ip6Config", Args: []introspect.Arg{out("ip6config", "a{sv}")}},
		{Name: "LoginBanner", Args: []introspect.Arg{out("banner", "s")}},
		{Name: "Failure", Args: []introspect.Arg{out("reason", "u")}},
	},
	Properties: []introspect.Property{{Name: "State", Type: "u", Access: "read"}},
}
