package transcripts

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Recording is one session, from the first packet to the last.
type Recording struct {
	Name string // of its file, without .txt
	What string // what is in it
	User string
	// Password is the server's; ClientPassword the one that the client used.
	Password, ClientPassword string
	Auth                     string // in pppd's words: mschap-v2, mschap, chap, pap, eap
	MPPE                     string // what was in force or required: "128", "128 stateful", "40", "none"
	Up                       bool   // the tunnel came up
	Packets                  []Packet
}

// A Packet is a piece of the control connection's stream or a GRE packet.
type Packet struct {
	At         time.Duration // since the first
	FromClient bool
	GRE        bool // Data is a GRE packet from its header on; otherwise of the TCP stream
	Data       []byte
}

// OutOfStep tells whether the recorded server ends up decrypting nonsense.
func (r *Recording) OutOfStep() bool { return strings.HasSuffix(r.Name, "-out-of-step") }

// Load reads all recordings of a folder, by name.
func Load(dir string) ([]*Recording, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []*Recording
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		r, err := Read(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		r.Name = strings.TrimSuffix(filepath.Base(file), ".txt")
		all = append(all, r)
	}
	return all, nil
}

// Read reads a recording as Write writes it.
func Read(from io.Reader) (*Recording, error) {
	r := new(Recording)
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		if err := r.line(lines.Text()); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if r.ClientPassword == "" {
		r.ClientPassword = r.Password
	}
	return r, lines.Err()
}

func (r *Recording) line(text string) (err error) {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "":
	case "#":
		r.What = rest
	case "user":
		r.User, err = strconv.Unquote(rest)
	case "password":
		r.Password, err = strconv.Unquote(rest)
	case "client-password":
		r.ClientPassword, err = strconv.Unquote(rest)
	case "auth":
		r.Auth = rest
	case "mppe":
		r.MPPE = rest
	case "tunnel":
		r.Up = rest == "up"
	default:
		f := strings.Fields(text)
		if len(f) != 4 {
			return fmt.Errorf("neither a packet nor a known word: %q", word)
		}
		seconds, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			return err
		}
		p := Packet{At: time.Duration(seconds * float64(time.Second)), FromClient: f[1] == "client", GRE: f[2] == "gre"}
		if p.Data, err = hex.DecodeString(f[3]); err != nil {
			return err
		}
		r.Packets = append(r.Packets, p)
	}
	return err
}

// Write writes the recording as text.
func (r *Recording) Write(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "# %s\nuser %q\npassword %q\n", r.What, r.User, r.Password)
	if r.ClientPassword != "" && r.ClientPassword != r.Password {
		fmt.Fprintf(w, "client-password %q\n", r.ClientPassword)
	}
	tunnel := "down"
	if r.Up {
		tunnel = "up"
	}
	fmt.Fprintf(w, "auth %s\nmppe %s\ntunnel %s\n\n", r.Auth, r.MPPE, tunnel)
	for _, p := range r.Packets {
		who, what := "server", "tcp"
		if p.FromClient {
			who = "client"
		}
		if p.GRE {
			what = "gre"
		}
		fmt.Fprintf(w, "%.6f %s %s %x\n", p.At.Seconds(), who, what, p.Data)
	}
	return w.Flush()
}
