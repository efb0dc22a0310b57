package tray

import "strings"

// DarkPanel guesses whether the panel is dark: GNOME's and Unity's are however
// the desktop is coloured; others follow the desktop, which prefersDark tells
// (ok false: it does not), or the name of the GTK theme.
func DarkPanel(getenv func(string) string, prefersDark func() (dark, ok bool)) bool {
	for _, desktop := range strings.Split(getenv("XDG_CURRENT_DESKTOP"), ":") {
		switch strings.ToUpper(desktop) {
		case "GNOME", "UNITY":
			return true
		}
	}
	if dark, ok := prefersDark(); ok {
		return dark
	}
	return strings.Contains(strings.ToLower(getenv("GTK_THEME")), "dark")
}
