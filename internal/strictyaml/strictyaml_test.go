package strictyaml

import (
	"errors"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestNearest(t *testing.T) {
	known := []string{"gateway", "user", "default_route", "mppe-bits", "to"}
	for got, want := range map[string]string{
		"gateway": "gateway", "gatewya": "gateway", "Gateway": "gateway", "getaway": "gateway", "gate": "",
		"usr": "user", "users": "user", "x": "", "tt": "to", "default-route": "default_route", "mppe_bit": "mppe-bits",
		"": "", strings.Repeat("gateway", 100): "",
	} {
		if n := Nearest(got, known); n != want {
			t.Errorf("%q: nearest is %q, want %q", got, n, want)
		}
	}
	if got := DidYouMean("usr", known); got != `did you mean "user"?` {
		t.Error(got)
	}
	if got := DidYouMean("banana", known); got != "" {
		t.Error(got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1}, {"abc", "xabc", 1},
		{"abc", "bc", 1}, {"ab", "ba", 1}, {"abcd", "dcba", 3}, {strings.Repeat("a", 65), "a", 65},
	} {
		if d := Distance(c.a, c.b); d != c.want {
			t.Errorf("%q to %q is %d, want %d", c.a, c.b, d, c.want)
		}
		if d := Distance(c.b, c.a); d != c.want {
			t.Errorf("%q to %q is %d, want %d", c.b, c.a, d, c.want)
		}
	}
}

// read returns the keys and values of a flat mapping with the keys a and b.
func read(text string) (map[string]string, Errors) {
	r := Reader{File: "f", What: "a test"}
	got := map[string]string{}
	if root := r.Document([]byte(text)); root != nil {
		r.Mapping(root, "", []string{"a", "b"}, func(name string, key, value *yaml.Node) { got[name] = Describe(value) })
	}
	return got, r.Errs
}

func TestReader(t *testing.T) {
	got, errs := read("a: &x [1]\nb: *x\n")
	if len(errs) > 0 || len(got) != 2 || got["b"] != "a list" {
		t.Errorf("%v, %v", got, errs)
	}
	if got, errs := read("# nothing\n"); len(got) > 0 || len(errs) > 0 {
		t.Errorf("an empty file: %v, %v", got, errs)
	}
	for text, want := range map[string]string{
		"A: 1":                   `f:1:1: unknown key "A": did you mean "a"?`,
		"a: 1\nother: 2\na: 3":   `f:2:1: unknown key "other": known here: a, b` + "\n" + `f:3:1: the key "a" is given twice, first on line 1: keep one of them`,
		"a: 1\n---\nb: 1":        `f:2:1: a test is one YAML document, here is a second: remove everything from "---" on`,
		"{a: 1}: 2":              `f:1:1: expected a key, found a mapping`,
		"a: [":                   `f:1: not valid YAML: did not find expected node content`,
		"a: *hunter2":            `f:1: not valid YAML: unknown anchor: put a text that begins with * into quotes`,
		"a: 1\n---\nb: *hunter2": `f:1: not valid YAML: unknown anchor: put a text that begins with * into quotes`,
	} {
		_, errs := read(text)
		if errs.Error() != want {
			t.Errorf("%q:\n got  %s\n want %s", text, errs, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for text, want := range map[string]string{
		"1": "the number 1", "1.5": "the number 1.5", "true": "the truth value true", "~": "nothing", "": "nothing",
		"x": `"x"`, `"1"`: `"1"`, "[]": "a list", "{}": "a mapping", strings.Repeat("é", 40): `"` + strings.Repeat("é", 28) + `..."`,
	} {
		got, errs := read("a: " + text)
		if got["a"] != want || errs != nil {
			t.Errorf("%q is %s, want %s; %v", text, got["a"], want, errs)
		}
	}
}

func TestErrors(t *testing.T) {
	var err error = Errors{{File: "f", Message: "m"}, {File: "f", Line: 2, Column: 3, Message: "n", Suggestion: "s"}}
	if err.Error() != "f: m\nf:2:3: n: s" {
		t.Error(err)
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Message != "m" {
		t.Errorf("%v", e)
	}
}

func FuzzReader(f *testing.F) {
	f.Add("a: &a [*a]\n<<: *a\n? [x]\n: y\n")
	f.Add("a: 1\nb: {c: d}\n")
	f.Add("\xff\xfe\x00")
	f.Fuzz(func(t *testing.T, text string) {
		_, errs := read(text)
		for _, e := range errs {
			if e.File != "f" || e.Line < 1 || e.Message == "" || strings.Contains(e.Error(), "\n") {
				t.Errorf("%#v", e)
			}
		}
	})
}
