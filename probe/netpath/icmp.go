package netpath

import "fmt"

// exceeded reports whether a message says that a packet's life was over in transit: RFC 792 type 11 code 0, RFC 4443 type 3 code 0.
func exceeded(six bool, kind, code uint8) bool {
	if six {
		return kind == 3 && code == 0
	}
	return kind == 11 && code == 0
}

// A Refusal is what an ICMP message that a packet cannot be delivered comes down to.
type Refusal uint8

// The refusals.
const (
	NoNetwork  Refusal = iota + 1 // no route to the network
	NoHost                        // the host does not answer in its network
	NoPort                        // the port, or the protocol, is said to be closed
	Prohibited                    // a rule forbids it
)

// refusals4 are the codes of RFC 792 type 3, RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1.
var refusals4 = []Refusal{
	0: NoNetwork, 1: NoHost, 2: NoPort, 3: NoPort, 4: NoNetwork, 5: NoNetwork, 6: NoNetwork, 7: NoHost, 8: NoHost,
	9: Prohibited, 10: Prohibited, 11: NoNetwork, 12: NoHost, 13: Prohibited, 14: Prohibited, 15: Prohibited,
}

// refusals6 are the codes of RFC 4443 section 3.1 type 1.
var refusals6 = []Refusal{0: NoNetwork, 1: Prohibited, 2: NoNetwork, 3: NoHost, 4: NoPort, 5: Prohibited, 6: Prohibited}

// Refusal says what an Unreachable try was told; 0 when no message came with it or its code is unknown.
func (t Try) Refusal() Refusal {
	table, kind := refusals4, uint8(3)
	if t.From.Is6() {
		table, kind = refusals6, 1
	}
	if t.Outcome != Unreachable || !t.From.IsValid() || t.Type != kind || int(t.Code) >= len(table) {
		return 0
	}
	return table[t.Code]
}

// ICMP names the message as type/code: "icmp 3/13", "icmpv6 1/1"; "" without one.
func (t Try) ICMP() string {
	switch {
	case !t.From.IsValid():
		return ""
	case t.From.Is6():
		return fmt.Sprintf("icmpv6 %d/%d", t.Type, t.Code)
	}
	return fmt.Sprintf("icmp %d/%d", t.Type, t.Code)
}
