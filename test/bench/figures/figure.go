package figures

import "slices"

// A Measure is something that can be measured of a contender.
type Measure struct {
	Key    string `json:"measure"` // unique in a part: "tcp1-up"
	Name   string `json:"name"`    // a column's title: "1 flow up"
	Unit   string `json:"unit"`    // "Mbit/s"
	Group  string `json:"group"`   // measures of one group are columns of one table; "": the part's first
	Higher bool   `json:"higher_is_better"`
}

// A Figure is what one contender reached in one measure, a value per round in
// the order of the rounds.
type Figure struct {
	Part      string `json:"part"`      // which benchmark: "local", "guest", "scale"
	Contender string `json:"contender"` // "goppptp", "1000 sessions"
	Measure
	Values []float64 `json:"values"`
}

// Summary sums up the figure's values.
func (f Figure) Summary() Summary { return Summarize(f.Values) }

// A Set is the figures of a run, in the order in which they first appeared. The
// zero value is empty and ready.
type Set struct {
	Figures []Figure `json:"figures"`
}

// Add appends the value of another round.
func (s *Set) Add(part, contender string, m Measure, value float64) {
	if i := s.index(part, contender, m.Key); i >= 0 {
		s.Figures[i].Values = append(s.Figures[i].Values, value)
		return
	}
	s.Figures = append(s.Figures, Figure{Part: part, Contender: contender, Measure: m, Values: []float64{value}})
}

// Get finds a figure.
func (s *Set) Get(part, contender, measure string) (Figure, bool) {
	if i := s.index(part, contender, measure); i >= 0 {
		return s.Figures[i], true
	}
	return Figure{}, false
}

// Merge appends the values of another set to this one's.
func (s *Set) Merge(other Set) {
	for _, f := range other.Figures {
		for _, v := range f.Values {
			s.Add(f.Part, f.Contender, f.Measure, v)
		}
	}
}

// Parts names the parts that have figures.
func (s *Set) Parts() (names []string) {
	for _, f := range s.Figures {
		if !slices.Contains(names, f.Part) {
			names = append(names, f.Part)
		}
	}
	return names
}

// Contenders names the contenders of a part.
func (s *Set) Contenders(part string) (names []string) {
	for _, f := range s.Figures {
		if f.Part == part && !slices.Contains(names, f.Contender) {
			names = append(names, f.Contender)
		}
	}
	return names
}

// Measures lists the measures of a part that belong to a group.
func (s *Set) Measures(part, group string) (list []Measure) {
	for _, f := range s.Figures {
		if f.Part == part && f.Group == group && !slices.Contains(list, f.Measure) {
			list = append(list, f.Measure)
		}
	}
	return list
}

// Groups names the groups of a part's measures.
func (s *Set) Groups(part string) (names []string) {
	for _, f := range s.Figures {
		if f.Part == part && !slices.Contains(names, f.Group) {
			names = append(names, f.Group)
		}
	}
	return names
}

func (s *Set) index(part, contender, measure string) int {
	return slices.IndexFunc(s.Figures, func(f Figure) bool {
		return f.Part == part && f.Contender == contender && f.Key == measure
	})
}
