package netpath

import (
	"context"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// DialMSS returns a dialer whose connections carry at most mss octets in a segment, TCP options included, in both directions: the SYN
// announces it to the other side (RFC 9293 section 3.7.1). The IP packets have up to mss + 40 octets, and with IPv6 mss + 60. Linux takes
// from 88 to 32767, and never exceeds what the route's MTU permits. The error is nil, elsewhere [ErrUnavailable].
func DialMSS(mss int) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, mss) }); e != nil {
			return e
		}
		return err
	}}
	return d.DialContext, nil
}
