package server

import (
	"fmt"
	"net/netip"
	"strings"

	"goppptp/internal/mschap"
	"goppptp/internal/ppp/auth"
)

// User is somebody who may come in: one of Password and NTHash is set.
type User struct {
	Name     string
	Password auth.Secret
	NTHash   *mschap.NTHash
	Address  netip.Addr     // fixed; the zero Addr: from the pool
	Routes   []netip.Prefix // subnets behind the client
	Sessions int            // at one time; 0: any number

	// allowed limits what addresses the user may have, as the fourth and
	// further columns of chap-secrets do; nil: all.
	allowed *addressRules
	from    string // file and line, for messages
}

// wildcardUser is the name of an entry that fits every user without one.
const wildcardUser = "*"

// users finds users by name.
type users struct {
	byName      map[string]*User
	stripDomain bool
}

func newUsers(list []User, stripDomain bool) *users {
	u := &users{byName: make(map[string]*User, len(list)), stripDomain: stripDomain}
	for i := range list {
		u.byName[list[i].Name] = &list[i]
	}
	return u
}

// find returns the entry for a name as the client sent it: that of the
// whole name; else, with stripDomain, that of the name behind DOMAIN\; else the
// one for everybody.
func (u *users) find(name string) (*User, bool) {
	if name == "" || name == wildcardUser {
		return nil, false
	}
	if e, ok := u.byName[name]; ok {
		return e, true
	}
	if _, bare, ok := strings.Cut(name, `\`); ok && u.stripDomain && bare != wildcardUser {
		if e, ok := u.byName[bare]; ok {
			return e, true
		}
	}
	e, ok := u.byName[wildcardUser]
	return e, ok
}

// credential is find for package auth.
func (u *users) credential(name string) (auth.Credential, error) {
	e, ok := u.find(name)
	if !ok {
		return auth.Credential{}, fmt.Errorf("there is no user %q", name)
	}
	return auth.Credential{Password: e.Password, NTHash: e.NTHash}, nil
}

// routes returns the subnets behind the client of a user.
func (u *users) routes(name string) []netip.Prefix {
	if e, ok := u.find(name); ok {
		return e.Routes
	}
	return nil
}

// fixedAddresses returns which address belongs to whom.
func fixedAddresses(list []User) map[netip.Addr]string {
	fixed := map[netip.Addr]string{}
	for _, e := range list {
		if e.Address.IsValid() {
			fixed[e.Address] = e.Name
		}
	}
	return fixed
}

// addressRule is one word of chap-secrets' address column.
type addressRule struct {
	subnet netip.Prefix
	deny   bool
}

// addressRules are the rules of one user in order: the first that fits decides,
// and what no rule fits is refused.
type addressRules struct{ rules []addressRule }

// permits reports whether the user may have a.
func (r *addressRules) permits(a netip.Addr) bool {
	if r == nil {
		return true
	}
	for _, rule := range r.rules {
		if rule.subnet.Contains(a) {
			return !rule.deny
		}
	}
	return false
}

// single returns the one address that the rules admit when they name but one.
func (r *addressRules) single() netip.Addr {
	var found netip.Addr
	for _, rule := range r.rules {
		switch {
		case rule.deny:
		case rule.subnet.Bits() != 32 || found.IsValid():
			return netip.Addr{}
		default:
			found = rule.subnet.Addr()
		}
	}
	if !r.permits(found) { // an earlier rule refuses it
		return netip.Addr{}
	}
	return found
}

// hosts returns the single addresses that the rules admit, in order.
func (r *addressRules) hosts() []netip.Addr {
	var out []netip.Addr
	if r == nil {
		return nil
	}
	for _, rule := range r.rules {
		if a := rule.subnet.Addr(); !rule.deny && rule.subnet.Bits() == 32 && r.permits(a) {
			out = append(out, rule.subnet.Addr())
		}
	}
	return out
}
