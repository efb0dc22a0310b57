package control

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// metrics answers with the counters of all sessions as Prometheus reads them.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	if s.opts.Backend != nil {
		list, err := s.opts.Backend.Sessions(r.Context())
		if err != nil {
			return err
		}
		up := family{&b, "goppptp_session_up", "gauge", "Whether the session carries traffic."}
		up.head()
		for _, st := range list {
			v := uint64(0)
			if st.State == StateUp {
				v = 1
			}
			up.sample(v, "profile", st.Profile)
		}
		counterFamilies(&b, "goppptp_session", len(list), func(i int) (Counters, []string) {
			return list[i].Counters, []string{"profile", list[i].Profile}
		})
	}
	if s.opts.Server != nil {
		list, err := s.opts.Server.ServerSessions(r.Context())
		if err != nil {
			return err
		}
		n := family{&b, "goppptp_server_sessions", "gauge", "Sessions of the server."}
		n.head()
		n.sample(uint64(len(list)))
		counterFamilies(&b, "goppptp_server_session", len(list), func(i int) (Counters, []string) {
			return list[i].Counters, []string{"id", list[i].ID, "user", list[i].User, "interface", list[i].Interface}
		})
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(b.Bytes())
	return nil
}

// family is one metric and its samples.
type family struct {
	b                *bytes.Buffer
	name, kind, help string
}

func (f family) head() {
	fmt.Fprintf(f.b, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// sample writes one value; labels are names and values in turn.
func (f family) sample(v uint64, labels ...string) {
	f.b.WriteString(f.name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		f.b.WriteByte(sep)
		fmt.Fprintf(f.b, `%s="%s"`, labels[i], labelEscaper.Replace(labels[i+1]))
	}
	if len(labels) > 1 {
		f.b.WriteByte('}')
	}
	fmt.Fprintf(f.b, " %d\n", v)
}

// counterFamilies writes the counters of n sessions, metric by metric.
func counterFamilies(b *bytes.Buffer, prefix string, n int, at func(int) (Counters, []string)) {
	for _, c := range []struct {
		name, help string
		value      func(Counters) uint64
	}{
		{"receive_bytes_total", "Payload octets from the peer.", func(c Counters) uint64 { return c.RxBytes }},
		{"transmit_bytes_total", "Payload octets to the peer.", func(c Counters) uint64 { return c.TxBytes }},
		{"receive_packets_total", "Packets from the peer.", func(c Counters) uint64 { return c.RxPackets }},
		{"transmit_packets_total", "Packets to the peer.", func(c Counters) uint64 { return c.TxPackets }},
		{"receive_lost_total", "Packets that did not arrive.", func(c Counters) uint64 { return c.RxLost }},
		{"receive_late_total", "Packets that arrived out of order and were used.", func(c Counters) uint64 { return c.RxLate }},
		{"receive_dropped_total", "Packets from the peer that were dropped.", func(c Counters) uint64 { return c.RxDropped }},
		{"transmit_dropped_total", "Packets to the peer that were dropped.", func(c Counters) uint64 { return c.TxDropped }},
	} {
		f := family{b, prefix + "_" + c.name, "counter", c.help}
		f.head()
		for i := range n {
			counters, labels := at(i)
			f.sample(c.value(counters), labels...)
		}
	}
}
