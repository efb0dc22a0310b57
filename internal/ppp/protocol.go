package ppp

import "fmt"

// Protocol is a PPP protocol number (RFC 1661, Section 2).
type Protocol uint16

// The protocols this package knows by name.
const (
	ProtocolIP     Protocol = 0x0021
	ProtocolIPv6   Protocol = 0x0057
	ProtocolMPPE   Protocol = 0x00fd // "compressed datagram" of RFC 1962
	ProtocolIPCP   Protocol = 0x8021
	ProtocolIPV6CP Protocol = 0x8057
	ProtocolCCP    Protocol = 0x80fd
	ProtocolLCP    Protocol = 0xc021
	ProtocolPAP    Protocol = 0xc023
	ProtocolCHAP   Protocol = 0xc223
	ProtocolEAP    Protocol = 0xc227
)

// String gives the usual name, or the number in hexadecimal.
func (p Protocol) String() string {
	switch p {
	case ProtocolIP:
		return "IP"
	case ProtocolIPv6:
		return "IPv6"
	case ProtocolMPPE:
		return "MPPE"
	case ProtocolIPCP:
		return "IPCP"
	case ProtocolIPV6CP:
		return "IPV6CP"
	case ProtocolCCP:
		return "CCP"
	case ProtocolLCP:
		return "LCP"
	case ProtocolPAP:
		return "PAP"
	case ProtocolCHAP:
		return "CHAP"
	case ProtocolEAP:
		return "EAP"
	}
	return fmt.Sprintf("protocol %#04x", uint16(p))
}

// Code tells the packets of LCP, CCP, IPCP and IPV6CP apart (RFC 1661, Section
// 5; 1570; 1962, Section 3).
type Code byte

// The first seven are common to all; Protocol-Reject to Time-Remaining are
// LCP's, the resets CCP's.
const (
	ConfigureRequest Code = 1
	ConfigureAck     Code = 2
	ConfigureNak     Code = 3
	ConfigureReject  Code = 4
	TerminateRequest Code = 5
	TerminateAck     Code = 6
	CodeReject       Code = 7
	ProtocolReject   Code = 8
	EchoRequest      Code = 9
	EchoReply        Code = 10
	DiscardRequest   Code = 11
	Identification   Code = 12
	TimeRemaining    Code = 13
	ResetRequest     Code = 14
	ResetAck         Code = 15
)

var codeNames = [...]string{
	ConfigureRequest: "Configure-Request",
	ConfigureAck:     "Configure-Ack",
	ConfigureNak:     "Configure-Nak",
	ConfigureReject:  "Configure-Reject",
	TerminateRequest: "Terminate-Request",
	TerminateAck:     "Terminate-Ack",
	CodeReject:       "Code-Reject",
	ProtocolReject:   "Protocol-Reject",
	EchoRequest:      "Echo-Request",
	EchoReply:        "Echo-Reply",
	DiscardRequest:   "Discard-Request",
	Identification:   "Identification",
	TimeRemaining:    "Time-Remaining",
	ResetRequest:     "Reset-Request",
	ResetAck:         "Reset-Ack",
}

// String gives the name the RFCs use.
func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", byte(c))
}

// Option types of LCP (RFC 1661, Section 6; 1662, Section 7; 1570).
const (
	OptionMRU      byte = 1
	OptionACCM     byte = 2
	OptionAuth     byte = 3
	OptionMagic    byte = 5
	OptionPFC      byte = 7
	OptionACFC     byte = 8
	OptionCallback byte = 13
)

// Option types of CCP (RFC 3078, Section 2).
const OptionMPPE byte = 18

// Option types of IPCP (RFC 1332, Section 3; 1877).
const (
	OptionIPAddresses   byte = 1 // deprecated
	OptionIPCompression byte = 2 // Van Jacobson's
	OptionIPAddress     byte = 3
	OptionPrimaryDNS    byte = 129
	OptionPrimaryWINS   byte = 130
	OptionSecondaryDNS  byte = 131
	OptionSecondaryWINS byte = 132
)

// Option types of IPV6CP (RFC 5072, Section 4).
const OptionInterfaceID byte = 1
