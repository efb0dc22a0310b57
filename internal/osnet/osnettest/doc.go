// Package osnettest is internal/osnet in memory: GRE sockets on a network of
// the test's own, with named filters that lose, double, swap and spoil packets,
// and a TUN whose host side is two channels.
//
// There is no I/O in it, and all waiting is on channels and timers, so it works
// in a testing/synctest bubble; make its values inside the bubble.
//
//	client, server := osnettest.Pair()
//	client.Filter(osnettest.LoseEvery(7))          // of what the client sends
//	tun := osnettest.NewTUN(osnet.TUNConfig{Name: "ppp0"})
//	tun.Inject(packet)                             // the host sends: Read returns it
//	got := <-tun.Received()                        // the tunnel wrote it
package osnettest
