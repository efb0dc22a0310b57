package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"goppptp/internal/strictyaml"
)

// ErrNoRoute says that RemoveRoute found nothing to remove.
var ErrNoRoute = errors.New("profiles: the profile has no such route")

// ErrRouteExists says that AddRoute found the destination in the profile already.
var ErrRouteExists = errors.New("profiles: the profile has this route already")

// AddRoute appends r to the routes, in the text of the profile too. Save writes it.
func (p *Profile) AddRoute(r Route) error {
	for _, have := range p.Routes {
		if have.String() == r.String() {
			return ErrRouteExists
		}
	}
	want := append(append([]Route(nil), p.Routes...), r)
	return p.edit(func(q *Profile) { q.Routes = want },
		func(text []byte) []byte { return insertRoute(text, r) },
		func(root *yaml.Node) {
			var item yaml.Node
			if yaml.Unmarshal([]byte(r.yaml()), &item) == nil {
				seq := sequenceAt(root, "routes")
				seq.Content = append(seq.Content, item.Content[0])
			}
		})
}

// RemoveRoute takes out the entries whose subnet or host name is to.
func (p *Profile) RemoveRoute(to string) error {
	var keep []Route
	gone := map[int]bool{}
	for i, r := range p.Routes {
		if r.String() == to {
			gone[i] = true
		} else {
			keep = append(keep, r)
		}
	}
	if len(gone) == 0 {
		return ErrNoRoute
	}
	return p.edit(func(q *Profile) { q.Routes = keep },
		func(text []byte) []byte { return deleteRoutes(text, gone) },
		func(root *yaml.Node) {
			seq := sequenceAt(root, "routes")
			var left []*yaml.Node
			for i, item := range seq.Content {
				if !gone[i] {
					left = append(left, item)
				}
			}
			seq.Content = left
		})
}

// SetPassword puts the secret into the profile itself. It is an error where
// the profile has it from a file, a command or the keyring.
func (p *Profile) SetPassword(s Secret) error {
	if s == "" || !utf8.ValidString(s.Reveal()) {
		return &Error{File: p.Path, Key: "password", Message: "a password is a text that is not empty"}
	}
	if p.Password == "" && p.HasSecret() {
		return &Error{File: p.Path, Key: "password", Message: "the profile has its password from elsewhere",
			Suggestion: "change it there, or remove password_file, password_command or keyring first"}
	}
	return p.edit(func(q *Profile) { q.Password = s },
		func(text []byte) []byte {
			if keyNode(text, "password") != nil {
				return nil
			}
			return appendKey(text, "password: "+scalar(s.Reveal()))
		},
		func(root *yaml.Node) {
			for i := 0; i+1 < len(root.Content); i += 2 {
				if root.Content[i].Value == "password" {
					v := root.Content[i+1]
					*v = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Reveal(), Style: yaml.DoubleQuotedStyle,
						HeadComment: v.HeadComment, LineComment: v.LineComment, FootComment: v.FootComment}
					return
				}
			}
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "password"},
				&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Reveal(), Style: yaml.DoubleQuotedStyle})
		})
}

// edit changes p and its text. byLine edits a few lines and leaves the rest as
// it is, octet for octet; it returns nil where it cannot. byNode edits the
// tree, which keeps the comments but not the blank lines. Whichever is taken,
// the new text must read as the changed profile.
func (p *Profile) edit(change func(*Profile), byLine func(text []byte) []byte, byNode func(root *yaml.Node)) error {
	want := *p
	change(&want)
	if p.text == nil {
		*p = want
		return nil
	}
	texts := [][]byte{byLine(p.source())}
	var doc yaml.Node
	if err := yaml.Unmarshal(p.source(), &doc); err == nil && len(doc.Content) > 0 {
		byNode(strictyaml.Follow(doc.Content[0]))
		var b bytes.Buffer
		enc := yaml.NewEncoder(&b)
		enc.SetIndent(2)
		if enc.Encode(&doc) == nil && enc.Close() == nil {
			texts = append(texts, b.Bytes())
		}
	}
	for _, text := range texts {
		if text == nil {
			continue
		}
		if got, err := Parse(p.Path, text); err == nil && same(got, &want) {
			*p = *got
			return nil
		}
	}
	return &Error{File: p.Path, Message: "cannot be changed without spoiling it", Suggestion: "edit it by hand"}
}

// same compares what the profiles say, not how they are written.
func same(a, b *Profile) bool {
	x, y := a.plain(), b.plain()
	return reflect.DeepEqual(x, y)
}

// plain is p without its text, and with one notation for "none".
func (p *Profile) plain() Profile {
	q := *p
	q.text = nil
	q.Routes = nil
	for _, r := range p.Routes {
		r.Line = 0
		q.Routes = append(q.Routes, r)
	}
	if len(q.Exclude) == 0 {
		q.Exclude = nil
	}
	if len(q.Domains) == 0 {
		q.Domains = nil
	}
	if len(q.OnUp) == 0 {
		q.OnUp = nil
	}
	if len(q.OnDown) == 0 {
		q.OnDown = nil
	}
	if len(q.OnChange) == 0 {
		q.OnChange = nil
	}
	if len(q.PushedRoutes.Within) == 0 {
		q.PushedRoutes.Within = nil
	}
	return q
}

// keyNode returns the node of a top-level key of text, or nil.
func keyNode(text []byte, name string) *yaml.Node {
	k, _ := pair(text, name)
	return k
}

func pair(text []byte, name string) (key, value *yaml.Node) {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return nil, nil
	}
	root := strictyaml.Follow(doc.Content[0])
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == name {
			return root.Content[i], root.Content[i+1]
		}
	}
	return nil, nil
}

// sequenceAt returns the list under a key of root, made where it is missing.
func sequenceAt(root *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != name {
			continue
		}
		v := root.Content[i+1]
		if v.Kind == yaml.AliasNode {
			v = &yaml.Node{Kind: yaml.SequenceNode, Content: append([]*yaml.Node(nil), v.Alias.Content...)}
			root.Content[i+1] = v
		}
		if v.Kind != yaml.SequenceNode {
			was := *v
			*v = yaml.Node{Kind: yaml.SequenceNode}
			if !strictyaml.IsNull(&was) {
				v.Content = []*yaml.Node{&was}
			}
		}
		return v
	}
	v := &yaml.Node{Kind: yaml.SequenceNode}
	root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, v)
	return v
}

// appendKey puts a line at the end of a profile in block style.
func appendKey(text []byte, line string) []byte {
	out := append([]byte(nil), text...)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return append(out, line+"\n"...)
}

// insertRoute adds a line after the last entry of a block list, or the key.
func insertRoute(text []byte, r Route) []byte {
	key, seq := pair(text, "routes")
	if key == nil {
		return appendKey(text, "routes:\n  - "+r.yaml())
	}
	lines := strings.SplitAfter(string(text), "\n")
	after, indent := key.Line, key.Column-1+2
	switch {
	case strictyaml.IsNull(seq) && seq.Value == "":
	case seq.Kind == yaml.SequenceNode && seq.Style&yaml.FlowStyle == 0 && len(seq.Content) > 0:
		after, indent = lastLine(seq), seq.Column-1
	default:
		return nil
	}
	if after < 1 || after > len(lines) {
		return nil
	}
	if !strings.HasSuffix(lines[after-1], "\n") {
		lines[after-1] += "\n"
	}
	entry := fmt.Sprintf("%s- %s\n", strings.Repeat(" ", indent), r.yaml())
	return []byte(strings.Join(lines[:after], "") + entry + strings.Join(lines[after:], ""))
}

// deleteRoutes removes the lines of entries of a block list.
func deleteRoutes(text []byte, gone map[int]bool) []byte {
	_, seq := pair(text, "routes")
	if seq == nil || seq.Kind != yaml.SequenceNode || seq.Style&yaml.FlowStyle != 0 {
		return nil
	}
	lines := strings.SplitAfter(string(text), "\n")
	for i, item := range seq.Content {
		if !gone[i] {
			continue
		}
		for l := item.Line; l <= lastLine(item); l++ {
			if l < 1 || l > len(lines) {
				return nil
			}
			lines[l-1] = ""
		}
	}
	return []byte(strings.Join(lines, ""))
}

// lastLine is the last line on which a part of n begins.
func lastLine(n *yaml.Node) int {
	line := n.Line
	for _, c := range n.Content {
		line = max(line, lastLine(c))
	}
	return line
}
