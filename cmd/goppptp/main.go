// Command goppptp is a PPTP client, daemon and server in one program: it
// dials a PPTP server, negotiates MPPE, and sends exactly the subnets asked
// for through the tunnel.
//
// `goppptp -h` lists the commands; each has an example in its own help. The
// exit codes are in errors.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Who asks twice does not want to wait: the second signal ends the program
	// at once, and the next start takes back what that leaves behind.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
