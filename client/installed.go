package client

import "embed"

// Installed holds the daemon's files for the system, by their path here:
// systemd's units and the group, and polkit's action.
//
//go:embed systemd polkit
var Installed embed.FS
