package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(t *testing.T, s string) []netip.Addr {
	t.Helper()
	a, err := ParseAddresses(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPool(t *testing.T) {
	p := NewPool(addrs(t, "10.0.0.1-3"), map[netip.Addr]string{ip("10.0.0.2"): "ann", ip("10.9.9.9"): "eve"})
	take := func(user string, fixed string, want string) {
		t.Helper()
		var f netip.Addr
		if fixed != "" {
			f = ip(fixed)
		}
		got, err := p.Take(user, "session of "+user, f, nil)
		if want == "" {
			pe, ok := errors.AsType[*PoolError](err)
			if !ok || pe.User != user || pe.Addr != f {
				t.Errorf("Take(%s) = %v, %v; want a refusal", user, got, err)
			}
			return
		}
		if err != nil || got.String() != want {
			t.Errorf("Take(%s) = %v, %v; want %s", user, got, err, want)
		}
	}
	take("bob", "", "10.0.0.1")
	take("cid", "", "10.0.0.3") // .2 is ann's
	take("dan", "", "")
	take("ann", "10.0.0.2", "10.0.0.2")
	take("ann", "10.0.0.2", "")
	take("eve", "10.9.9.9", "10.9.9.9") // not in the pool
	if used, size := p.Used(); used != 4 || size != 3 {
		t.Errorf("Used = %d, %d", used, size)
	}
	p.Release(ip("10.0.0.1"))
	p.Release(ip("10.0.0.3"))
	take("cid", "", "10.0.0.3") // what it had before, although .1 is free
	take("dan", "", "10.0.0.1")
	p.Release(ip("10.0.0.3"))
	p.Update(addrs(t, "10.0.0.1,10.0.0.7"), nil)
	take("cid", "", "10.0.0.7") // .3 is no longer in the pool, .1 is dan's
	take("fay", "", "")
}

func TestPoolErrorsSayWhy(t *testing.T) {
	p := NewPool(addrs(t, "10.0.0.1"), nil)
	if _, err := p.Take("ann", "session 1 from 192.0.2.7", ip("10.0.0.9"), nil); err != nil {
		t.Fatal(err)
	}
	_, err := p.Take("ann", "x", ip("10.0.0.9"), nil)
	if err == nil || !strings.Contains(err.Error(), "10.0.0.9") || !strings.Contains(err.Error(), "session 1 from 192.0.2.7") {
		t.Errorf("a fixed address in use: %v", err)
	}
	if _, err := p.Take("bob", "x", netip.Addr{}, func(netip.Addr) bool { return false }); err == nil {
		t.Error("an address that is not allowed was given")
	}
	if _, err := p.Take("bob", "x", netip.Addr{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take("cid", "x", netip.Addr{}, nil); err == nil || !strings.Contains(err.Error(), "no free address") {
		t.Errorf("an empty pool: %v", err)
	}
}

func TestPoolGivesEachAddressOnce(t *testing.T) {
	p := NewPool(addrs(t, "10.0.0.0-99"), nil)
	var mu sync.Mutex
	held := map[netip.Addr]string{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			user := fmt.Sprint("user", w)
			for range 500 {
				var mine []netip.Addr
				for range 10 {
					a, err := p.Take(user, user, netip.Addr{}, nil)
					if err != nil {
						t.Errorf("%s: %v", user, err)
						return
					}
					mu.Lock()
					if other, taken := held[a]; taken {
						t.Errorf("%v has two: %s and %s", a, user, other)
					}
					held[a] = user
					mu.Unlock()
					mine = append(mine, a)
				}
				for _, a := range mine {
					mu.Lock()
					delete(held, a)
					mu.Unlock()
					p.Release(a)
				}
			}
		})
	}
	wg.Wait()
	if used, _ := p.Used(); used != 0 {
		t.Errorf("%d addresses were not given back", used)
	}
}

func TestPoolMemoryIsBounded(t *testing.T) {
	p := NewPool(addrs(t, "10.0.0.1-4"), nil)
	for i := range 1000 {
		a, err := p.Take(fmt.Sprint("user", i), "x", netip.Addr{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Release(a)
	}
	if len(p.last) > 4 {
		t.Errorf("%d users are remembered", len(p.last))
	}
}
