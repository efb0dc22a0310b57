package control

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
)

// The envelopes of lists and errors: objects, so that they can grow.
type (
	sessionList struct {
		Sessions []Status `json:"sessions"`
	}
	profileList struct {
		Profiles []ProfileInfo `json:"profiles"`
	}
	serverSessionList struct {
		Sessions []ServerSession `json:"sessions"`
	}
	failure struct {
		Error *Error `json:"error"`
	}
	routeRequest struct {
		To     netip.Prefix `json:"to,omitzero"`
		Host   string       `json:"host,omitempty"` // in place of To
		Metric int          `json:"metric"`
	}
)

func (s *Server) sessions(w http.ResponseWriter, r *http.Request) error {
	list, err := s.opts.Backend.Sessions(r.Context())
	if err != nil {
		return err
	}
	if list == nil {
		list = []Status{}
	}
	return writeJSON(w, sessionList{list})
}

func (s *Server) session(w http.ResponseWriter, r *http.Request) error {
	name, err := profileName(r)
	if err != nil {
		return err
	}
	st, err := s.opts.Backend.Session(r.Context(), name)
	if err != nil {
		return err
	}
	return writeJSON(w, st)
}

func (s *Server) down(w http.ResponseWriter, r *http.Request) error {
	name, err := profileName(r)
	if err != nil {
		return err
	}
	// What was begun is finished, although the caller may not wait for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), downTimeout)
	defer cancel()
	st, err := s.opts.Backend.Down(ctx, name)
	if err != nil {
		return err
	}
	return writeJSON(w, st)
}

func (s *Server) addRoute(w http.ResponseWriter, r *http.Request) error {
	return s.changeRoute(w, r, s.opts.Backend.AddRoute)
}

func (s *Server) delRoute(w http.ResponseWriter, r *http.Request) error {
	return s.changeRoute(w, r, s.opts.Backend.DelRoute)
}

func (s *Server) changeRoute(w http.ResponseWriter, r *http.Request, change func(context.Context, string, Route) error) error {
	name, err := profileName(r)
	if err != nil {
		return err
	}
	var req routeRequest
	if to := r.URL.Query().Get("to"); to != "" {
		if req.To, err = netip.ParsePrefix(to); err != nil {
			return &Error{Reason: ReasonUsage, Text: fmt.Sprintf("%q is not a subnet", to), Hint: "write it as 192.168.14.0/24"}
		}
	} else if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.To.IsValid() == (req.Host != "") || req.Metric < 0 {
		return &Error{Reason: ReasonUsage, Text: "the request names no subnet", Hint: `send {"to": "192.168.14.0/24"} or {"host": "build.lab.example"}`}
	}
	if req.To.IsValid() && req.To != req.To.Masked() {
		return &Error{Reason: ReasonUsage, Text: fmt.Sprintf("%s has host bits set", req.To), Hint: "did you mean " + req.To.Masked().String() + "?"}
	}
	ctx := context.WithoutCancel(r.Context())
	if err := change(ctx, name, Route{To: req.To, Host: req.Host, Metric: req.Metric}); err != nil {
		return err
	}
	st, err := s.opts.Backend.Session(ctx, name)
	if err != nil {
		return err
	}
	return writeJSON(w, st)
}

func (s *Server) profiles(w http.ResponseWriter, r *http.Request) error {
	list, err := s.opts.Backend.Profiles(r.Context())
	if err != nil {
		return err
	}
	if list == nil {
		list = []ProfileInfo{}
	}
	return writeJSON(w, profileList{list})
}

func (s *Server) serverSessions(w http.ResponseWriter, r *http.Request) error {
	list, err := s.opts.Server.ServerSessions(r.Context())
	if err != nil {
		return err
	}
	if list == nil {
		list = []ServerSession{}
	}
	return writeJSON(w, serverSessionList{list})
}

func (s *Server) kick(w http.ResponseWriter, r *http.Request) error {
	if err := s.opts.Server.Kick(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return writeJSON(w, struct{}{})
}

// profileName returns the profile the URL names, when it can be one.
func profileName(r *http.Request) (string, error) {
	name := r.PathValue("profile")
	if !ValidProfileName(name) {
		return "", &Error{Reason: ReasonUsage, Text: fmt.Sprintf("%q is not a profile name", name), Hint: "a request names an installed profile, never a file"}
	}
	return name, nil
}
