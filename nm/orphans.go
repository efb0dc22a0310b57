package nm

import (
	"log/slog"
	"net/netip"

	"goppptp/routing"
)

// protocolStatic is the route protocol number of what NetworkManager makes.
const protocolStatic = 4

// orphans lists, of the routes there are, those that NetworkManager made for
// the way to gateway and that were not there before: the one to the gateway,
// and the one to its next hop. All others go with the tunnel's interface.
func orphans(gateway netip.Addr, before, now []routing.Entry) (out []routing.Entry) {
	had := map[string]bool{}
	for _, e := range before {
		had[e.String()] = true
	}
	made := func(e routing.Entry, to netip.Addr) bool {
		return e.Kind == routing.Unicast && e.Protocol == protocolStatic && (e.Table == 0 || e.Table == routing.TableMain) &&
			e.To == netip.PrefixFrom(to, to.BitLen()) && !had[e.String()]
	}
	for _, e := range now {
		if !gateway.IsValid() || !made(e, gateway) {
			continue
		}
		out = append(out, e)
		for _, hop := range now {
			if e.Via.IsValid() && hop.Dev == e.Dev && made(hop, e.Via) {
				out = append(out, hop)
			}
		}
	}
	return out
}

// takeBack deletes the routes that a NetworkManager which is not there any
// more has left, and which the next one would take for somebody else's.
func (h *handover) takeBack(log *slog.Logger) {
	h.mu.Lock()
	gateway, before := h.wanted.Gateway, h.before
	h.mu.Unlock()
	if before == nil {
		return
	}
	st, err := routing.ReadState()
	if err != nil {
		log.Error("cannot look for routes that NetworkManager left", "error", err)
		return
	}
	left := orphans(gateway, before, st.Routes)
	for _, e := range left {
		log.Warn("taking back a route that NetworkManager left", "route", e.String())
	}
	if err := routing.Remove(left); err != nil {
		log.Error("cannot take back what NetworkManager left", "error", err)
	}
}
