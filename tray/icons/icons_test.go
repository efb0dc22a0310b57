package icons

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestPictures(t *testing.T) {
	seen := map[string]string{}
	check := func(name string, picture []byte, size int) {
		t.Helper()
		img, err := png.Decode(bytes.NewReader(picture))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if b := img.Bounds(); b.Dx() != size || b.Dy() != size {
			t.Errorf("%s is %d by %d, want %d", name, b.Dx(), b.Dy(), size)
		}
		if other, ok := seen[string(picture)]; ok {
			t.Errorf("%s looks like %s", name, other)
		}
		seen[string(picture)] = name
	}
	for name, s := range map[string]*Set{"dark": Dark, "light": Light} {
		check(name+" off", s.Off, 48)
		check(name+" up", s.Up, 48)
		check(name+" failed", s.Failed, 48)
		for i, frame := range s.Connecting {
			check(fmt.Sprintf("%s frame %d", name, i), frame, 48)
		}
	}
	for _, size := range Sizes {
		check(fmt.Sprintf("app %d", size), App(size), size)
	}
}

// TestDrawn has the pictures be what the program beside them draws.
func TestDrawn(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "./draw", "-dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	drawn, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	have, err := files.ReadDir(".")
	if err != nil || len(drawn) != len(have) || len(drawn) == 0 {
		t.Errorf("%d drawn, %d embedded, %v", len(drawn), len(have), err)
	}
	for _, path := range drawn {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := files.ReadFile(filepath.Base(path)); err != nil || !same(got, want) {
			t.Errorf("%s is not as it is drawn: go generate ./tray/icons (%v)", filepath.Base(path), err)
		}
	}
}

// same reports whether two PNG files show the same; processors round a little
// differently, and releases of Go compress so.
func same(a, b []byte) bool {
	x, errX := png.Decode(bytes.NewReader(a))
	y, errY := png.Decode(bytes.NewReader(b))
	if errX != nil || errY != nil || x.Bounds() != y.Bounds() {
		return false
	}
	for i := range x.Bounds().Dx() * x.Bounds().Dy() {
		px, py := i%x.Bounds().Dx(), i/x.Bounds().Dx()
		r, g, b, a := x.At(px, py).RGBA()
		r2, g2, b2, a2 := y.At(px, py).RGBA()
		for _, d := range []int{int(r) - int(r2), int(g) - int(g2), int(b) - int(b2), int(a) - int(a2)} {
			if d < -0x1fff || d > 0x1fff { // a sample at an edge more or less
				return false
			}
		}
	}
	return true
}

func TestEntries(t *testing.T) {
	for name, want := range map[string][]byte{"\nExec=goppptp-tray\n": Entry, "\nExec=goppptp-tray --login\n": Autostart} {
		if !bytes.HasPrefix(want, []byte("[Desktop Entry]\n")) || !bytes.Contains(want, []byte(name)) || !bytes.Contains(want, []byte("\nIcon=goppptp\n")) {
			t.Errorf("%s", want)
		}
	}
}
