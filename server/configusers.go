package server

import (
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"

	"goppptp/internal/mschap"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/strictyaml"
)

// users reads a list of users; file is where it stands, secrets becomes true
// when it holds one.
func (p *configParser) users(n *yaml.Node, file string, secrets *bool) {
	if n.Kind != yaml.SequenceNode {
		p.hint(n, "- {name: …, password: …}", "users must be a list")
		return
	}
	for _, c := range n.Content {
		c = strictyaml.Follow(c)
		if u, ok := p.user(c, secrets); ok {
			u.from = fmt.Sprintf("%s:%d", file, c.Line)
			p.addUser(u, c)
		}
	}
}

// addUser takes a user in, unless the name is there already.
func (p *configParser) addUser(u User, n *yaml.Node) {
	if from, again := p.names[u.Name]; again {
		e := &ConfigError{File: u.from, Message: fmt.Sprintf("user %q is in %s already", u.Name, from)}
		if n != nil {
			e.File, e.Line, e.Column = p.File, n.Line, n.Column
		}
		p.Errs = append(p.Errs, e)
		return
	}
	p.names[u.Name] = u.from
	if n != nil {
		p.userNodes[u.Name] = n
	}
	p.cfg.Users = append(p.cfg.Users, u)
}

// user reads one user.
func (p *configParser) user(n *yaml.Node, secrets *bool) (User, bool) {
	var u User
	before := len(p.Errs)
	p.mapping(n, "a user", keys{
		"name": func(_, n *yaml.Node) {
			s, ok := p.text("name", n)
			if ok && (s == "" || len(s) > 255) {
				p.fail(n, "a user's name has 1 to 255 characters")
			} else if ok && s == wildcardUser {
				p.fail(n, "a user's name cannot be %q", s)
			}
			u.Name = s
		},
		"password": func(_, n *yaml.Node) {
			s, _ := p.text("password", n)
			*secrets = true
			u.Password = auth.Secret(s)
		},
		"nt_hash": func(_, n *yaml.Node) {
			s, ok := p.text("nt_hash", n)
			*secrets = true
			if !ok {
				return
			}
			h, err := mschap.ParseNTHash(s)
			if err != nil {
				p.hint(n, "goppptp profile passwd --nt-hash prints one", "nt_hash: must be 32 hexadecimal digits")
				return
			}
			u.NTHash = &h
		},
		"address": func(_, n *yaml.Node) { u.Address, _ = p.address("address", n) },
		"routes":  func(_, n *yaml.Node) { u.Routes = p.subnets("routes", n) },
		"sessions": func(_, n *yaml.Node) {
			u.Sessions, _ = p.integer("sessions", n, 0, 65535)
		},
	})
	if len(p.Errs) > before {
		return u, false
	}
	switch {
	case u.Name == "":
		p.fail(n, "a user without a name")
	case u.Password == "" && u.NTHash == nil:
		p.hint(n, "give password or nt_hash", "user %q has no secret", u.Name)
	case u.Password != "" && u.NTHash != nil:
		p.fail(n, "user %q has both password and nt_hash", u.Name)
	case u.Address.IsValid() && u.Sessions > 1:
		p.fail(n, "user %q has one address, and so one session at a time", u.Name)
	default:
		return u, true
	}
	return u, false
}

// usersFile reads a file that holds a list of users.
func (p *configParser) usersFile(_, n *yaml.Node) {
	p.sources++
	s, ok := p.text("users_file", n)
	if !ok || s == "" {
		return
	}
	if !p.load {
		return
	}
	path := p.nearby(s)
	data, mode, err := readFile(path)
	if err != nil {
		p.failFile(n, "users_file", err)
		return
	}
	sub := &configParser{walker: newWalker(path), cfg: p.cfg, load: true, names: p.names, userNodes: map[string]*yaml.Node{}}
	var secrets bool
	if root := sub.Document(data); root != nil && !strictyaml.IsNull(root) {
		if root.Kind == yaml.MappingNode {
			sub.mapping(root, "the file of users", keys{"users": func(_, n *yaml.Node) { sub.users(n, path, &secrets) }})
		} else {
			sub.users(root, path, &secrets)
		}
	}
	p.Errs = append(p.Errs, sub.Errs...)
	if secrets {
		if err := checkSecretMode(path, mode); err != nil {
			p.failFile(n, "users_file", err)
		}
	}
}

func (p *configParser) chapSecrets(_, n *yaml.Node) {
	p.sources++
	if s, ok := p.text("chap_secrets", n); ok {
		p.chapNode, p.chapFile = n, s
	}
}

func (p *configParser) loadChapSecrets() {
	if p.chapFile == "" || !p.load {
		return
	}
	list, err := LoadChapSecrets(p.nearby(p.chapFile), p.cfg.Name)
	if err != nil {
		p.failFile(p.chapNode, "chap_secrets", err)
		return
	}
	for _, u := range list {
		p.addUser(u, nil)
	}
}

// failFile reports the mistakes of another file that n names.
func (p *configParser) failFile(n *yaml.Node, key string, err error) {
	if all, ok := errors.AsType[ConfigErrors](err); ok {
		p.Errs = append(p.Errs, all...)
		return
	}
	if e, ok := errors.AsType[*ConfigError](err); ok {
		if e.Line == 0 { // the file as a whole: say who wanted it
			e = &ConfigError{File: p.File, Line: n.Line, Column: n.Column, Message: key + ": " + e.File + " " + e.Message, Suggestion: e.Suggestion}
		}
		p.Errs = append(p.Errs, e)
		return
	}
	p.fail(n, "%s: %v", key, err)
}
