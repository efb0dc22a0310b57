package server

import (
	"errors"
	"slices"
	"strconv"
)

func (srv *Server) addSession(s *session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.sessions[s] = struct{}{}
	srv.trimmer.changed()
}

func (srv *Server) removeSession(s *session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.sessions, s)
	srv.trimmer.changed()
	if len(srv.sessions) == 0 && srv.idle != nil {
		close(srv.idle)
		srv.idle = nil
	}
}

// largeServer is how many sessions there are before memory counts for more than
// that each interface makes two lines in the kernel's log (osnet.TUNConfig).
const largeServer = 100

// isLarge reports whether there are many sessions.
func (srv *Server) isLarge() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return len(srv.sessions) >= largeServer
}

func (srv *Server) allSessions() []*session {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	out := make([]*session, 0, len(srv.sessions))
	for s := range srv.sessions {
		out = append(out, s)
	}
	return out
}

// addControl is false when the server stops.
func (srv *Server) addControl(c *control) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.stopping {
		return false
	}
	srv.controls[c] = struct{}{}
	srv.serving.Add(1)
	return true
}

func (srv *Server) removeControl(c *control) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.controls, c)
	srv.serving.Done()
}

// Sessions returns the sessions of authenticated users, oldest first.
func (srv *Server) Sessions() []SessionInfo {
	var out []SessionInfo
	for _, s := range srv.allSessions() {
		if i := s.snapshot(); i.User != "" {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b SessionInfo) int {
		x, _ := strconv.ParseUint(a.ID, 10, 64)
		y, _ := strconv.ParseUint(b.ID, 10, 64)
		return int(x) - int(y)
	})
	return out
}

// ErrNoSession says that there is no session of that name.
var ErrNoSession = errors.New("server: no such session")

// Kick ends the session called id: its number, or its interface.
func (srv *Server) Kick(id string) error {
	for _, s := range srv.allSessions() {
		i := s.snapshot()
		if i.User != "" && id != "" && (i.ID == id || i.Interface == id) {
			s.close("kicked by the administrator")
			return nil
		}
	}
	return ErrNoSession
}
