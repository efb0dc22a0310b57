package figures

import (
	"fmt"
	"math"
)

// A Target is what a contender must reach: in relation to another one, or, with
// no other one, in the measure's own unit.
type Target struct {
	Part      string  `json:"part"`
	Text      string  `json:"text"`    // "goodput, one flow, against OpenVPN"
	Measure   string  `json:"measure"` // its key
	Contender string  `json:"contender"`
	Against   string  `json:"against,omitempty"` // "" compares the median itself
	Bound     float64 `json:"bound"`             // of the ratio of medians, or of the median
	Below     bool    `json:"below,omitempty"`   // the bound is an upper one
	Strict    bool    `json:"strict,omitempty"`  // the bound itself does not do
}

// An Outcome is what became of a target.
type Outcome struct {
	Target
	Known  bool    // both figures are there
	Value  float64 // the ratio of the medians, or the median
	Paired Summary // of the ratios of the rounds, or of the values
	Met    bool
}

// Judge compares what was measured with a target. Nothing is rounded.
func (s *Set) Judge(t Target) Outcome {
	o := Outcome{Target: t, Value: math.NaN(), Paired: Summarize(nil)}
	f, ok := s.Get(t.Part, t.Contender, t.Measure)
	if !ok {
		return o
	}
	o.Value, o.Paired = f.Summary().Median, f.Summary()
	if t.Against != "" {
		other, ok := s.Get(t.Part, t.Against, t.Measure)
		if !ok {
			o.Value, o.Paired = math.NaN(), Summarize(nil)
			return o
		}
		o.Value = f.Summary().Median / other.Summary().Median
		o.Paired = Summarize(Ratios(f.Values, other.Values))
	}
	o.Known = !math.IsNaN(o.Value)
	switch {
	case t.Below && t.Strict:
		o.Met = o.Value < t.Bound
	case t.Below:
		o.Met = o.Value <= t.Bound
	case t.Strict:
		o.Met = o.Value > t.Bound
	default:
		o.Met = o.Value >= t.Bound
	}
	return o
}

// Verdict is "met", "not met" or "not measured".
func (o Outcome) Verdict() string {
	switch {
	case !o.Known:
		return "not measured"
	case o.Met:
		return "met"
	default:
		return "not met"
	}
}

// Want is the bound as text: "≥ 1.8x", "< 20 MB".
func (o Outcome) Want(unit string) string {
	sign := "≥"
	switch {
	case o.Below && o.Strict:
		sign = "<"
	case o.Below:
		sign = "≤"
	case o.Strict:
		sign = ">"
	}
	if o.Against != "" {
		return fmt.Sprintf("%s %gx", sign, o.Bound)
	}
	return fmt.Sprintf("%s %g %s", sign, o.Bound, unit)
}
