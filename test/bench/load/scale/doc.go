// Package scale measures what many sessions cost one server: `goppptp serve`, in
// a network namespace of its own, with package generator's sessions at the other
// end of a cable.
//
//	r, err := scale.Start(ctx, scale.Options{Program: program, Dir: dir, Clients: 1000})
//	defer r.Close()
//	err = r.Prepare(ctx)
//	up, err := r.Up(ctx, 1000)
//	memory, err := r.Memory(ctx, 3*time.Second)
//	cost, err := r.Cost(ctx, scale.Traffic{Packets: 20000, Rate: 10000, Size: 1000, Train: 16, Spread: true})
//	ended, rate := r.Down(ctx)
//
// # How memory is counted
//
// User memory is the server's VmRSS, when it no longer changes, less what it was
// before the first session. What a session costs the machine is the fall of
// MemAvailable over the same time, less what the generator itself took: its own
// resident memory, and its ends of the control connections, whose cost [TCPCost]
// measures by opening connections alone. Who else uses the machine meanwhile shows
// in MemAvailable too; so the kernel's own accounts (slab, page tables, stacks,
// per-CPU memory) are given beside it, which others disturb less.
package scale
