package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
)

// maxAnswer bounds what is read of one answer, and of one line of a stream.
const maxAnswer = 4 << 20

// Client is the caller's half of the conversation. Its methods may be called
// at the same time. Failures that the daemon reports are *[Error]; a daemon
// that is not there is [ErrNoDaemon].
type Client struct {
	http *http.Client
}

// Dial returns a client of the daemon that listens at path, and checks that
// somebody does: [ErrNoDaemon] otherwise. (Connecting starts a daemon that
// systemd activates for the socket.)
func Dial(path string) (*Client, error) {
	c := NewClient(func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	})
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, dialError(err)
	}
	conn.Close()
	return c, nil
}

// NewClient returns a client that reaches its daemon by dial.
func NewClient(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dial(ctx)
			if err != nil {
				return nil, dialError(err)
			}
			return conn, nil
		},
		MaxIdleConns:       2,
		DisableCompression: true,
	}}}
}

// dialError says what a socket that cannot be reached means.
func dialError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return ErrNoDaemon
	case errors.Is(err, fs.ErrPermission):
		return &Error{Reason: ReasonPermission, Text: "no access to the daemon's socket: " + err.Error()}
	}
	return fmt.Errorf("control: %w", err)
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Sessions returns the status of every session.
func (c *Client) Sessions(ctx context.Context) ([]Status, error) {
	var l sessionList
	err := c.call(ctx, http.MethodGet, "/v1/sessions", nil, &l)
	return l.Sessions, err
}

// Status returns the status of one profile's session.
func (c *Client) Status(ctx context.Context, profile string) (Status, error) {
	var st Status
	err := c.call(ctx, http.MethodGet, sessionPath(profile, ""), nil, &st)
	return st, err
}

// Up connects profile and returns when it is up, or cannot be. progress, when
// not nil, is called with every event on the way. When ctx ends, the daemon
// gives the attempt up.
func (c *Client) Up(ctx context.Context, profile string, progress func(Event)) (Status, error) {
	return c.UpWith(ctx, UpRequest{Profile: profile}, progress)
}

// UpWith is Up with the caller's own answer to a profile that stores no secret.
func (c *Client) UpWith(ctx context.Context, req UpRequest, progress func(Event)) (Status, error) {
	var last *Event
	err := c.stream(ctx, http.MethodPost, sessionPath(req.Profile, "/up"), req, func(e Event) {
		if e.Type == EventResult {
			last = &e
		} else if progress != nil {
			progress(e)
		}
	})
	switch {
	case last != nil && last.Error != nil:
		return Status{}, last.Error
	case last != nil && last.Status != nil:
		return *last.Status, nil
	case err != nil:
		return Status{}, err
	}
	return Status{}, &Error{Reason: ReasonFailed, Text: "the daemon went away before the session was up"}
}

// Down disconnects profile and returns when everything is taken back.
func (c *Client) Down(ctx context.Context, profile string) error {
	return c.call(ctx, http.MethodPost, sessionPath(profile, "/down"), nil, nil)
}

// Routes returns the routes of profile's session that are in the kernel.
func (c *Client) Routes(ctx context.Context, profile string) ([]Route, error) {
	st, err := c.Status(ctx, profile)
	return st.Routes, err
}

// AddRoute adds a route (To, or else Host, and Metric of r) to a live session.
func (c *Client) AddRoute(ctx context.Context, profile string, r Route) error {
	return c.call(ctx, http.MethodPost, sessionPath(profile, "/routes"), routeRequest{r.To, r.Host, r.Metric}, nil)
}

// DelRoute takes a route (To, or else Host, of r) out of a live session.
func (c *Client) DelRoute(ctx context.Context, profile string, r Route) error {
	return c.call(ctx, http.MethodDelete, sessionPath(profile, "/routes"), routeRequest{r.To, r.Host, r.Metric}, nil)
}

// Profiles returns the installed profiles.
func (c *Client) Profiles(ctx context.Context) ([]ProfileInfo, error) {
	var l profileList
	err := c.call(ctx, http.MethodGet, "/v1/profiles", nil, &l)
	return l.Profiles, err
}

// Watch calls fn with every event, beginning with the state of every session,
// until ctx ends (nil) or the daemon goes away (an error).
func (c *Client) Watch(ctx context.Context, fn func(Event)) error {
	err := c.stream(ctx, http.MethodGet, "/v1/events", nil, fn)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		return ErrNoDaemon
	}
	return err
}

// ServerSessions returns the sessions of a goppptp server.
func (c *Client) ServerSessions(ctx context.Context) ([]ServerSession, error) {
	var l serverSessionList
	err := c.call(ctx, http.MethodGet, "/v1/server/sessions", nil, &l)
	return l.Sessions, err
}

// Kick ends a session of a goppptp server.
func (c *Client) Kick(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, "/v1/server/sessions/"+url.PathEscape(id)+"/kick", nil, nil)
}

func sessionPath(profile, rest string) string {
	return "/v1/sessions/" + url.PathEscape(profile) + rest
}

// call sends one request and reads its answer into out, when not nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	res, err := c.send(ctx, method, path, in, "application/json")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("control: reading the daemon's answer: %w", err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("control: the daemon's answer: %w", err)
	}
	return nil
}

// stream sends one request and calls fn with each line of its answer.
func (c *Client) stream(ctx context.Context, method, path string, in any, fn func(Event)) error {
	res, err := c.send(ctx, method, path, in, contentLines)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := newLineReader(res.Body)
	for {
		line, err := lines.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("control: reading events: %w", err)
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("control: the daemon's event: %w", err)
		}
		fn(e)
	}
}

// send sends a request and returns its answer, when that is no failure.
func (c *Client) send(ctx context.Context, method, path string, in any, accept string) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("control: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://goppptp"+path, body)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	req.Header.Set("Accept", accept)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the invented URL
		}
		if errors.Is(err, ErrNoDaemon) || ctx.Err() != nil {
			return nil, err
		}
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		// One that ends leaves alone whoever it has not accepted yet.
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			return nil, fmt.Errorf("%w any more: %w", ErrNoDaemon, err)
		}
		return nil, fmt.Errorf("control: asking the daemon: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var f failure
	b, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if json.Unmarshal(b, &f) != nil || f.Error == nil {
		return nil, fmt.Errorf("control: the daemon answered %s", res.Status)
	}
	return nil, f.Error
}
