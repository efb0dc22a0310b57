// Command convert makes a recording of package transcripts out of a pcapng file
// with one PPTP session in it, captured on an Ethernet link, and writes it to
// standard output.
package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"

	"goppptp/test/transcripts"
)

func main() {
	var r transcripts.Recording
	client := flag.String("client", "10.250.166.10", "the client's address in the capture")
	flag.StringVar(&r.What, "what", "", "what is in it")
	flag.StringVar(&r.User, "user", "", "user name")
	flag.StringVar(&r.Password, "password", "", "the server's password for the user")
	flag.StringVar(&r.ClientPassword, "client-password", "", "the client's, if another")
	flag.StringVar(&r.Auth, "auth", "mschap-v2", "authentication, in pppd's words")
	flag.StringVar(&r.MPPE, "mppe", "none", "encryption: 128, 40, none, each also followed by stateful")
	flag.BoolVar(&r.Up, "up", true, "the tunnel came up")
	flag.Parse()
	if err := convert(&r, *client, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "convert:", err)
		os.Exit(1)
	}
}

func convert(r *transcripts.Recording, client, file string) error {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return err
	}
	blob, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	frames, err := readFrames(blob)
	if err != nil {
		return err
	}
	if r.Packets, err = session(frames, addr); err != nil {
		return err
	}
	return r.Write(os.Stdout)
}
