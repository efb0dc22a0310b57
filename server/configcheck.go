package server

import (
	"net/netip"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"

	"goppptp/internal/ppp/auth"
)

// check looks at what no single key can tell.
func (p *configParser) check(root *yaml.Node) {
	c := p.cfg
	missing := func(what, example string) {
		p.Errs = append(p.Errs, &ConfigError{File: p.File, Line: root.Line, Message: what + " is missing", Suggestion: "for example " + example})
	}
	if len(p.Errs) > 0 {
		return // what is missing may be what was wrong
	}
	if len(c.Local) == 0 {
		missing("local", "local: 192.168.13.254")
	}
	if len(c.Remote) == 0 && !slices.ContainsFunc(c.Users, hasOwnAddress) {
		missing("remote", "remote: [192.168.13.240-249]")
	}
	if p.sources == 0 {
		missing("a source of users", "users: [{name: …, password: …}], users_file or chap_secrets")
	}
	if len(c.Listen) == 0 {
		c.Listen = []string{defaultListen}
	}
	if len(c.Auth) == 0 {
		p.Errs = append(p.Errs, &ConfigError{File: p.File, Line: root.Line, Message: "auth names no method", Suggestion: "auth: [mschapv2]"})
	}
	p.checkMPPE(root)
	p.checkAddresses(root)
}

func hasOwnAddress(u User) bool { return u.Address.IsValid() || len(u.allowed.hosts()) > 0 }

// checkMPPE finds methods that cannot give the keys that MPPE needs.
func (p *configParser) checkMPPE(root *yaml.Node) {
	if !p.cfg.MPPE.Require {
		return
	}
	if len(p.cfg.MPPE.Bits) == 0 {
		p.fail(root, "mppe is required, and bits names no strength")
	}
	for _, m := range p.cfg.Auth {
		if m == auth.PAP || m == auth.CHAP {
			p.hint(p.authNode, "set mppe: {require: false}, or leave it out", "auth: %s gives no keys, and mppe is required", m)
		}
	}
}

// checkAddresses finds addresses that two would have.
func (p *configParser) checkAddresses(root *yaml.Node) {
	local := map[netip.Addr]bool{}
	for _, a := range p.cfg.Local {
		local[a] = true
	}
	if len(p.cfg.Local) == 1 {
		// The server's own address is no client's, although a subnet given as
		// the pool may hold it.
		kept := p.cfg.Remote[:0:0]
		for _, a := range p.cfg.Remote {
			if !local[a] {
				kept = append(kept, a)
			}
		}
		if len(kept) == 0 && len(p.cfg.Remote) > 0 {
			p.fail(root, "remote holds nothing but the server's own address %s", p.cfg.Local[0])
		}
		p.cfg.Remote = kept
	}
	owner := map[netip.Addr]string{}
	for _, u := range p.cfg.Users {
		if !u.Address.IsValid() {
			continue
		}
		n := p.userNodes[u.Name]
		at := func(message string) {
			e := &ConfigError{File: u.from, Message: message}
			if n != nil {
				e.File, e.Line, e.Column = p.File, n.Line, n.Column
			}
			p.Errs = append(p.Errs, e)
		}
		if local[u.Address] {
			at("user " + strconv.Quote(u.Name) + " has the server's own address " + u.Address.String())
		} else if other, taken := owner[u.Address]; taken {
			at("users " + strconv.Quote(other) + " and " + strconv.Quote(u.Name) + " have the same address " + u.Address.String())
		}
		owner[u.Address] = u.Name
	}
}
