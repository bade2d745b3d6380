// Package tcpinfo asks the kernel what it knows of a TCP connection, as long as that is open. Only the sender's kernel can tell silence of
// the other side's program, which has the data, from a path on which they got lost.
package tcpinfo

import (
	"net"
	"syscall"
	"time"
)

// Info is what the kernel knows of a connection at one moment. The zero value is that of a connection of which nothing is known.
type Info struct {
	// Known tells that the rest was filled in: it is false where the system has no such call. For a connection through a proxy the
	// rest is about the way to the proxy alone.
	Known   bool
	Pending bool // the other side's kernel has not acknowledged all that was written

	Acked       uint64 // octets that the other side's kernel acknowledged; the SYN of a connection that was opened here counts as one
	Received    uint64 // octets that came in, in order
	InFlight    uint32 // segments that are sent and not acknowledged
	Retransmits uint32 // segments that were sent again, over the whole connection
	OutOfOrder  uint32 // segments that came while an earlier one was missing

	PathMTU    int // octets of the largest IP packet that this side sends there
	SendMSS    int // octets of data in the largest segment that this side sends: TCP options are taken off
	ReceiveMSS int // an estimate of the largest segment that comes in
	// OfferedMSS is what this side announced in its SYN: the largest segment it takes, TCP options included (RFC 9293 section 3.7.1).
	OfferedMSS int

	RTT   time.Duration // smoothed; 0 before the first measurement
	Quiet time.Duration // since the last octet came in, or since the connection was opened
}

// Of returns what is known of conn, or of the connection below it.
func Of(conn net.Conn) Info {
	raw := below(conn)
	if raw == nil {
		return Info{}
	}
	return ask(raw)
}

// below returns the socket under conn, or nil.
func below(conn net.Conn) syscall.RawConn {
	for {
		switch c := conn.(type) {
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
