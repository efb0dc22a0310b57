package server

import (
	"errors"
	"time"
)

// staleProbe is how long a session is asked whether its client is still there.
const staleProbe = 1500 * time.Millisecond

var errStale = errors.New("the client is not there any more, and its user wants in again")

// probeStale asks the other sessions of a user who was refused for their sake
// whether their clients are there: one whose network has changed comes back
// from elsewhere, long before the keepalive finds out that its old session is
// dead. Those that do not answer end; the next try then finds room.
func (srv *Server) probeStale(but *session, refusal error) {
	var account string
	if e, ok := errors.AsType[*LimitError](refusal); ok {
		account = e.User
	} else if e, ok := errors.AsType[*PoolError](refusal); ok {
		account = e.User
	}
	if account == "" {
		return
	}
	for _, s := range srv.allSessions() {
		s.mu.Lock()
		ask := s != but && s.account == account && !s.probed // anew would put the end off
		s.probed = s.probed || ask
		s.mu.Unlock()
		if ask {
			s.tun.Probe(staleProbe)
		}
	}
}
