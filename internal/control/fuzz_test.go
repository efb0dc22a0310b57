package control

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// FuzzRequest sends any method, path and body, from somebody who may change
// things. Whatever comes is answered in JSON, and what reaches the daemon names
// a profile that can be one.
func FuzzRequest(f *testing.F) {
	for _, s := range []struct{ method, path, body string }{
		{"GET", "/v1/sessions", ""},
		{"GET", "/v1/sessions/lab", ""},
		{"POST", "/v1/sessions/lab/up", `{"password":"x","new_password":"y"}`},
		{"POST", "/v1/sessions/lab/up?stream=1", `{}`},
		{"POST", "/v1/sessions/..%2fetc%2fpasswd/up", ``},
		{"POST", "/v1/sessions/lab/down", ``},
		{"POST", "/v1/sessions/lab/routes", `{"to":"10.0.0.0/8","metric":3}`},
		{"POST", "/v1/sessions/lab/routes", `{"to":"10.0.0.1/8"}{}`},
		{"DELETE", "/v1/sessions/lab/routes?to=10.0.0.0/8", ``},
		{"GET", "/v1/profiles", ""},
		{"POST", "/v1/server/sessions/3/kick", ""},
		{"GET", "/metrics", ""},
		{"PUT", "//v1/../x", "\x00"},
	} {
		f.Add(s.method, s.path, []byte(s.body))
	}
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Path == "" || u.Path[0] != '/' || u.Path == "/v1/events" {
			return // no request of HTTP's, or one without an end
		}
		r := &http.Request{
			Method: method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Host: "x",
			Body: readCloser{bytes.NewReader(body)}, ContentLength: int64(len(body)), RequestURI: path,
		}
		d := newDaemon()
		s := NewServer(Options{Backend: d, Server: d, MayChange: func(Peer) bool { return true }})
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r.WithContext(context.WithValue(t.Context(), peerKey{}, Peer{})))
		if w.Code < 300 || w.Code >= 400 { // the mux sends the client to the clean path itself
			if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %s: %d, %q", method, path, w.Code, w.Body)
			}
		}
		for _, req := range d.asked {
			if !ValidProfileName(req.Profile) {
				t.Errorf("%s %s: the daemon was asked for %q", method, path, req.Profile)
			}
		}
	})
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
