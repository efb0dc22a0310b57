package pptp

import "fmt"

// Cause is the Cause Code of an Outgoing-Call-Reply or a Call-Disconnect-Notify. On ISDN it is a Q.931 cause; servers
// without telephone lines send 0.
type Cause uint16

var causeNames = map[Cause]string{
	1:   "unallocated number",
	2:   "no route to transit network",
	3:   "no route to destination",
	6:   "channel unacceptable",
	7:   "call awarded in an established channel",
	16:  "normal clearing",
	17:  "user busy",
	18:  "no user responding",
	19:  "no answer from user",
	21:  "call rejected",
	22:  "number changed",
	26:  "non-selected user clearing",
	27:  "destination out of order",
	28:  "invalid number format",
	29:  "facility rejected",
	30:  "response to status enquiry",
	31:  "normal, unspecified",
	34:  "no circuit available",
	38:  "network out of order",
	41:  "temporary failure",
	42:  "switching equipment congestion",
	43:  "access information discarded",
	44:  "requested circuit not available",
	47:  "resource unavailable",
	49:  "quality of service unavailable",
	50:  "requested facility not subscribed",
	57:  "bearer capability not authorized",
	58:  "bearer capability not available",
	63:  "service not available",
	65:  "bearer capability not implemented",
	66:  "channel type not implemented",
	69:  "requested facility not implemented",
	70:  "only restricted digital information available",
	79:  "service not implemented",
	81:  "invalid call reference",
	82:  "channel does not exist",
	83:  "suspended call exists, this identity does not",
	84:  "call identity in use",
	85:  "no call suspended",
	86:  "call cleared",
	88:  "incompatible destination",
	91:  "invalid transit network",
	95:  "invalid message",
	96:  "mandatory element missing",
	97:  "message type not implemented",
	98:  "message not compatible with call state",
	99:  "element not implemented",
	100: "invalid element contents",
	101: "message not compatible with call state",
	102: "recovery on timer expiry",
	111: "protocol error",
	127: "interworking",
}

func (c Cause) String() string {
	if s, ok := causeNames[c]; ok {
		return s
	}
	return fmt.Sprintf("cause %d", uint16(c))
}
