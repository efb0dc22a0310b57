// Package transcripts holds recorded sessions of pptp-linux and pppd with pptpd
// and pppd, and drives our protocol cores with what those programs really sent.
//
// A recording is a text file of test/testdata:
//
//	# the usual session
//	user "sio4"
//	password "p4ssw0rd"
//	auth mschap-v2
//	mppe 128
//	tunnel up
//
//	0.000000 client tcp 009c00011a2b3c4d…
//	0.004213 server gre 3001880b…
//
// A packet's line has the seconds since the first, who sent it, and its octets:
// of the TCP stream without repetitions, or of a GRE packet put together again
// from fragments, from the GRE header on. It is as it passed between client and
// router, so a packet lost before that point is not in it. "client-password" is
// there when the client's differs. Convert pcapng files with
//
//	go run ./test/transcripts/convert -user U -password P … FILE.pcapng >test/testdata/NAME.txt
package transcripts
