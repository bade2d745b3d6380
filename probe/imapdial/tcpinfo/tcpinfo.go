// Package tcpinfo asks the kernel what it knows of a TCP connection, as long as that is open. Only the sender's kernel can tell silence of
// the other side's program, which has the data, from a path on which they got lost.
package tcpinfo

import (
	"net"
	"syscall"
)

// Info is what the kernel knows of a connection at one moment. The zero value is that of a connection of which nothing is known.
type Info struct {
	// Known tells that the rest was filled in: it is false where the system has no such call, and for connections through a proxy, of
	// which the kernel knows only the part up to there.
	Known       bool
	Pending     bool   // the other side's kernel has not acknowledged all that was written
	Received    uint64 // octets that came in
	Retransmits uint32 // segments that were sent again
}

// Of returns what is known of conn, or of the connection below it.
func Of(conn net.Conn) Info {
	for {
		switch c := conn.(type) {
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return Info{}
			}
			return ask(raw)
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return Info{}
		}
	}
}
