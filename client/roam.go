package client

import (
	"fmt"
	"net/netip"
	"time"

	"goppptp/routing"
)

// A view is what this machine's network looks like to a session.
type view struct {
	path  routing.Path // to the gateway, while it is not lost
	lost  bool         // no route leads to the gateway
	local netip.Addr   // the call's address on this side; not valid: there is no call
	gone  bool         // local is no address of this machine any more
}

// What becomes of a call when the view changes.
type verdict int

const (
	stay   verdict = iota // nothing has changed for it
	waits                 // it cannot be heard now, and goes on when it can
	probe                 // it may go on: the server is asked
	redial                // it cannot go on: another is made at once
)

func (v verdict) String() string { return [...]string{"stay", "wait", "probe", "redial"}[v] }

// How long a server is asked before the call is held for dead. Where packets
// leave with another address than the call's, most routers do not let them
// pass, and a new call is quicker than patience.
const (
	probeSame    = 4 * time.Second // the call's address is still that of the path
	probeForeign = time.Second
	probeResumed = 3 * time.Second // after sleep, in which the server may have given up
)

// judge says what a change of the view means for the call, and for how long to
// probe. up: the server answers probes already.
func judge(was, is view, up bool) (v verdict, within time.Duration) {
	switch {
	case is == was:
		return stay, 0
	case is.lost:
		return waits, 0
	case is.gone:
		return redial, 0
	case is.path.Source == is.local:
		return probe, probeSame
	case !up:
		return redial, 0
	}
	return probe, probeForeign
}

// tell says what a change of the view means, "" for nothing to be told.
func tell(was, is view) string {
	switch {
	case is.lost && !was.lost:
		return "no route leads to the gateway any more: waiting for the network"
	case is.lost, is == was:
		return ""
	case was.lost:
		return fmt.Sprintf("the gateway has a route again: %v", is.path)
	case is.path != was.path:
		return fmt.Sprintf("the gateway is reached another way now: %v", is.path)
	case is.gone && !was.gone:
		return fmt.Sprintf("%v is no address of this machine any more", is.local)
	}
	return ""
}
