package server

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// walker reads a YAML document by hand, so that every mistake is reported with
// its line and column, and all of them at once.
type walker struct {
	file string
	errs ConfigErrors
}

// parse reads the one document in data; nil when it is empty or bad.
func (w *walker) parse(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			w.syntax(err)
		}
		return nil
	}
	if err := dec.Decode(&more); err == nil {
		w.fail(&more, "a second document begins here: one file holds one")
		return nil
	} else if !errors.Is(err, io.EOF) {
		w.syntax(err)
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax reports an error of the YAML parser, with the line it tells.
func (w *walker) syntax(err error) {
	e := &ConfigError{File: w.file, Message: err.Error()}
	if m := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " ")); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Message = "not YAML: " + m[2]
	}
	w.errs = append(w.errs, e)
}

// fail reports a mistake at n.
func (w *walker) fail(n *yaml.Node, format string, args ...any) {
	w.hint(n, "", format, args...)
}

// hint is fail with a suggestion.
func (w *walker) hint(n *yaml.Node, suggestion, format string, args ...any) {
	w.errs = append(w.errs, &ConfigError{File: w.file, Line: n.Line, Column: n.Column,
		Message: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < 8; i++ {
		n = n.Alias
	}
	return n
}

// isNull reports whether n has no value.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// keys is what a mapping may hold: a reader for each key, and for
// keys known under another name, what to write instead.
type keys map[string]func(key, value *yaml.Node)

// mapping reads a mapping; what names it in messages. A key without a value is
// as good as absent.
func (w *walker) mapping(n *yaml.Node, what string, known keys) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		w.fail(n, "%s must be a mapping (key: value)", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		read, ok := known[key.Value]
		if key.Kind != yaml.ScalarNode || !ok {
			w.hint(key, didYouMean(key.Value, sortedKeys(known)), "unknown key %q", clip(key.Value))
			continue
		}
		if line, again := seen[key.Value]; again {
			w.fail(key, "%q is here a second time (first in line %d)", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		if !isNull(value) {
			read(key, value)
		}
	}
}

func sortedKeys(k keys) []string {
	out := make([]string, 0, len(k))
	for name := range k {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// each calls read with every element of a list; a single value is a list of one.
func (w *walker) each(n *yaml.Node, read func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		read(n)
		return
	}
	for _, c := range n.Content {
		c = resolve(c)
		if isNull(c) {
			w.fail(c, "an empty element")
			continue
		}
		read(c)
	}
}

// text reads a scalar as it is written.
func (w *walker) text(key string, n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		w.fail(n, "%s must be one value", key)
		return "", false
	}
	return n.Value, true
}

func (w *walker) boolean(key string, n *yaml.Node) (v, ok bool) {
	s, ok := w.text(key, n)
	if !ok {
		return false, false
	}
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	w.fail(n, "%s must be true or false, not %q", key, clip(s))
	return false, false
}

// integer reads a whole number from lo to hi.
func (w *walker) integer(key string, n *yaml.Node, lo, hi int) (int, bool) {
	s, ok := w.text(key, n)
	if !ok {
		return 0, false
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < lo || v > hi {
		w.fail(n, "%s must be a number from %d to %d, not %q", key, lo, hi, clip(s))
		return 0, false
	}
	return v, true
}

// duration reads a time from lo to hi, as 30s or 2m.
func (w *walker) duration(key string, n *yaml.Node, lo, hi time.Duration) (time.Duration, bool) {
	s, ok := w.text(key, n)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		suggestion := "write it as 30s or 2m"
		if _, err := strconv.Atoi(s); err == nil {
			suggestion = "did you mean " + s + "s?"
		}
		w.hint(n, suggestion, "%s: %q is not a time", key, clip(s))
		return 0, false
	}
	if d < lo || d > hi {
		w.fail(n, "%s must be from %v to %v", key, lo, hi)
		return 0, false
	}
	return d, true
}

// address reads an IPv4 address.
func (w *walker) address(key string, n *yaml.Node) (netip.Addr, bool) {
	s, ok := w.text(key, n)
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		w.fail(n, "%s: %q is not an IPv4 address", key, clip(s))
		return netip.Addr{}, false
	}
	return a, true
}

// subnet reads an IPv4 subnet, or an address as a subnet of one.
func (w *walker) subnet(key string, n *yaml.Node) (netip.Prefix, bool) {
	s, ok := w.text(key, n)
	if !ok {
		return netip.Prefix{}, false
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return netip.PrefixFrom(a, 32), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		w.hint(n, "write it as 192.168.14.0/24", "%s: %q is not an IPv4 subnet", key, clip(s))
		return netip.Prefix{}, false
	}
	if p != p.Masked() {
		w.hint(n, fmt.Sprintf("did you mean %s?", p.Masked()), "%s: %s has host bits set", key, p)
		return netip.Prefix{}, false
	}
	return p, true
}

// clip shortens what a message quotes.
func clip(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:57], "") + "..."
}
