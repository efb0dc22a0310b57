package control

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// contentLines is the content type of a stream: a JSON object a line.
const contentLines = "application/x-ndjson"

// wantsLines reports whether the caller asked for a stream of events.
func wantsLines(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), contentLines) || r.URL.Query().Get("stream") == "1"
}

// lineWriter writes a JSON object a line, each at once. A reader that does not
// take a line within writeTimeout ends the stream.
type lineWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func newLineWriter(w http.ResponseWriter) *lineWriter {
	w.Header().Set("Content-Type", contentLines)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	lw := &lineWriter{w, http.NewResponseController(w)}
	lw.rc.Flush()
	return lw
}

func (lw *lineWriter) write(e Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	lw.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := lw.w.Write(append(b, '\n')); err != nil {
		return err
	}
	return lw.rc.Flush()
}

// up connects. Asked for a stream, it answers with the session's events as
// they happen, and an event of type result at the end.
func (s *Server) up(w http.ResponseWriter, r *http.Request) error {
	name, err := profileName(r)
	if err != nil {
		return err
	}
	var req UpRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	req.Profile = name
	if !wantsLines(r) {
		st, err := s.opts.Backend.Up(r.Context(), req)
		if err != nil {
			return err
		}
		return writeJSON(w, st)
	}

	// Subscribed before Up begins, so that no stage is missed.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	events := s.opts.Backend.Events(ctx)
	result := make(chan Event, 1)
	go func() {
		e := Event{Type: EventResult, Profile: name}
		st, err := s.opts.Backend.Up(ctx, req)
		if err != nil {
			e.Error = asError(err)
		} else {
			e.Status = &st
		}
		result <- e
	}()

	lw := newLineWriter(w)
	forward := func(e Event) {
		if e.Profile == name && lw.write(e) != nil {
			cancel() // nobody listens any more
		}
	}
	for {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			forward(e)
		case last := <-result:
			for { // what was said before it ended
				select {
				case e, ok := <-events:
					if ok {
						forward(e)
						continue
					}
				default:
				}
				break
			}
			last.Time = time.Now()
			lw.write(last)
			return nil
		}
	}
}

// events streams everything that happens: first the state as it is, then each
// event.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	events := s.opts.Backend.Events(ctx)
	list, err := s.opts.Backend.Sessions(ctx)
	if err != nil {
		return err
	}
	lw := newLineWriter(w)
	for i := range list {
		if lw.write(Event{Time: time.Now(), Type: EventState, Profile: list[i].Profile, Status: &list[i]}) != nil {
			return nil
		}
	}
	for e := range events {
		if lw.write(e) != nil {
			return nil
		}
	}
	return nil
}

// lineReader reads lines of at most maxAnswer octets.
type lineReader struct{ s *bufio.Scanner }

func newLineReader(r io.Reader) *lineReader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxAnswer)
	return &lineReader{s}
}

// next returns the next line that is not empty, valid until the next call;
// io.EOF after the last.
func (l *lineReader) next() ([]byte, error) {
	for l.s.Scan() {
		if len(l.s.Bytes()) > 0 {
			return l.s.Bytes(), nil
		}
	}
	if err := l.s.Err(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}
