// Package uml runs a program as root in a User-Mode Linux guest.
//
// The guest's kernel is a process of the host and brings what the host's may
// lack: PPP, MPPE, GRE, TUN, veth, netem, netfilter. Its root is the host's own
// file system, read-only, with memory laid over it, so every program installed
// on the host is there, and what is written vanishes when the guest ends; one
// folder, [Exchange], is the host's [Config].Dir and keeps what is put into it.
// It has no network but what the program makes, one CPU, and the host's clock.
//
// The same binary serves both sides: [Run] on the host boots it as process 1,
// where it must call [Init] before anything else.
//
//	func TestMain(m *testing.M) {
//		uml.Init() // returns unless this is process 1 of a guest
//		os.Exit(m.Run())
//	}
//
// # Limitations
//
// System calls take some 20 µs and programs start slowly, so a run should be
// one boot (four seconds) with many scenarios. Figures of speed from a guest
// mean something only beside others of the same run.
package uml
