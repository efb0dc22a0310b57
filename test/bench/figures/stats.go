package figures

import (
	"math"
	"slices"
)

// A Summary is the middle of some values and their spread. Without values all of
// it is NaN.
type Summary struct {
	Median, Min, Max float64
	N                int
}

// Summarize sums values up. NaN among them are left out.
func Summarize(values []float64) Summary {
	sorted := sortedValues(values)
	if len(sorted) == 0 {
		return Summary{Median: math.NaN(), Min: math.NaN(), Max: math.NaN()}
	}
	return Summary{Median: Quantile(sorted, 0.5), Min: sorted[0], Max: sorted[len(sorted)-1], N: len(sorted)}
}

// Quantile is the value below which the share q (0 to 1) of the values lies,
// interpolated between neighbours; NaN without values.
func Quantile(values []float64, q float64) float64 {
	sorted := sortedValues(values)
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	if low >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	share := at - float64(low)
	return sorted[low]*(1-share) + sorted[low+1]*share
}

func sortedValues(values []float64) []float64 {
	sorted := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(sorted)
	return sorted
}

// Ratios divides each value of a by b's of the same round.
func Ratios(a, b []float64) []float64 {
	n := min(len(a), len(b))
	ratios := make([]float64, n)
	for i := range n {
		ratios[i] = a[i] / b[i]
	}
	return ratios
}
