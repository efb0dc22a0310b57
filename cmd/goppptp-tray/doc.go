// Command goppptp-tray is the icon in the panel: it shows the sessions of the
// goppptp daemon, and connects and disconnects them at a click.
//
//	go build -tags tray ./cmd/goppptp-tray
//
// It needs GTK 3 and Ayatana's appindicator (Debian: libgtk-3-dev and
// libayatana-appindicator3-dev to build, without -dev to run).
package main
