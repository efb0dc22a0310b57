// Command seed writes the fuzz targets' seed corpora from the recordings: of
// each kind of packet one, and of each session what each side sent. Run it in
// the module's root, when a recording or a target's arguments have changed.
//
//	go run ./test/transcripts/seed
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"goppptp/internal/gre"
	"goppptp/internal/ppp"
	"goppptp/test/transcripts"
)

func main() {
	recordings, err := transcripts.Load("test/testdata")
	if err == nil {
		err = write(seeds(recordings))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

// A seed is the arguments of one call of a fuzz target, as Go expressions.
type seed struct {
	target string // folder and function
	name   string
	args   []string
}

func octets(b []byte) string { return fmt.Sprintf("[]byte(%q)", b) }

// seeds takes from the recordings what is worth having. The first packet of a
// kind stands for all.
func seeds(recordings []*transcripts.Recording) []seed {
	var list []seed
	known := make(map[string]bool)
	add := func(target, kind string, args ...string) {
		if !known[target+kind] {
			known[target+kind] = true
			list = append(list, seed{target, kind, args})
		}
	}
	for _, r := range recordings {
		for _, client := range []bool{true, false} {
			var stream, frames []byte
			who := map[bool]string{true: "client", false: "server"}[client]
			for _, p := range r.Packets {
				if p.FromClient != client {
					continue
				}
				if !p.GRE {
					stream = append(stream, p.Data...)
					add("internal/pptp/FuzzParse", fmt.Sprintf("%s-message-%d", who, binary.BigEndian.Uint16(p.Data[8:])), octets(p.Data))
					continue
				}
				h, payload, err := gre.Parse(p.Data)
				if err != nil {
					continue
				}
				add("internal/gre/FuzzParse", fmt.Sprintf("seq-%v-ack-%v", h.HasSeq, h.HasAck), octets(p.Data))
				protocol, info, err := ppp.ParseFrame(payload)
				if err != nil {
					continue
				}
				kind := kindOf(protocol, info)
				add("internal/ppp/FuzzFrame", kind, octets(payload))
				switch protocol {
				case ppp.ProtocolPAP, ppp.ProtocolCHAP, ppp.ProtocolEAP:
					add("internal/ppp/auth/FuzzParsePacket", kind, octets(info))
				case ppp.ProtocolIP, ppp.ProtocolIPv6, ppp.ProtocolMPPE:
					continue
				}
				if len(payload) < 0x80 && len(frames) < 2000 {
					frames = append(append(frames, byte(len(payload))), payload...)
				}
			}
			kind := r.Name + "-" + who
			// What one side sent is what the other side's core is given.
			add("internal/ppp/FuzzLinkHandle", kind, fmt.Sprintf("bool(%v)", client), "byte('\\x00')", octets(frames))
			if strings.HasSuffix(r.Name, "-echo") || strings.HasSuffix(r.Name, "-ends") {
				add("internal/pptp/FuzzConn", kind, fmt.Sprintf("bool(%v)", client), octets(stream), octets([]byte{7, 149, 1}))
			}
		}
	}
	return list
}

// kindOf names what a frame is: protocol, code, and the types of its options.
func kindOf(protocol ppp.Protocol, info []byte) string {
	kind := fmt.Sprintf("%04x", uint16(protocol))
	p, err := ppp.ParsePacket(info)
	if err != nil || protocol < 0x8000 {
		return kind
	}
	kind += fmt.Sprintf("-%d", p.Code)
	if p.Code <= 4 && protocol != ppp.ProtocolPAP && protocol != ppp.ProtocolCHAP && protocol != ppp.ProtocolEAP {
		options, _ := ppp.ParseOptions(p.Data)
		for _, o := range options {
			kind += fmt.Sprintf("-%02x", o.Type)
		}
	}
	return kind
}

// write puts each seed where `go test` looks for it.
func write(list []seed) error {
	for _, s := range list {
		folder, function := filepath.Split(s.target)
		dir := filepath.Join(folder, "testdata", "fuzz", function)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		text := "go test fuzz v1\n" + strings.Join(s.args, "\n") + "\n"
		if err := os.WriteFile(filepath.Join(dir, "recorded-"+s.name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Println(len(list), "seeds")
	return nil
}
