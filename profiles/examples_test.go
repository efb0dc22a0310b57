package profiles

import (
	"testing"
)

func TestExamples(t *testing.T) {
	names := Examples()
	if len(names) < 5 {
		t.Fatalf("only %v", names)
	}
	for _, name := range names {
		text, err := Example(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(name+".yaml", text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := Parse(name+".yaml", p.YAML())
		if err != nil {
			t.Errorf("%s: its YAML does not parse: %v\n%s", name, err, p.YAML())
		} else if !same(p, again) {
			t.Errorf("%s: its YAML says something else:\n%s", name, p.YAML())
		}
	}
}
