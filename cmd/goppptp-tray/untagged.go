//go:build !tray

package main

import (
	"fmt"
	"os"
)

// Without GTK's headers there is no tray to build, and `go build ./...` works
// all the same.
func main() {
	fmt.Fprintln(os.Stderr, "goppptp-tray: built without its desktop: install libgtk-3-dev and libayatana-appindicator3-dev, and build with -tags tray")
	os.Exit(1)
}
