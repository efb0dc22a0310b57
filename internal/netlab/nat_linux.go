package netlab

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const pptpPort = 1723

// translate has the router translate and filter. All of it goes to the kernel in
// one transaction: done or not done.
func (l *Lab) translate() error {
	c, err := l.nftables()
	if err != nil {
		return err
	}
	t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "netlab"})
	chain := func(name string, typ nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority, policy nftables.ChainPolicy) func(...[]expr.Any) {
		ch := c.AddChain(&nftables.Chain{Name: name, Table: t, Type: typ, Hooknum: hook,
			Priority: nftables.ChainPriorityRef(priority), Policy: &policy})
		return func(parts ...[]expr.Any) { addRule(c, ch, parts...) }
	}
	pre := chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest, nftables.ChainPolicyAccept)
	for _, what := range [][]expr.Any{tcpPort(pptpPort), protocol(unix.IPPROTO_GRE)} {
		pre(iif("wan"), to(hostPrefix(PublicAddr)), what, nat(expr.NATTypeDestNAT, ServerAddr))
	}
	post := chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource, nftables.ChainPolicyAccept)
	post(oif("wan"), from(hostPrefix(ServerAddr)), nat(expr.NATTypeSourceNAT, PublicAddr))

	// SetPolicy fills this one.
	chain(policyChain, nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter-10, nftables.ChainPolicyAccept)

	forward := chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter, nftables.ChainPolicyDrop)
	forward(ctMask(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), verdict(expr.VerdictAccept))
	// Sent to the public address; what was sent to the server's own is not let in.
	forward(iif("wan"), oif("lan"), ctMask(expr.CtKeySTATUS, ctStatusDNAT), verdict(expr.VerdictAccept))
	forward(iif("lan"), oif("wan"), from(hostPrefix(ServerAddr)), protocol(unix.IPPROTO_GRE), verdict(expr.VerdictAccept))
	forward(iif("wan"), oif("net"), verdict(expr.VerdictAccept))

	input := chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, *nftables.ChainPriorityFilter, nftables.ChainPolicyAccept)
	input(iif("wan"), to(ClosedNet), verdict(expr.VerdictDrop))

	if err := c.Flush(); err != nil {
		return fmt.Errorf("netlab: address translation: %w", err)
	}
	return nil
}

func (l *Lab) nftables() (*nftables.Conn, error) {
	c, err := nftables.New(nftables.WithNetNSFd(int(l.Router.file.Fd())))
	if err != nil {
		return nil, fmt.Errorf("netlab: nf_tables: %w", err)
	}
	return c, nil
}

func addRule(c *nftables.Conn, ch *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	c.AddRule(&nftables.Rule{Table: ch.Table, Chain: ch, Exprs: all})
}

// The parts of a rule; all use register 1.

func ifname(key expr.MetaKey, name string) []expr.Any {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: b}}
}

func iif(name string) []expr.Any { return ifname(expr.MetaKeyIIFNAME, name) }
func oif(name string) []expr.Any { return ifname(expr.MetaKeyOIFNAME, name) }

// header compares octets of the network header under a mask.
func header(offset uint32, mask, value []byte) []expr.Any {
	n := uint32(len(value))
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: n},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: n, Mask: mask, Xor: make([]byte, n)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value},
	}
}

func from(p netip.Prefix) []expr.Any { return header(12, ipNet(p).Mask, p.Masked().Addr().AsSlice()) }
func to(p netip.Prefix) []expr.Any   { return header(16, ipNet(p).Mask, p.Masked().Addr().AsSlice()) }

func protocol(p byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{p}}}
}

func tcpPort(port uint16) []expr.Any {
	return append(protocol(unix.IPPROTO_TCP),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)})
}

const ctStatusDNAT = 1 << 5 // IPS_DST_NAT

// ctMask tells whether any of these bits is set.
func ctMask(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{&expr.Ct{Key: key, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)}}
}

func nat(typ expr.NATType, addr netip.Addr) []expr.Any {
	return []expr.Any{&expr.Immediate{Register: 1, Data: addr.AsSlice()},
		&expr.NAT{Type: typ, Family: unix.NFPROTO_IPV4, RegAddrMin: 1}}
}

func verdict(k expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: k}} }
