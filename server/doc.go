// Package server is a PPTP server: what pptpd and pppd do together, in one
// process and without the kernel's PPP.
//
//	cfg, err := server.LoadConfig("/etc/goppptp/server.yaml")
//	srv, err := server.New(cfg, server.Options{Log: log})
//	err = srv.Run(ctx) // until ctx ends; then everything is taken back
//
// A control connection (TCP port 1723, RFC 2637 section 2) offers calls; each
// becomes a session with its own network interface, ppp0, ppp1 and so on. One
// raw GRE socket serves all sessions: its reader hands each packet to the
// session that (peer address, call ID) names. Replies leave from the address
// that the control connection arrived at.
//
//	config*.go, yaml.go       server.yaml, strictly
//	ranges.go, pool.go        addresses for clients
//	users.go, chapsecrets.go  who may come in
//	pptpd*.go, pppoptions.go  server.yaml out of an existing pptpd set-up
//	gate.go, assign.go        the limits before and after authentication
//	control.go, session*.go   one control connection, one call
//	interface.go, dhcp*.go,   a client's interface and what belongs to it
//	forwarding.go
//	demux.go                  GRE packets to sessions
//	platform.go               the seam to the operating system
//	server.go, registry.go    start, stop, reload; what there is meanwhile
//
// # Limitations
//
// IPv4 on the outside. There is no RADIUS, and no listener for metrics: the
// control socket of the program has them.
package server
