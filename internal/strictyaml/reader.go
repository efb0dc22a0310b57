package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Reader collects the mistakes of one file.
type Reader struct {
	File string // names it in errors
	What string // it is, in messages: "a profile"
	Errs Errors // found so far

	// Suggest finds what was meant by an unknown key; nil: DidYouMean.
	Suggest func(got string, known []string) string
}

// Fail notes a mistake at n, in the value of key ("": of none).
func (r *Reader) Fail(n *yaml.Node, key, suggestion, format string, args ...any) {
	r.Errs = append(r.Errs, &Error{
		File: r.File, Line: n.Line, Column: n.Column, Key: key,
		Message: fmt.Sprintf(format, args...), Suggestion: suggestion,
	})
}

// Document returns the root of the only document in data, an alias followed. It
// is nil where there is none: why has been noted, unless the file is merely empty,
// for what it ought to hold is for the caller to say.
func (r *Reader) Document(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			r.syntax(err)
		}
		return nil
	}
	if err := dec.Decode(&more); err == nil {
		r.Fail(&more, "", `remove everything from "---" on`, "%s is one YAML document, here is a second", r.What)
		return nil
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil
	}
	return Follow(doc.Content[0])
}

// yamlLine finds the line in the text of a yaml.v3 syntax error, which is the
// only place where that package says it.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

func (r *Reader) syntax(err error) {
	e := &Error{File: r.File, Line: 1}
	whole := strings.ReplaceAll(err.Error(), "\n", " ")
	text := strings.TrimPrefix(whole, "yaml: ")
	if m := yamlLine.FindStringSubmatch(whole); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	if strings.HasPrefix(text, "unknown anchor") { // which may be a password
		text = "unknown anchor"
		e.Suggestion = "put a text that begins with * into quotes"
	}
	e.Message = "not valid YAML: " + text
	r.Errs = append(r.Errs, e)
}

// Mapping calls each with every known key of the mapping n and its value, an
// alias followed, and notes unknown and repeated keys. path is n's own key, ""
// for the root. It returns where each known key stands.
func (r *Reader) Mapping(n *yaml.Node, path string, known []string, each func(name string, key, value *yaml.Node)) map[string]*yaml.Node {
	at := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		full := k.Value
		if path != "" {
			full = path + "." + k.Value
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			r.Fail(k, path, "", "expected a key, found %s", Describe(k))
		case !slices.Contains(known, k.Value):
			suggest := r.Suggest
			if suggest == nil {
				suggest = DidYouMean
			}
			suggestion := suggest(k.Value, known)
			if suggestion == "" {
				suggestion = "known here: " + strings.Join(known, ", ")
			}
			r.Fail(k, full, suggestion, "unknown key %q", Clip(full))
		case at[k.Value] != nil:
			r.Fail(k, full, "keep one of them", "the key %q is given twice, first on line %d", full, at[k.Value].Line)
		default:
			at[k.Value] = k
			each(k.Value, k, Follow(v))
		}
	}
	return at
}

// Follow resolves an alias. One step is enough, since an anchor cannot stand on
// an alias; and no more than one is taken, since an alias may lead back up.
func Follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// IsNull reports whether n has no value: nothing, ~ or null.
func IsNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// Describe names what n is, for errors; a text is quoted.
func Describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case IsNull(n):
		return "nothing"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	}
	return Quote(n.Value)
}

// Clip keeps what an error quotes on one screen line: 60 octets.
func Clip(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:57], "") + "..."
}

// Quote is Clip in quotation marks.
func Quote(s string) string { return strconv.Quote(Clip(s)) }
