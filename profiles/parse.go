package profiles

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"

	"goppptp/internal/strictyaml"
)

const maxSize = 1 << 20 // of a profile, in octets

// Parse reads the profile in data. path names it in errors, and its last
// element without .yaml becomes the profile's name; nothing is read from disk.
// The error is an Errors.
func Parse(path string, data []byte) (*Profile, error) {
	ps := newParser(path)
	p := New(nameOf(path))
	p.Path = path
	text := append([]byte{}, data...)
	p.text = func() []byte { return text }
	if root := ps.document(data); root != nil {
		ps.profile(p, root)
	}
	if len(ps.Errs) > 0 {
		sort.SliceStable(ps.Errs, func(i, j int) bool {
			a, b := ps.Errs[i], ps.Errs[j]
			return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
		})
		return nil, ps.Errs
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

// parser reads one file.
type parser struct{ strictyaml.Reader }

func newParser(path string) *parser {
	return &parser{strictyaml.Reader{File: path, What: "a profile", Suggest: didYouMean}}
}

// document returns the mapping that is the file's only document, or nil after
// noting why there is none.
func (ps *parser) document(data []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxSize {
		ps.Fail(start, "", "", "%d octets are more than a profile can have (%d)", len(data), maxSize)
		return nil
	}
	root := ps.Document(data)
	switch {
	case root == nil && len(ps.Errs) == 0:
		ps.Fail(start, "", `a profile needs at least "gateway" and "user"`, "the file is empty")
	case root != nil && root.Kind != yaml.MappingNode:
		ps.Fail(root, "", `write lines such as "gateway: vpn.example.com"`, "expected keys and values, found %s", kindOf(root))
		return nil
	}
	return root
}

// kindOf is strictyaml.Describe without the text, which may be a password gone astray.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !strictyaml.IsNull(n) {
		return "a text"
	}
	return strictyaml.Describe(n)
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
			ps.Errs = append(ps.Errs, &Error{File: ps.File, Line: root.Line, Column: root.Column, Key: need,
				Message: fmt.Sprintf("the key %q is missing", need), Suggestion: "add " + needed[need]})
		}
	}
	var secret string
	for _, name := range []string{"password", "password_file", "password_command", "keyring"} {
		if at[name] == nil || name == "keyring" && !p.Keyring {
			continue
		}
		if secret != "" {
			ps.Fail(at[name], name, "keep one of the two", "%q and %q both say where the password is", secret, name)
		}
		secret = name
	}
	if p.DNS == DNSSplit && len(p.Domains) == 0 && at["dns"] != nil {
		ps.Fail(at["dns"], "dns", `add "domains: [lab.example]"`, `"split" needs the domains that the tunnel's servers answer for`)
	}
	if n := at["auth"]; p.MPPE.Require && n != nil && len(p.Auth) > 0 && keyless(p.Auth) {
		ps.Fail(n, "auth", `add mschapv2, or set "mppe: {require: false}" to go without encryption`,
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

// mapping is Reader.Mapping for callers that need no more of a key than its name.
func (ps *parser) mapping(n *yaml.Node, path string, known []string, each func(name string, value *yaml.Node)) map[string]*yaml.Node {
	return ps.Mapping(n, path, known, func(name string, _, value *yaml.Node) { each(name, value) })
}
