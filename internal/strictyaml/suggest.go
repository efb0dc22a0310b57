package strictyaml

import (
	"fmt"
	"strings"
)

// Nearest returns the known name nearest to got, or "" where none is near: a
// third of its letters may be wrong, one at least. Case does not count, nor
// whether words are joined by - or _.
func Nearest(got string, known []string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	best, bestDistance := "", 1+max(1, len(got)/3)
	for _, k := range known {
		if d := Distance(plain(got), plain(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// DidYouMean returns `did you mean "x"?` for Nearest's x, or "".
func DidYouMean(got string, known []string) string {
	best := Nearest(got, known)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// longest is the length in octets of what Distance compares: no name is longer,
// and the work grows with the square of it.
const longest = 64

// Distance is the number of insertions, deletions, substitutions and swaps of
// neighbouring octets that make b of a (optimal string alignment). Where one has
// more than 64 octets it is said to be the length of the longer.
func Distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
