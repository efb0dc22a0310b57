package routing

import (
	"context"
	"errors"
	"os"
)

func pid() int { return os.Getpid() }

// Repair takes away what sessions left behind that did not come to their end:
// every route that carries our tag and that no living session claims, whether
// a journal in runDir knows of it or not. Living sessions are left alone. done
// is what was removed, in the syntax of "ip route"; what cannot be removed is in err,
// and does not keep the rest from being done.
//
// It works in the network namespace of the calling thread; journals of other
// namespaces stay.
func Repair(runDir string) (done []string, err error) {
	k, err := openKernel()
	if err != nil {
		return nil, err
	}
	defer k.close()
	unlock, err := lockTable(context.Background(), runDir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	list, err := others(runDir, "")
	defer closeAll(list)
	if err != nil {
		return nil, err
	}
	st, table, err := k.state()
	if err != nil {
		return nil, err
	}
	ns := namespace()
	st.Others = claims(list, ns)
	var failed []error
	for i := range list {
		if list[i].alive && list[i].err != nil {
			failed = append(failed, list[i].err)
		}
	}
	if len(failed) > 0 { // what it owns is not known
		return nil, errors.Join(failed...)
	}
	for _, op := range leftovers(st) {
		if err := k.do(table, op); err == nil {
			done = append(done, op.Route.String())
		} else if !gone(err) {
			failed = append(failed, err)
		}
	}
	for i := range list {
		f := &list[i]
		if !f.alive && len(failed) == 0 && (f.Namespace == ns || f.err != nil) {
			if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
				failed = append(failed, err)
			}
		}
	}
	servers, err := repairDNS(context.Background(), runDir)
	return append(done, servers...), errors.Join(append(failed, err)...)
}

// leftovers lists what is to be deleted of the dead: what carries our tag and
// no living session claims.
func leftovers(st *State) (ops []Op) {
	claimed := map[routeKey]bool{}
	for _, c := range st.Others {
		for i := range c.Routes {
			claimed[c.Routes[i].key()] = true
		}
	}
	// Backwards: subnets before the route to their next hop.
	for i := len(st.Routes) - 1; i >= 0; i-- {
		if e := &st.Routes[i]; e.Protocol == Protocol && !claimed[e.key()] {
			ops = append(ops, Op{Delete, *e})
		}
	}
	return ops
}
