package server

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"goppptp/internal/strictyaml"
)

// walker reads the values of server.yaml and of a file of users.
type walker struct{ strictyaml.Reader }

func newWalker(file string) walker {
	return walker{strictyaml.Reader{File: file, What: "a configuration"}}
}

// fail reports a mistake at n.
func (w *walker) fail(n *yaml.Node, format string, args ...any) {
	w.Fail(n, "", "", format, args...)
}

// hint is fail with a suggestion.
func (w *walker) hint(n *yaml.Node, suggestion, format string, args ...any) {
	w.Fail(n, "", suggestion, format, args...)
}

// keys is what a mapping may hold: a reader for each key.
type keys map[string]func(key, value *yaml.Node)

// mapping reads a mapping; what names it in messages. A key without a value is
// as good as absent.
func (w *walker) mapping(n *yaml.Node, what string, known keys) {
	n = strictyaml.Follow(n)
	if n.Kind != yaml.MappingNode {
		w.fail(n, "%s must be a mapping (key: value)", what)
		return
	}
	w.Mapping(n, "", slices.Sorted(maps.Keys(known)), func(name string, key, value *yaml.Node) {
		if !strictyaml.IsNull(value) {
			known[name](key, value)
		}
	})
}

// each calls read with every element of a list; a single value is a list of one.
func (w *walker) each(n *yaml.Node, read func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		read(n)
		return
	}
	for _, c := range n.Content {
		c = strictyaml.Follow(c)
		if strictyaml.IsNull(c) {
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
	w.fail(n, "%s must be true or false, not %q", key, strictyaml.Clip(s))
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
		w.fail(n, "%s must be a number from %d to %d, not %q", key, lo, hi, strictyaml.Clip(s))
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
		w.hint(n, suggestion, "%s: %q is not a time", key, strictyaml.Clip(s))
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
		w.fail(n, "%s: %q is not an IPv4 address", key, strictyaml.Clip(s))
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
		w.hint(n, "write it as 192.168.14.0/24", "%s: %q is not an IPv4 subnet", key, strictyaml.Clip(s))
		return netip.Prefix{}, false
	}
	if p != p.Masked() {
		w.hint(n, fmt.Sprintf("did you mean %s?", p.Masked()), "%s: %s has host bits set", key, p)
		return netip.Prefix{}, false
	}
	return p, true
}
