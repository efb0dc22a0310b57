// Package routing decides and installs the routes of a PPTP session, and
// nothing but those.
//
// The work is cut in two. [NewPlan] is pure: from what is wanted (a [Config])
// and what the kernel has (a [State]) it makes a list of operations in the
// syntax of ip(8) and a list of findings for the user. [Netlink], an
// [Applier], executes such plans: it adds before it deletes, undoes what it did
// when one operation fails, and keeps a journal of what it owns, from which
// [Repair] cleans up after a process that was killed.
//
// A [Watcher] tells when the kernel's state changes, [WatchSleep] when the
// machine has slept; setting the same Config again then moves the route to the
// gateway, and puts back what somebody else has deleted.
//
// Every route made here carries the route protocol number [Protocol]; a route
// that does not is never touched. See the comment of [NewPlan] for the exact
// table that results.
package routing
