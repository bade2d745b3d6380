package netpath

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// live makes the packets of a connection live for ttl hops, and lets their end be heard; 0 undoes both. What is to be acknowledged yet is acknowledged
// before: that packet's end says nothing.
func live(raw syscall.RawConn, ttl int) error {
	hear := 1
	if ttl == 0 {
		ttl, hear = -1, 0
	}
	var err error
	controlErr := raw.Control(func(fd uintptr) {
		level, recvErr, hops := unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_TTL
		if domain, e := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN); e == nil && domain == unix.AF_INET6 && !mapped(int(fd)) {
			level, recvErr, hops = unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_UNICAST_HOPS
		}
		if err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1); err != nil {
			return
		}
		if err = unix.SetsockoptInt(int(fd), level, recvErr, hear); err == nil {
			err = unix.SetsockoptInt(int(fd), level, hops, ttl)
		}
	})
	if controlErr != nil {
		return controlErr
	}
	return err
}

// mapped reports whether an IPv6 socket carries IPv4.
func mapped(fd int) bool {
	peer, err := unix.Getpeername(fd)
	a, ok := peer.(*unix.SockaddrInet6)
	return err == nil && ok && [12]byte(a.Addr[:12]) == [12]byte{10: 0xff, 11: 0xff}
}
