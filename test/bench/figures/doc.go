// Package figures holds what a benchmark measured and writes it down: one
// figure per contender and measure, with a value per round; a Markdown table of
// medians and spread; targets, met or not; an SVG plot; JSON with every value.
//
//	var s figures.Set
//	for range rounds {
//		s.Add("guest", "goppptp", figures.Measure{Key: "tcp1-up", Name: "1 flow up", Unit: "Mbit/s", Higher: true}, 93.5)
//	}
//	f, ok := s.Get("guest", "goppptp", "tcp1-up")
//	f.Summary().Median
//
// It knows nothing of what is measured, nor how.
package figures
