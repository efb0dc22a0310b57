package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Backend is what the daemon does. Its methods are called at the same time
// from many goroutines. Errors that should keep their reason are *[Error].
type Backend interface {
	Sessions(ctx context.Context) ([]Status, error)
	// Session returns the status of an installed profile's session, with
	// StateDown where there is none; a [ReasonUsage] error for an unknown one.
	Session(ctx context.Context, profile string) (Status, error)
	// Up connects and returns once the tunnel carries traffic and the routes
	// are in. What happens meanwhile goes to Events. When ctx ends before,
	// the caller has gone away, and the attempt is given up.
	Up(ctx context.Context, req UpRequest) (Status, error)
	// Down disconnects and returns when everything is taken back.
	Down(ctx context.Context, profile string) (Status, error)
	AddRoute(ctx context.Context, profile string, r Route) error
	DelRoute(ctx context.Context, profile string, r Route) error
	Profiles(ctx context.Context) ([]ProfileInfo, error)
	// Events returns what happens from now on, until ctx ends; then the
	// channel is closed. A [Hub] is one.
	Events(ctx context.Context) <-chan Event
}

// ServerBackend is what a goppptp server answers.
type ServerBackend interface {
	ServerSessions(ctx context.Context) ([]ServerSession, error)
	Kick(ctx context.Context, id string) error
}

// Options are what a [Server] speaks for. One of the two backends may be nil.
type Options struct {
	Backend   Backend
	Server    ServerBackend
	Log       *slog.Logger    // nil: none
	MayChange func(Peer) bool // nil: the function MayChange
	// Authorize is asked about a peer that MayChange refuses, nil: refused. It
	// may take as long as the user thinks; the request's end ends ctx. An *Error
	// is sent to the peer as it is.
	Authorize func(ctx context.Context, p Peer, profile string) error
	PeerOf    func(net.Conn) (Peer, error) // nil: SO_PEERCRED
}

// Limits on one request.
const (
	maxBody       = 64 << 10
	maxHeader     = 16 << 10
	headerTimeout = 5 * time.Second
	bodyTimeout   = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	writeTimeout  = 15 * time.Second // for one answer, or one line of a stream
	downTimeout   = time.Minute
	drainTimeout  = 5 * time.Second
)

// Server is the daemon's half of the conversation.
type Server struct {
	opts     Options
	mux      *http.ServeMux
	inFlight atomic.Int64
}

// NewServer returns a server for the backends of opts.
func NewServer(opts Options) *Server {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.MayChange == nil {
		opts.MayChange = MayChange
	}
	if opts.PeerOf == nil {
		opts.PeerOf = func(c net.Conn) (Peer, error) {
			u, ok := c.(*net.UnixConn)
			if !ok {
				return Peer{}, errors.New("control: not a unix socket")
			}
			return PeerOf(u)
		}
	}
	s := &Server{opts: opts, mux: http.NewServeMux()}
	if opts.Backend != nil {
		s.handle("GET /v1/sessions", s.sessions)
		s.handle("GET /v1/sessions/{profile}", s.session)
		s.handle("POST /v1/sessions/{profile}/up", s.up)
		s.handle("POST /v1/sessions/{profile}/down", s.down)
		s.handle("POST /v1/sessions/{profile}/routes", s.addRoute)
		s.handle("DELETE /v1/sessions/{profile}/routes", s.delRoute)
		s.handle("GET /v1/profiles", s.profiles)
		s.handle("GET /v1/events", s.events)
	}
	if opts.Server != nil {
		s.handle("GET /v1/server/sessions", s.serverSessions)
		s.handle("POST /v1/server/sessions/{id}/kick", s.kick)
	}
	s.handle("GET /metrics", s.metrics)
	s.handle("/", func(w http.ResponseWriter, r *http.Request) error {
		writeError(w, http.StatusNotFound, &Error{Reason: ReasonUsage, Text: "no such request: " + r.Method + " " + r.URL.Path})
		return nil
	})
	return s
}

// InFlight returns how many requests are being answered, streams included.
func (s *Server) InFlight() int { return int(s.inFlight.Load()) }

// peerKey is the key of the caller in a request's context.
type peerKey struct{}

// Serve answers on l until ctx ends; then it ends the streams, lets the other
// requests finish for a short time, and closes l. It returns nil then.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	streams, stopStreams := context.WithCancel(ctx)
	defer stopStreams()
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return streams },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if pc, ok := c.(*peerConn); ok {
				return context.WithValue(ctx, peerKey{}, pc.peer)
			}
			return ctx
		},
	}
	done := make(chan error, 1)
	go func() {
		done <- h.Serve(&peerListener{Listener: l, peerOf: s.opts.PeerOf, byUID: map[uint32]int{}})
	}()
	select {
	case err := <-done:
		return fmt.Errorf("control: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if h.Shutdown(drain) != nil {
		h.Close()
	}
	<-done
	return nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	peer, known := r.Context().Value(peerKey{}).(Peer)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := s.authorize(r, peer, known); err != nil {
			s.opts.Log.Info("control request refused", "method", r.Method, "path", r.URL.Path, "uid", peer.UID, "pid", peer.PID)
			writeError(w, err.Reason.httpStatus(), err)
			return
		}
		s.opts.Log.Info("control request", "method", r.Method, "path", r.URL.Path, "uid", peer.UID, "pid", peer.PID)
	}
	s.mux.ServeHTTP(w, r)
}

// authorize returns why the peer may not change things; nil: it may.
func (s *Server) authorize(r *http.Request, peer Peer, known bool) *Error {
	refusal := &Error{
		Reason: ReasonPermission,
		Text:   "changing sessions needs root or membership of the group " + Group,
		Hint:   "sudo usermod -aG " + Group + " $USER, then log in again",
	}
	switch {
	case !known:
		return refusal
	case s.opts.MayChange(peer):
		return nil
	case s.opts.Authorize == nil:
		return refusal
	}
	name := ""
	if rest, ok := strings.CutPrefix(r.URL.Path, "/v1/sessions/"); ok {
		if name, _, _ = strings.Cut(rest, "/"); !ValidProfileName(name) {
			return refusal
		}
	}
	err := s.opts.Authorize(r.Context(), peer, name)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return refusal
}

// handle registers fn for pattern; the error fn returns becomes the answer.
func (s *Server) handle(pattern string, fn func(http.ResponseWriter, *http.Request) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r); err != nil {
			e := asError(err)
			writeError(w, e.Reason.httpStatus(), e)
		}
	})
}
