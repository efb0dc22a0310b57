// Package realpeers tests the built program against software that others
// wrote: pptpd with pppd as the server, pptp-linux with pppd as the client,
// with a real NAT, netem and tshark between them.
//
// TestRealPeers builds cmd/goppptp, boots one guest (package test/uml) with
// this very test in it, and reports what happened there as its own subtests, so
// that -run and -v work as ever:
//
//	go test -v -run 'TestRealPeers/client/mschapv2-128' ./test/realpeers
//
// Each scenario has a network of its own:
//
//	client              router                         server          inner
//	eth0 ---------- wan (bridge)   lan (bridge) ------ eth0            eth0
//	10.250.166.10   10.250.166.1   192.168.13.1        192.168.13.3    192.168.13.50
//	                203.235.199.133                                    172.16.0.10
//
// The router sends TCP port 1723 and GRE for 203.235.199.133 on to 192.168.13.3
// and lets nothing else in.
package realpeers
