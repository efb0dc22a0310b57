// Command bench measures goppptp's data path and its rivals on this machine, in
// the same run, one after the other in each round: goodput, CPU time, packets a
// second, round trips, memory, time to connect. It writes bench.md, bench.svg and
// bench.json, which README.md beside this file explains.
//
//	sudo go run ./test/bench
//	sudo go run ./test/bench -quick
//	sudo go run ./test/bench -only goppptp,before -with before=./goppptp-of-last-week -measure tcp
//
// Everything happens in network namespaces that it makes and takes away. Linux
// and root only.
package main
