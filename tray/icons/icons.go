// Package icons holds the pictures of the tray: for each state one drawn for
// dark panels and one for light ones, eight frames of connecting, the
// program's own icon in the sizes that desktops want, and its desktop entries.
package icons

import (
	"embed"
	"fmt"
)

//go:generate go run ./draw

//go:embed *.png
var files embed.FS

// Entry starts the tray from a menu of programs, Autostart with the desktop:
// the text of two desktop entries.
var (
	//go:embed goppptp-tray.desktop
	Entry []byte
	//go:embed goppptp-tray-autostart.desktop
	Autostart []byte
)

// Frames is how many pictures the animation of connecting has.
const Frames = 8

// Sizes are the sizes in pixels of the program's own icon.
var Sizes = []int{48, 128, 256}

// A Set is the pictures for one kind of panel, as PNG files of 48 by 48
// pixels. The bytes stay where they are for as long as the program runs.
type Set struct {
	Off, Up, Failed []byte
	Connecting      [Frames][]byte
}

// Dark is for dark panels, Light for light ones.
var Dark, Light = set("dark"), set("light")

// App returns the program's own icon as a PNG file; size is one of [Sizes].
func App(size int) []byte { return read(fmt.Sprintf("app-%d.png", size)) }

func set(panel string) *Set {
	s := &Set{Off: read(panel + "-off.png"), Up: read(panel + "-up.png"), Failed: read(panel + "-failed.png")}
	for i := range s.Connecting {
		s.Connecting[i] = read(fmt.Sprintf("%s-connecting-%d.png", panel, i))
	}
	return s
}

func read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic("icons: " + err.Error()) // embedded, or not built
	}
	return b
}
