// Package tray tests the built goppptp-tray on a screen of its own (Xvfb) and
// a session bus of its own: its menu over D-Bus, where the test is the panel;
// and, as root, with a real panel, a mouse, and a tunnel into the closed network
// of namespaces. GOPPPTP_PICTURES names a folder that gets what was seen.
package tray
