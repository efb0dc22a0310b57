package figures

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Summary
	}{
		{[]float64{3}, Summary{3, 3, 3, 1}},
		{[]float64{5, 1, 3}, Summary{3, 1, 5, 3}},
		{[]float64{4, 1, 3, 2}, Summary{2.5, 1, 4, 4}},
		{[]float64{2, math.NaN(), 1, 3}, Summary{2, 1, 3, 3}},
		{[]float64{-1, 0}, Summary{-0.5, -1, 0, 2}},
	} {
		if got := Summarize(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
	if got := Summarize(nil); got.N != 0 || !math.IsNaN(got.Median) || !math.IsNaN(got.Min) || !math.IsNaN(got.Max) {
		t.Errorf("nothing: %+v", got)
	}
	values := []float64{3, 1, 2}
	if Summarize(values); !slices.Equal(values, []float64{3, 1, 2}) {
		t.Errorf("the values were moved: %v", values)
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{50, 10, 40, 20, 30}
	for q, want := range map[float64]float64{0: 10, 0.25: 20, 0.5: 30, 0.99: 49.6, 1: 50} {
		if got := Quantile(values, q); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if got := Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}

var speed = Measure{Key: "speed", Name: "speed", Unit: "km/h", Higher: true}

func TestSet(t *testing.T) {
	var s, other Set
	s.Add("road", "car", speed, 100)
	s.Add("road", "bus", speed, 80)
	other.Add("road", "car", speed, 120)
	other.Add("water", "boat", Measure{Key: "speed", Unit: "kn", Group: "speeds"}, 20)
	s.Merge(other)
	if f, ok := s.Get("road", "car", "speed"); !ok || !slices.Equal(f.Values, []float64{100, 120}) || f.Unit != "km/h" {
		t.Errorf("car: %+v, %v", f, ok)
	}
	if _, ok := s.Get("water", "car", "speed"); ok {
		t.Error("a car is on the water")
	}
	if got := s.Parts(); !slices.Equal(got, []string{"road", "water"}) {
		t.Errorf("parts %v", got)
	}
	if got := s.Contenders("road"); !slices.Equal(got, []string{"car", "bus"}) {
		t.Errorf("contenders %v", got)
	}
	if got := s.Groups("water"); !slices.Equal(got, []string{"speeds"}) {
		t.Errorf("groups %v", got)
	}
	if got := s.Measures("road", ""); !slices.Equal(got, []Measure{speed}) {
		t.Errorf("measures %v", got)
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(fleet())
	if err != nil {
		t.Fatal(err)
	}
	var back Document
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if got, want := back.Markdown(), fleet().Markdown(); got != want {
		t.Errorf("%s comes back as\n%s\nwant\n%s", text, got, want)
	}
	if f, _ := back.Set().Get("road", "car", "speed"); !slices.Equal(f.Values, []float64{90, 91, 92}) || f.Measure != speed {
		t.Errorf("the car comes back as %+v", f)
	}
}

func TestJudge(t *testing.T) {
	var s Set
	for i := range 3 {
		s.Add("road", "car", speed, 90+float64(i)) // 91
		s.Add("road", "bus", speed, 50)
	}
	target := func(against string, bound float64, below, strict bool) Target {
		return Target{Part: "road", Measure: "speed", Contender: "car", Against: against, Bound: bound, Below: below, Strict: strict}
	}
	for _, c := range []struct {
		Target
		verdict string
	}{
		{target("bus", 1.82, false, false), "met"},
		{target("bus", 1.82, false, true), "not met"},
		{target("bus", 1.8201, false, false), "not met"}, // nothing is rounded
		{target("bus", 1.82, true, false), "met"},
		{target("bus", 1.82, true, true), "not met"},
		{target("bus", 1.8, true, false), "not met"},
		{target("", 91, true, true), "not met"},
		{target("", 91.001, true, true), "met"},
		{target("train", 1, false, false), "not measured"},
		{Target{Part: "road", Measure: "speed", Contender: "train", Bound: 1}, "not measured"},
		{Target{Part: "road", Measure: "noise", Contender: "car", Against: "bus", Bound: 1, Below: true}, "not measured"},
	} {
		if got := s.Judge(c.Target); got.Verdict() != c.verdict {
			t.Errorf("%+v: %s, value %v, want %s", c.Target, got.Verdict(), got.Value, c.verdict)
		}
	}
	got := s.Judge(target("bus", 1, false, false))
	if got.Paired != (Summary{91.0 / 50, 90.0 / 50, 92.0 / 50, 3}) {
		t.Errorf("paired %+v", got.Paired)
	}
}
