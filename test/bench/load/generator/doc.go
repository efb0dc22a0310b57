// Package generator holds thousands of PPTP sessions with one server, from the
// client's side, and moves packets through them. It is built on the protocol's
// cores alone: a session has no network interface, and all of them share one
// raw socket.
//
//	g := generator.New(generator.Config{Server: server, GRE: socket, Dial: dial, User: user})
//	defer g.Close()
//	up, err := g.Up(ctx, 1000)
//	sent, err := g.Send(ctx, generator.Load{First: 0, Count: 1000, Packets: 100000, To: echo})
//	got := g.Traffic()
//	g.Down(ctx)
//
// What goes wrong is counted by name: [Generator.Failures].
//
// # Who does what
//
//	a goroutine a session ── TCP ──┐
//	one reader ── raw GRE socket ──┼── session.mu ── pptp.Conn, ppp.Link, gre, mppe
//	one ticker ── deadlines ───────┤
//	Up, Send, Down ── the caller ──┘
//
// # Contents
//
// Each packet carries who sent it, whom it is for, a number, and a pattern that
// follows from the number; a receiver checks all of it ([Check]). So an answer
// that comes out of the wrong session, or has changed on the way, is seen.
// [Outside] is the far end of such traffic: a UDP socket beyond the server that
// answers, counts or sends.
//
// # Limitations
//
// MS-CHAPv2 and stateless MPPE-128 alone. Packets that are lost are not sent
// again, and there is no flow control: the rate is the caller's to choose.
package generator
