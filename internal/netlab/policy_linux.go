package netlab

import (
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Verdict is what the router does with packets of a kind.
type Verdict uint8

// The verdicts. Reject answers with ICMP "prohibited by a filter" (code 13).
const (
	Pass Verdict = iota
	Drop
	Reject
)

func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Drop:
		return "drop"
	case Reject:
		return "reject"
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// A Policy is what goes wrong on the router between client and server. The zero
// Policy lets PPTP through.
type Policy struct {
	Control     Verdict // TCP port 1723 from the client
	GREToServer Verdict
	GREToClient Verdict
	Loss        float64 // of all between client and server, each way, at random: 0 to 1
}

// ErrNoLoss says that the kernel has nothing to lose packets at random with.
var ErrNoLoss = errors.New("netlab: the kernel has neither nft_numgen nor sch_netem: no loss at random")

// ErrNoNetem says that the kernel cannot delay packets.
var ErrNoNetem = errors.New("netlab: the kernel has no sch_netem")

const policyChain = "policy"

// SetPolicy has the router do that from now on, also with calls that stand.
func (l *Lab) SetPolicy(p Policy) error {
	if p.Loss < 0 || p.Loss > 1 {
		return fmt.Errorf("netlab: loss %g is not between 0 and 1", p.Loss)
	}
	if l.NAT == Routed {
		return l.setRoutedPolicy(p)
	}
	c, err := l.nftables()
	if err != nil {
		return err
	}
	t := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "netlab"}
	ch := &nftables.Chain{Name: policyChain, Table: t}
	c.FlushChain(ch)
	deny := func(v Verdict, parts ...[]expr.Any) {
		switch v {
		case Drop:
			parts = append(parts, verdict(expr.VerdictDrop))
		case Reject:
			parts = append(parts, []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: 13}})
		default:
			return
		}
		addRule(c, ch, parts...)
	}
	deny(p.Control, iif("wan"), tcpPort(pptpPort))
	deny(p.GREToServer, iif("wan"), protocol(unix.IPPROTO_GRE))
	deny(p.GREToClient, iif("lan"), protocol(unix.IPPROTO_GRE))
	if p.Loss > 0 {
		const of = 1 << 16
		below := uint32(math.Round(p.Loss * of))
		for _, match := range [][]expr.Any{append(iif("wan"), oif("lan")...), append(iif("lan"), oif("wan")...)} {
			deny(Drop, match, []expr.Any{
				&expr.Numgen{Register: 1, Modulus: of, Type: unix.NFT_NG_RANDOM},
				&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
				&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(below)},
			})
		}
	}
	if err := c.Flush(); err != nil {
		if p.Loss > 0 && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP)) {
			return ErrNoLoss
		}
		return fmt.Errorf("netlab: policy: %w", err)
	}
	return nil
}

// SetDelay delays what passes between client and router by d, each way; 0 ends
// it. ErrNoNetem where the kernel cannot.
func (l *Lab) SetDelay(d time.Duration) error {
	return l.setNetem(netlink.NetemQdiscAttrs{Latency: uint32(d.Microseconds()), Limit: 10000}, d == 0)
}

// setNetem gives both ends of the client's link a netem queue, or takes it away.
func (l *Lab) setNetem(attrs netlink.NetemQdiscAttrs, off bool) error {
	for _, end := range []struct {
		ns   *Namespace
		link string
	}{{l.Client, "eth0"}, {l.Router, "wan"}} {
		err := end.ns.Do(func() error {
			link, err := netlink.LinkByName(end.link)
			if err != nil {
				return err
			}
			q := netlink.NewNetem(netlink.QdiscAttrs{LinkIndex: link.Attrs().Index,
				Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}, attrs)
			if !off {
				return netlink.QdiscReplace(q)
			}
			if err := netlink.QdiscDel(q); !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
				return err
			}
			return nil // there was none
		})
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP):
			return ErrNoNetem
		case err != nil:
			return fmt.Errorf("netlab: netem on %s of %s: %w", end.link, end.ns.Name, err)
		}
	}
	return nil
}

// The routed lab, for kernels that cannot translate.

// The order of the routing rules: policy before what keeps the network closed,
// both before the main table's rule.
const (
	policyPriority = 100
	closedPriority = 200
)

// route puts the public address on the server and keeps the network closed by
// routing rules.
func (l *Lab) route() error {
	var t tasks
	t.do(l.Router, func() error {
		for _, r := range []netlink.Rule{
			{IifName: "wan", Dst: ipNet(ClosedNet)},
			{IifName: "net", Dst: ipNet(ClosedNet)},
			{IifName: "lan", Src: ipNet(ClosedNet)},
			{IifName: "net", Dst: ipNet(hostPrefix(PublicAddr))},
		} {
			// A drop, as the translating router's filter does.
			if err := addRoutingRule(r, closedPriority, unix.FR_ACT_BLACKHOLE); err != nil {
				return err
			}
		}
		return nil
	})
	t.address(l.Server, "lo", PublicAddr, 32)
	t.route(l.Router, hostPrefix(PublicAddr), ServerAddr)
	return t.err
}

func addRoutingRule(r netlink.Rule, priority int, action uint8) error {
	rule := netlink.NewRule()
	rule.Family = netlink.FAMILY_V4
	rule.IifName, rule.Src, rule.Dst = r.IifName, r.Src, r.Dst
	rule.IPProto, rule.Dport = r.IPProto, r.Dport
	rule.Priority, rule.Type = priority, action
	if err := netlink.RuleAdd(rule); err != nil {
		return fmt.Errorf("routing rule: %w", err)
	}
	return nil
}

func (l *Lab) setRoutedPolicy(p Policy) error {
	var t tasks
	t.do(l.Router, func() error {
		rules, err := netlink.RuleList(netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if r.Priority == policyPriority {
				if err := netlink.RuleDel(&r); err != nil {
					return err
				}
			}
		}
		deny := func(v Verdict, r netlink.Rule) error {
			switch v {
			case Drop:
				return addRoutingRule(r, policyPriority, unix.FR_ACT_BLACKHOLE)
			case Reject:
				return addRoutingRule(r, policyPriority, unix.FR_ACT_PROHIBIT)
			}
			return nil
		}
		return errors.Join(
			deny(p.Control, netlink.Rule{IifName: "wan", Dst: publicNet(), IPProto: unix.IPPROTO_TCP, Dport: netlink.NewRulePortRange(pptpPort, pptpPort)}),
			deny(p.GREToServer, netlink.Rule{IifName: "wan", Dst: publicNet(), IPProto: unix.IPPROTO_GRE}),
			deny(p.GREToClient, netlink.Rule{IifName: "lan", Src: publicNet(), IPProto: unix.IPPROTO_GRE}))
	})
	if t.err != nil {
		return t.err
	}
	err := l.setNetem(netlink.NetemQdiscAttrs{Loss: float32(p.Loss * 100), Limit: 10000}, p.Loss == 0)
	if errors.Is(err, ErrNoNetem) {
		return ErrNoLoss
	}
	return err
}

func publicNet() *net.IPNet { return ipNet(hostPrefix(PublicAddr)) }
