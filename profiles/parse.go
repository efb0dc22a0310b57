package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

const maxSize = 1 << 20 // of a profile, in octets

// Parse reads the profile in data. path names it in errors, and its last
// element without .yaml becomes the profile's name; nothing is read from disk.
// The error is an Errors.
func Parse(path string, data []byte) (*Profile, error) {
	ps := &parser{file: path}
	p := New(nameOf(path))
	p.Path = path
	text := append([]byte{}, data...)
	p.text = func() []byte { return text }
	if root := ps.document(data); root != nil {
		ps.profile(p, root)
	}
	if len(ps.errs) > 0 {
		sort.SliceStable(ps.errs, func(i, j int) bool {
			a, b := ps.errs[i], ps.errs[j]
			return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
		})
		return nil, ps.errs
	}
	return p, nil
}

func nameOf(path string) string {
	name := filepath.Base(path)
	for _, ext := range extensions {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// parser collects the errors of one file.
type parser struct {
	file string
	errs Errors
}

// fail notes a mistake at n.
func (ps *parser) fail(n *yaml.Node, key, suggestion, format string, args ...any) {
	ps.errs = append(ps.errs, &Error{
		File: ps.file, Line: n.Line, Column: n.Column, Key: key,
		Message: fmt.Sprintf(format, args...), Suggestion: suggestion,
	})
}

// yamlLine finds the line in the text of a yaml.v3 syntax error, which is the
// only place where that package says it.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// document returns the mapping that is the file's only document, or nil after
// noting why there is none.
func (ps *parser) document(data []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxSize {
		ps.fail(start, "", "", "%d octets are more than a profile can have (%d)", len(data), maxSize)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		ps.fail(start, "", `a profile needs at least "gateway" and "user"`, "the file is empty")
		return nil
	} else if err != nil {
		ps.syntax(err)
		return nil
	}
	if err := dec.Decode(&more); err == nil {
		ps.fail(&more, "", `remove everything from "---" on`, "a profile is one YAML document, here is a second")
		return nil
	} else if !errors.Is(err, io.EOF) {
		ps.syntax(err)
		return nil
	}
	root := follow(doc.Content[0])
	if root.Kind != yaml.MappingNode {
		ps.fail(root, "", `write lines such as "gateway: vpn.example.com"`, "expected keys and values, found %s", kindOf(root))
		return nil
	}
	return root
}

func (ps *parser) syntax(err error) {
	e := &Error{File: ps.file, Line: 1}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	if strings.HasPrefix(text, "unknown anchor") { // which may be a password
		text = "unknown anchor"
		e.Suggestion = "put a text that begins with * into quotes"
	}
	e.Message = "not valid YAML: " + text
	ps.errs = append(ps.errs, e)
}

// follow resolves an alias. One step is enough, since an anchor cannot stand on
// an alias; and no more than one is taken, since an alias may lead back up.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// kindOf is describe without the text, which may be a password gone astray.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return "a text"
	}
	return describe(n)
}

// describe names what n is, for errors.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	}
	return strconv.Quote(clip(n.Value))
}

// clip keeps an error on one screen line.
func clip(s string) string {
	if len(s) > 60 {
		return s[:57] + "..."
	}
	return s
}

// setter puts the value n of the key named key into p.
type setter func(ps *parser, p *Profile, key string, n *yaml.Node)

// keys of a profile, in the order in which Show prints them.
var keys = []struct {
	name string
	set  setter
}{
	{"gateway", setGateway},
	{"user", setUser},
	{"password", setPassword},
	{"password_file", setPasswordFile},
	{"password_command", setPasswordCommand},
	{"keyring", boolean(func(p *Profile) *bool { return &p.Keyring })},
	{"routes", setRoutes},
	{"exclude", setExclude},
	{"default_route", boolean(func(p *Profile) *bool { return &p.DefaultRoute })},
	{"pushed_routes", setPushedRoutes},
	{"metric", setMetric},
	{"dns", setDNS},
	{"domains", setDomains},
	{"mppe", setMPPE},
	{"auth", setAuth},
	{"mtu", setMTU},
	{"keepalive", setKeepalive},
	{"reconnect", boolean(func(p *Profile) *bool { return &p.Reconnect })},
	{"on_conflict", setOnConflict},
	{"leak", setLeak},
	{"on_up", hooks(func(p *Profile) *[]Hook { return &p.OnUp })},
	{"on_down", hooks(func(p *Profile) *[]Hook { return &p.OnDown })},
	{"on_change", hooks(func(p *Profile) *[]Hook { return &p.OnChange })},
}

// profile fills p from the top mapping and checks what several keys say together.
func (ps *parser) profile(p *Profile, root *yaml.Node) {
	names := make([]string, len(keys))
	sets := map[string]setter{}
	for i, k := range keys {
		names[i], sets[k.name] = k.name, k.set
	}
	at := ps.mapping(root, "", names, func(name string, n *yaml.Node) { sets[name](ps, p, name, n) })

	for _, need := range []string{"gateway", "user"} {
		if at[need] == nil {
			ps.errs = append(ps.errs, &Error{File: ps.file, Line: root.Line, Column: root.Column, Key: need,
				Message: fmt.Sprintf("the key %q is missing", need), Suggestion: "add " + needed[need]})
		}
	}
	var secret string
	for _, name := range []string{"password", "password_file", "password_command", "keyring"} {
		if at[name] == nil || name == "keyring" && !p.Keyring {
			continue
		}
		if secret != "" {
			ps.fail(at[name], name, "keep one of the two", "%q and %q both say where the password is", secret, name)
		}
		secret = name
	}
	if p.DNS == DNSSplit && len(p.Domains) == 0 && at["dns"] != nil {
		ps.fail(at["dns"], "dns", `add "domains: [lab.example]"`, `"split" needs the domains that the tunnel's servers answer for`)
	}
	if n := at["auth"]; p.MPPE.Require && n != nil && len(p.Auth) > 0 && keyless(p.Auth) {
		ps.fail(n, "auth", `add mschapv2, or set "mppe: {require: false}" to go without encryption`,
			"mppe.require is true, and %s gives no keys to encrypt with", strings.Join(p.Auth, ", "))
	}
}

var needed = map[string]string{
	"gateway": `"gateway: " and the server's name or address`,
	"user":    `"user: " and the account's name`,
}

// keyless reports whether none of the methods gives MPPE keys (RFC 3079 takes
// them from MS-CHAP's exchange, which EAP may carry).
func keyless(methods []string) bool {
	for _, m := range methods {
		if m != "pap" && m != "chap" {
			return false
		}
	}
	return true
}

// mapping calls each for every known key of n, and notes unknown and repeated
// ones. It returns where each key stands.
func (ps *parser) mapping(n *yaml.Node, path string, known []string, each func(name string, value *yaml.Node)) map[string]*yaml.Node {
	at := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		full := k.Value
		if path != "" {
			full = path + "." + k.Value
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			ps.fail(k, path, "", "expected a key, found %s", describe(k))
		case !contains(known, k.Value):
			suggestion := didYouMean(k.Value, known)
			if suggestion == "" {
				suggestion = "known here: " + strings.Join(known, ", ")
			}
			ps.fail(k, full, suggestion, "unknown key %q", clip(full))
		case at[k.Value] != nil:
			ps.fail(k, full, "keep one of them", "the key %q is given twice, first on line %d", full, at[k.Value].Line)
		default:
			at[k.Value] = k
			each(k.Value, follow(v))
		}
	}
	return at
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
