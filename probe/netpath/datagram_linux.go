package netpath

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// datagramPort is where no program listens; routers that show themselves to traceroute do so for datagrams to such ports.
const datagramPort = 33434

// datagrams sends a datagram to each address that lives for ttl hops, and returns who reports its end; invalid where nobody does.
func datagrams(ctx context.Context, ttl int, to ...netip.Addr) []netip.Addr {
	from := make([]netip.Addr, len(to))
	fds := make([]unix.PollFd, len(to))
	for i, address := range to {
		fds[i] = unix.PollFd{Fd: int32(send(address, ttl))}
	}
	end := time.Now().Add(leastAnswer)
	for left := len(to); left > 0 && ctx.Err() == nil && time.Now().Before(end); {
		if n, err := unix.Poll(fds, int(pollStep/time.Millisecond)); err != nil || n == 0 {
			continue
		}
		for i, p := range fds {
			if p.Fd < 0 || p.Revents == 0 {
				continue
			}
			if m, ok := readQueue(int(p.Fd)); ok && m.outcome() == Exceeded {
				from[i] = m.from
			}
			unix.Close(int(p.Fd))
			fds[i].Fd = -1
			left--
		}
	}
	for _, p := range fds {
		if p.Fd >= 0 {
			unix.Close(int(p.Fd))
		}
	}
	return from
}

// send sends one octet and returns the socket, -1 if that failed.
func send(to netip.Addr, ttl int) int {
	family, level, recvErr, hops := unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_TTL
	if to.Is6() {
		family, level, recvErr, hops = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_UNICAST_HOPS
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	for _, step := range []func() error{
		func() error { return unix.SetsockoptInt(fd, level, recvErr, 1) },
		func() error { return unix.SetsockoptInt(fd, level, hops, ttl) },
		func() error { return unix.Connect(fd, sockaddr(netip.AddrPortFrom(to, datagramPort))) },
		func() error { _, err := unix.Write(fd, []byte{0}); return err },
	} {
		if step() != nil {
			unix.Close(fd)
			return -1
		}
	}
	return fd
}
