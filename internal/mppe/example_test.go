package mppe_test

import (
	"fmt"

	"goppptp/internal/mppe"
)

func Example() {
	key := [16]byte{1, 2, 3} // of mschap.StartKeysV2: one side's send key is the other's receive key
	sealer, opener := mppe.NewSealer(key, mppe.Bits128, false), mppe.NewOpener(key, mppe.Bits128, false)

	first := append(make([]byte, mppe.Overhead), "!E first"...)
	second := append(make([]byte, mppe.Overhead), "!E second"...)
	sealer.SealBatch([][]byte{first, second})
	fmt.Printf("%x %x\n", first[:2], second[:2])

	// The second packet comes first, the first one late, and then again.
	for _, p := range []struct {
		packet []byte
		seq    uint32
	}{{second, 11}, {append([]byte(nil), first...), 10}, {first, 10}} {
		plain, err := opener.Open(p.packet, p.seq)
		fmt.Printf("%s %v\n", plain, err)
	}
	// Output:
	// 9000 9001
	// !E second <nil>
	// !E first <nil>
	//  mppe: packet is too old, or opened already
}
