// Package netpath finds out which device on the way to a server acts on a connection, without privileges: it opens TCP connections
// whose packets live for a few hops only and reads from the socket's error queue who reported their end; it compares the port with
// others; and it keeps apart what is known, what is likely, and what cannot be told from here.
//
// It works on Linux. Elsewhere a [Survey] has the comparison of ports alone, and its Err is [ErrUnavailable].
//
// The sockets of this package are for looking at the path, and none of them carries mail: with IP_RECVERR a passing trouble on the way
// ends a connection.
package netpath

import (
	"errors"
	"net/netip"
	"time"
)

// ErrUnavailable says that this system does not let a program see the hops of a path.
var ErrUnavailable = errors.New("which hop acts is not available here")

// An Outcome is what became of one try to open a TCP connection.
type Outcome uint8

// The outcomes.
const (
	Silent      Outcome = iota // nothing came back in time
	Connected                  // SYN and ACK came back
	Refused                    // RST came back: from the host, or in its name
	Unreachable                // ICMP says that it cannot be delivered: From, Type and Code tell who and why
	Exceeded                   // a router reports that the packet lived too short: From (RFC 792 type 11, RFC 4443 type 3)
	Local                      // this computer refused before it sent anything: Err
)

// A Try is one attempt to open a TCP connection.
type Try struct {
	TTL     int // of the packets (IPv4 time to live, IPv6 hop limit); 0: the system's own
	Outcome Outcome
	From    netip.Addr    // who sent the ICMP message; invalid when there was none, or the system does not tell
	Type    uint8         // of the ICMP or ICMPv6 message
	Code    uint8         // likewise
	Err     error         // the system's error, nil when Silent or Connected
	Took    time.Duration // until the outcome; a Silent one took as long as it was waited for
}

// answered reports whether the packet got an answer that ends the path: anything but silence and the end of its life.
func (t Try) answered() bool { return t.Outcome != Silent && t.Outcome != Exceeded }

// A Hop is a device on the way.
type Hop struct {
	TTL     int
	Address netip.Addr    // invalid: it does not answer
	RTT     time.Duration // 0: not known
}

// A Trace is the path to a port as TCP connections saw it whose packets lived for 1, 2, 3 … hops.
type Trace struct {
	To    netip.AddrPort
	Tries []Try // ordered by TTL, at most one for each; those beyond the end of the path are left out

	opened int // connections that it took
}

// End returns the try with the smallest TTL that was answered by more than the end of its life. It reports false when none was.
func (t *Trace) End() (Try, bool) {
	for _, try := range t.Tries {
		if try.answered() {
			return try, true
		}
	}
	return Try{}, false
}

// Last returns the last router that was seen before the end of the path.
func (t *Trace) Last() (Hop, bool) {
	var last Hop
	for _, try := range t.Tries {
		if try.answered() {
			break
		}
		if try.Outcome == Exceeded {
			last = Hop{try.TTL, try.From, try.Took}
		}
	}
	return last, last.TTL != 0
}

// At returns the try with a TTL.
func (t *Trace) At(ttl int) (Try, bool) {
	for _, try := range t.Tries {
		if try.TTL == ttl {
			return try, true
		}
	}
	return Try{}, false
}

// Hops returns the devices up to the last that was seen. What ends the path is among them, under the address that the packets were for, if
// it answered for that address.
func (t *Trace) Hops() []Hop {
	var hops []Hop
	seen := 0
	for _, try := range t.Tries {
		hop := Hop{TTL: try.TTL}
		switch try.Outcome {
		case Exceeded:
			hop.Address, hop.RTT = try.From, try.Took
		case Connected, Refused:
			hop.Address, hop.RTT = t.To.Addr(), try.Took
		case Unreachable:
			return hops[:seen]
		}
		hops = append(hops, hop)
		if hop.Address.IsValid() {
			seen = len(hops)
		}
		if try.answered() {
			break
		}
	}
	return hops[:seen]
}
