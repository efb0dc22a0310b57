package server

import (
	"slices"
)

// forward turns forwarding on for an interface ("": all), to be put back when
// the server stops.
func (srv *Server) forward(ifname string) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if _, is := srv.forwarding[ifname]; is {
		return
	}
	restore, err := srv.plat.SetForwarding(ifname)
	if err != nil {
		srv.log.Warn("no forwarding", "on", ifname, "reason", err)
		return
	}
	srv.forwarding[ifname] = restore
	srv.forwardedI = append(srv.forwardedI, ifname)
}

func (srv *Server) restoreForwarding() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for _, ifname := range slices.Backward(srv.forwardedI) {
		srv.forwarding[ifname]()
	}
	clear(srv.forwarding)
	srv.forwardedI = nil
}
