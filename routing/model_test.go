package routing

import (
	"strings"
	"testing"
)

// model is a kernel's table: it does to a State what the kernel does to its own.
type model struct {
	t  testing.TB
	st *State
}

// do carries out one operation, by the kernel's rules: "add" wants that no
// route to the subnet has the metric, "append" goes behind those that do.
func (m *model) do(op Op) {
	m.t.Helper()
	at, place := -1, len(m.st.Routes)
	for i := range m.st.Routes {
		e := &m.st.Routes[i]
		if e.same(&op.Route) && e.Protocol == Protocol {
			at = i
		}
		if e.To == op.Route.To && e.Metric == op.Route.Metric && e.table() == op.Route.table() {
			if op.Verb == Add {
				m.t.Errorf("%s: file exists: %s", op, e)
			}
			place = i + 1
		}
	}
	switch {
	case op.Verb == Delete && at < 0:
		m.t.Errorf("%s: no such route", op)
	case op.Verb == Delete:
		m.st.Routes = append(m.st.Routes[:at], m.st.Routes[at+1:]...)
	default:
		if op.Route.Protocol != Protocol {
			m.t.Errorf("%s: without our tag", op)
		}
		m.nextHop(op)
		m.st.Routes = append(m.st.Routes[:place], append([]Entry{op.Route}, m.st.Routes[place:]...)...)
	}
}

// nextHop checks that a route to the next hop is there, on the same link.
func (m *model) nextHop(op Op) {
	m.t.Helper()
	if !op.Route.Via.IsValid() || op.Route.OnLink {
		return
	}
	for i := range m.st.Routes {
		if e := &m.st.Routes[i]; e.Dev == op.Route.Dev && !e.Via.IsValid() && e.To.Contains(op.Route.Via) {
			return
		}
	}
	for _, a := range m.st.Addrs {
		if a.Dev == op.Route.Dev && a.Prefix.Masked().Contains(op.Route.Via) {
			return
		}
	}
	m.t.Errorf("%s: next hop is not on that link", op)
}

func (m *model) carryOut(p *Plan) {
	m.t.Helper()
	for _, op := range p.Ops {
		m.do(op)
	}
	m.st.Mine = p.Own
}

// end takes a session's routes back.
func (m *model) end() {
	m.t.Helper()
	for _, op := range takeBack(m.st) {
		m.do(op)
	}
	m.st.Mine = nil
}

func tableText(st *State) string {
	var out []string
	for _, e := range st.Routes {
		out = append(out, e.String())
	}
	return strings.Join(out, "\n")
}
