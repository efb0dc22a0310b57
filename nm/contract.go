package nm

import "github.com/godbus/dbus/v5"

// Names of NetworkManager's VPN plugin interface.
const (
	pluginPath      = dbus.ObjectPath("/org/freedesktop/NetworkManager/VPN/Plugin")
	pluginInterface = "org.freedesktop.NetworkManager.VPN.Plugin"
	errorPrefix     = "org.freedesktop.NetworkManager.VPN.Error."
)

// State is what NetworkManager is told the service does (NMVpnServiceState).
type State uint32

// The states.
const (
	StateUnknown State = iota
	StateInit
	StateShutdown
	StateStarting
	StateStarted
	StateStopping
	StateStopped
)

var stateNames = [...]string{"unknown", "init", "shutdown", "starting", "started", "stopping", "stopped"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "invalid"
}

// Failure is the class of a failure (NMVpnPluginFailure): all that
// NetworkManager passes on of it.
type Failure uint32

// The classes.
const (
	FailureLogin    Failure = iota // nmcli: "Invalid secrets"
	FailureConnect                 // "Unknown reason"
	FailureIPConfig                // "The VPN service returned invalid configuration"
)

// Errors that methods are answered with (NMVpnPluginError), without the prefix.
const (
	errStarting     = "StartingInProgress"
	errStarted      = "AlreadyStarted"
	errStopping     = "StoppingInProgress"
	errStopped      = "AlreadyStopped"
	errWrongState   = "WrongState"
	errBadArguments = "BadArguments"
	errConnection   = "InvalidConnection"
)

func busError(name, text string) *dbus.Error {
	return dbus.NewError(errorPrefix+name, []any{text})
}

// settings is a connection as NetworkManager sends it: setting, key, value.
type settings = map[string]map[string]dbus.Variant

// values is an a{sv}, as in the signals Config, Ip4Config and Ip6Config.
type values = map[string]dbus.Variant
