// Command draw makes the pictures of package icons, into the current folder:
// the mouth of a tunnel, hollow, full, barred, or with an arc going round it.
package main

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"math"
	"os"
	"path/filepath"
)

// frames is how many pictures make the arc go round once.
const frames = 8

// The colours of lines and of what fills them, on a panel of either kind. The
// states differ in shape too.
var (
	panels = map[string]palette{
		"dark":  {line: color.NRGBA{0xf2, 0xf2, 0xf2, 0xff}, dim: color.NRGBA{0xf2, 0xf2, 0xf2, 0x60}, good: color.NRGBA{0x57, 0xe3, 0x89, 0xff}, busy: color.NRGBA{0xf8, 0xc4, 0x3a, 0xff}, bad: color.NRGBA{0xff, 0x7b, 0x63, 0xff}},
		"light": {line: color.NRGBA{0x2e, 0x34, 0x36, 0xff}, dim: color.NRGBA{0x2e, 0x34, 0x36, 0x50}, good: color.NRGBA{0x1a, 0x7f, 0x37, 0xff}, busy: color.NRGBA{0xa6, 0x5e, 0x00, 0xff}, bad: color.NRGBA{0xc0, 0x1c, 0x28, 0xff}},
	}
	app = palette{line: color.NRGBA{0x26, 0x5a, 0x9e, 0xff}, good: color.NRGBA{0x2e, 0xa0, 0x4f, 0xff}}
)

type palette struct{ line, dim, good, busy, bad color.NRGBA }

// A shape says how far a point lies outside of it; inside is negative. The
// picture is 48 by 48, whatever its size in pixels.
type shape func(x, y float64) float64

type layer struct {
	shape shape
	color color.NRGBA
}

// arch is a half circle of radius r about (24,23) on straight walls down to the floor.
func arch(r, floor float64) shape {
	return func(x, y float64) float64 {
		if y < 23 {
			return math.Hypot(x-24, y-23) - r
		}
		return math.Max(math.Abs(x-24)-r, y-floor)
	}
}

func disc(cx, cy, r float64) shape {
	return func(x, y float64) float64 { return math.Hypot(x-cx, y-cy) - r }
}

func box(x0, y0, x1, y1 float64) shape {
	return func(x, y float64) float64 { return max(x0-x, x-x1, y0-y, y-y1) }
}

func without(a, b shape) shape {
	return func(x, y float64) float64 { return max(a(x, y), -b(x, y)) }
}

func both(a, b shape) shape {
	return func(x, y float64) float64 { return min(a(x, y), b(x, y)) }
}

// sector is the part of everything that an arc of one third covers at turn (0 to 1).
func sector(turn float64) shape {
	return func(x, y float64) float64 {
		at := math.Atan2(y-25, x-24)/(2*math.Pi) - turn
		if at -= math.Floor(at); at < 0.34 {
			return -1
		}
		return 1
	}
}

func cut(a, b shape) shape {
	return func(x, y float64) float64 { return max(a(x, y), b(x, y)) }
}

// rim is open below; closed has a floor, so that an arc can go round it.
var (
	rim    = without(arch(20, 44), arch(14.5, 50))
	closed = without(arch(20, 44), arch(14.5, 38.5))
)

func off(p palette) []layer { return []layer{{rim, p.line}} }

func up(p palette) []layer { return []layer{{rim, p.line}, {arch(10.5, 44), p.good}} }

func failed(p palette) []layer {
	mark := both(box(21.2, 15, 26.8, 33), disc(24, 40, 3.6))
	return []layer{{rim, p.line}, {mark, p.bad}}
}

func connecting(p palette, frame int) []layer {
	turn := float64(frame) / frames
	return []layer{{closed, p.dim}, {cut(closed, sector(turn)), p.busy}, {disc(24, 25, 5), p.busy}}
}

// paint draws the layers one over the other, with soft edges.
func paint(size int, layers []layer) image.Image {
	const sub = 4
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for py := range size {
		for px := range size {
			var r, g, b, a float64
			for _, l := range layers {
				in := 0
				for i := range sub * sub {
					x := (float64(px) + (float64(i%sub)+0.5)/sub) * 48 / float64(size)
					y := (float64(py) + (float64(i/sub)+0.5)/sub) * 48 / float64(size)
					if l.shape(x, y) <= 0 {
						in++
					}
				}
				cover := float64(in) / (sub * sub) * float64(l.color.A) / 255
				r = r*(1-cover) + float64(l.color.R)*cover
				g = g*(1-cover) + float64(l.color.G)*cover
				b = b*(1-cover) + float64(l.color.B)*cover
				a = a*(1-cover) + cover
			}
			if a > 0 {
				img.SetNRGBA(px, py, color.NRGBA{uint8(r/a + 0.5), uint8(g/a + 0.5), uint8(b/a + 0.5), uint8(a*255 + 0.5)})
			}
		}
	}
	return img
}

func write(dir, name string, size int, layers []layer) {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		log.Fatal(err)
	}
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(f, paint(size, layers)); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}

func main() {
	dir := flag.String("dir", ".", "where to write")
	flag.Parse()
	for panel, p := range panels {
		write(*dir, panel+"-off.png", 48, off(p))
		write(*dir, panel+"-up.png", 48, up(p))
		write(*dir, panel+"-failed.png", 48, failed(p))
		for i := range frames {
			write(*dir, fmt.Sprintf("%s-connecting-%d.png", panel, i), 48, connecting(p, i))
		}
	}
	for _, size := range []int{48, 128, 256} {
		write(*dir, fmt.Sprintf("app-%d.png", size), size, up(app))
	}
}
