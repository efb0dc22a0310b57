// Command nm-goppptp-auth-dialog asks for the password of a VPN connection:
// NetworkManager's agents (nmcli --ask, GNOME Shell, plasma-nm) start it.
package main

import (
	"os"

	"goppptp/nm"
)

func main() { os.Exit(nm.AuthDialog(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
