package ppp

import (
	"encoding/binary"
	"fmt"
	"strings"

	"goppptp/internal/ppp/auth"
)

// Describe puts a frame into one line for a log, much as pppd does:
//
//	LCP Configure-Request id=1 <mru 1400> <magic 0x86e0f350> <pcomp> <accomp>
//
// Secrets are left out: of authentication packets only code and length are
// told, of data only the length.
func Describe(frame []byte) string {
	p, info, err := ParseFrame(frame)
	if err != nil {
		return fmt.Sprintf("no frame: %x", clipTo(frame, 16))
	}
	switch p {
	case ProtocolLCP, ProtocolCCP, ProtocolIPCP, ProtocolIPV6CP:
	case ProtocolPAP, ProtocolCHAP, ProtocolEAP:
		return describeAuth(p, info)
	default:
		return fmt.Sprintf("%s, %d octets", p, len(info))
	}
	pkt, err := ParsePacket(info)
	if err != nil {
		return fmt.Sprintf("%s, malformed: %x", p, clipTo(info, 16))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s id=%d", p, pkt.Code, pkt.ID)
	switch pkt.Code {
	case ConfigureRequest, ConfigureAck, ConfigureNak, ConfigureReject:
		opts, err := ParseOptions(pkt.Data)
		if err != nil {
			fmt.Fprintf(&b, " malformed options: %x", clipTo(pkt.Data, 32))
			break
		}
		for _, o := range opts {
			b.WriteString(" <" + describeOption(p, o) + ">")
		}
	case TerminateRequest, TerminateAck:
		if len(pkt.Data) > 0 {
			fmt.Fprintf(&b, " %q", printable(pkt.Data))
		}
	case ProtocolReject:
		if len(pkt.Data) >= 2 {
			fmt.Fprintf(&b, " %s", Protocol(binary.BigEndian.Uint16(pkt.Data)))
		}
	case CodeReject:
		if len(pkt.Data) > 0 {
			fmt.Fprintf(&b, " %s", Code(pkt.Data[0]))
		}
	case EchoRequest, EchoReply, DiscardRequest, Identification, TimeRemaining:
		if len(pkt.Data) >= 4 {
			fmt.Fprintf(&b, " magic=0x%08x", binary.BigEndian.Uint32(pkt.Data))
			if pkt.Code == Identification {
				fmt.Fprintf(&b, " %q", printable(pkt.Data[4:]))
			}
		}
	}
	return b.String()
}

func clipTo(b []byte, n int) []byte { return b[:min(len(b), n)] }

func describeAuth(p Protocol, info []byte) string {
	names := []string{"?", "Challenge", "Response", "Success", "Failure", "?", "?", "Change-Password"}
	switch p {
	case ProtocolPAP:
		names = []string{"?", "Authenticate-Request", "Authenticate-Ack", "Authenticate-Nak"}
	case ProtocolEAP:
		names = []string{"?", "Request", "Response", "Success", "Failure"}
	}
	pkt, err := ParsePacket(info)
	if err != nil {
		return fmt.Sprintf("%s, malformed, %d octets", p, len(info))
	}
	name := fmt.Sprintf("code %d", byte(pkt.Code))
	if int(pkt.Code) < len(names) && names[pkt.Code] != "?" {
		name = names[pkt.Code]
	}
	return fmt.Sprintf("%s %s id=%d, %d octets", p, name, pkt.ID, len(pkt.Data))
}

// describeOption puts an option into words, with pppd's names.
func describeOption(p Protocol, o Option) string {
	v16, is16 := o.uint16()
	v32, is32 := o.uint32()
	addr, _ := o.addr()
	switch {
	case p == ProtocolLCP && o.Type == OptionMRU && is16:
		return fmt.Sprintf("mru %d", v16)
	case p == ProtocolLCP && o.Type == OptionACCM && is32:
		return fmt.Sprintf("asyncmap %#x", v32)
	case p == ProtocolLCP && o.Type == OptionAuth:
		if m, ok := auth.MethodFromOption(o.Value); ok {
			return "auth " + m.String()
		}
		return fmt.Sprintf("auth %x", o.Value)
	case p == ProtocolLCP && o.Type == OptionMagic && is32:
		return fmt.Sprintf("magic 0x%08x", v32)
	case p == ProtocolLCP && o.Type == OptionPFC && len(o.Value) == 0:
		return "pcomp"
	case p == ProtocolLCP && o.Type == OptionACFC && len(o.Value) == 0:
		return "accomp"
	case p == ProtocolCCP && o.Type == OptionMPPE && is32:
		return describeMPPE(v32)
	case p == ProtocolIPCP && o.Type == OptionIPAddress && is32:
		return "addr " + addr.String()
	case p == ProtocolIPCP && o.Type == OptionPrimaryDNS && is32:
		return "dns1 " + addr.String()
	case p == ProtocolIPCP && o.Type == OptionSecondaryDNS && is32:
		return "dns2 " + addr.String()
	case p == ProtocolIPCP && o.Type == OptionPrimaryWINS && is32:
		return "wins1 " + addr.String()
	case p == ProtocolIPCP && o.Type == OptionSecondaryWINS && is32:
		return "wins2 " + addr.String()
	case p == ProtocolIPCP && o.Type == OptionIPCompression:
		return fmt.Sprintf("compress %x", o.Value)
	case p == ProtocolIPV6CP && o.Type == OptionInterfaceID && len(o.Value) == 8:
		return fmt.Sprintf("id %x", o.Value)
	}
	return strings.TrimSpace(fmt.Sprintf("option %d %x", o.Type, o.Value))
}

// describeMPPE lists the bits with RFC 3078's letters.
func describeMPPE(v uint32) string {
	var b strings.Builder
	b.WriteString("mppe")
	for _, f := range []struct {
		bit  uint32
		name string
	}{{0x01000000, "H"}, {0x80, "M"}, {0x40, "S"}, {0x20, "L"}, {0x10, "D"}, {0x01, "C"}} {
		sign := "-"
		if v&f.bit != 0 {
			sign = "+"
			v &^= f.bit
		}
		b.WriteString(" " + sign + f.name)
	}
	if v != 0 {
		fmt.Fprintf(&b, " +%#x", v)
	}
	return b.String()
}
