// Command nm-goppptp-service is goppptp as a VPN plugin of NetworkManager, which
// starts it for each connection.
package main

import (
	"os"

	"goppptp/nm"
)

func main() { os.Exit(nm.Service(os.Args[1:], os.Stderr)) }
