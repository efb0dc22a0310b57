package server

import (
	"fmt"
	"net/netip"
	"sync"
)

// Pool hands out addresses, each to one session at a time. An address that is
// fixed to a user is given to nobody else. Its methods may be called from any
// goroutine.
type Pool struct {
	mu    sync.Mutex
	order []netip.Addr          // mu guards; as configured
	full  int                   // mu guards; so many at the beginning of order are in use
	fixed map[netip.Addr]string // mu guards; the user it belongs to
	used  map[netip.Addr]string // mu guards; who has it, for messages
	last  map[string]netip.Addr // mu guards; what a user had before
}

// PoolError says why there is no address. Addr is the fixed one that is taken,
// Holder who has it; both are empty when the pool is used up.
type PoolError struct {
	User   string
	Addr   netip.Addr
	Holder string
	Size   int // of the pool
}

func (e *PoolError) Error() string {
	if e.Addr.IsValid() {
		return fmt.Sprintf("the address %s of user %q is in use by %s", e.Addr, e.User, e.Holder)
	}
	return fmt.Sprintf("no free address: all %d are in use or belong to other users", e.Size)
}

// NewPool makes a pool of addrs; fixed tells which addresses, in addrs or not,
// belong to a user.
func NewPool(addrs []netip.Addr, fixed map[netip.Addr]string) *Pool {
	p := &Pool{used: map[netip.Addr]string{}, last: map[string]netip.Addr{}}
	p.Update(addrs, fixed)
	return p
}

// Update replaces what may be handed out from now on. Who has an address keeps
// it.
func (p *Pool) Update(addrs []netip.Addr, fixed map[netip.Addr]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order, p.fixed, p.full = addrs, fixed, 0
}

// Take gives user an address: the one fixed, when valid; else the one the user
// had before, or the first, that is free, belongs to nobody else and that
// allowed (nil: all) admits. holder is how messages call who has it. The error is
// a *[PoolError].
func (p *Pool) Take(user, holder string, fixed netip.Addr, allowed func(netip.Addr) bool) (netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fixed.IsValid() {
		if h, taken := p.used[fixed]; taken {
			return netip.Addr{}, &PoolError{User: user, Addr: fixed, Holder: h, Size: len(p.order)}
		}
		p.used[fixed] = holder
		return fixed, nil
	}
	free := func(a netip.Addr) bool {
		if _, taken := p.used[a]; taken {
			return false
		}
		if owner, owned := p.fixed[a]; owned && owner != user {
			return false
		}
		return allowed == nil || allowed(a)
	}
	take := func(a netip.Addr) (netip.Addr, error) {
		p.used[a] = holder
		p.rememberLocked(user, a)
		return a, nil
	}
	if a, had := p.last[user]; had && free(a) && p.holdsLocked(a) {
		return take(a)
	}
	for p.full < len(p.order) && p.used[p.order[p.full]] != "" {
		p.full++
	}
	for _, a := range p.order[p.full:] {
		if free(a) {
			return take(a)
		}
	}
	return netip.Addr{}, &PoolError{User: user, Size: len(p.order)}
}

// Release takes an address back.
func (p *Pool) Release(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, a)
	p.full = 0
}

// Used returns how many addresses are handed out, and how many there are.
func (p *Pool) Used() (used, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.used), len(p.order)
}

func (p *Pool) holdsLocked(a netip.Addr) bool {
	for _, x := range p.order {
		if x == a {
			return true
		}
	}
	return false
}

// rememberLocked notes what user has now, for as many users as the pool has
// addresses.
func (p *Pool) rememberLocked(user string, a netip.Addr) {
	if _, known := p.last[user]; !known && len(p.last) >= len(p.order) {
		for u := range p.last {
			delete(p.last, u)
			break
		}
	}
	p.last[user] = a
}
