// Package tray is the icon in the panel: it shows how the sessions of the
// daemon are, connects and disconnects them at a click, and says what went
// wrong in words.
//
// It speaks to the daemon over its control socket alone and holds no part of
// the engine. Three layers:
//
//	world.go, model.go, texts.go   pure: events -> World -> Menu and notices
//	run.go                         the loop: daemon, clicks, clock; asks a Shell to show the menu
//	glue.go                        the Shell made of GTK by getlantern/systray (build tag tray)
//
// notify.go, ask.go, session.go, panel.go and settings.go are the desktop's other ends:
// notifications, the question for a password, the session bus, and what is
// connected at login.
package tray
