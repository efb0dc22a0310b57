// Package nm is goppptp as a VPN plugin of NetworkManager.
//
// NetworkManager starts nm-goppptp-service for each connection of type goppptp,
// or pptp where we take network-manager-pptp's place, and talks to it over the
// system bus (interface org.freedesktop.NetworkManager.VPN.Plugin). The service
// runs one client.Session whose route applier and platform touch neither
// addresses nor routes: what the session wants goes to NetworkManager, which
// carries it out together with everything else it manages and takes it back.
//
// What a connection's settings mean is in profiles.NMConnection. The dialog is
// the other program, nm-goppptp-auth-dialog, which asks for the password; files
// has what is to be installed.
//
// # Limitations
//
// NetworkManager has no way to carry a sentence of ours to nmcli: why an
// activation failed is in its journal, nmcli shows the class of the failure.
// There is no editor for the type goppptp in nm-connection-editor, which would
// take a C library; connections of type pptp have network-manager-pptp's.
package nm
