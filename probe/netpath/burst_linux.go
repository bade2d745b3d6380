package netpath

import (
	"context"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A socket is a connection that is being opened.
type socket struct {
	fd      int
	to      netip.AddrPort
	try     Try
	started time.Time
	done    bool
}

// The kernel sends a SYN again after 1 s and then after 2 s more, and gives up when twice the last wait is over: after 3 s, or 7.
const (
	synRetries        = 1
	patientSYNRetries = 2
)

// pollStep is how long the kernel is asked at a time, so that the end of a context is seen soon.
const pollStep = 20 * time.Millisecond

// dial starts to open a connection whose packets live for ttl hops, 0 for as many as usual. SYN is sent at once, and again after a second.
// Port, if not 0, is the local one. The caller closes the socket.
func dial(to netip.AddrPort, ttl int, port uint16) *socket {
	s := &socket{fd: -1, to: to, try: Try{TTL: ttl}, started: time.Now()}
	var err error
	if s.fd, err = open(to.Addr(), ttl, port); err == nil {
		err = unix.Connect(s.fd, sockaddr(to))
	}
	switch err {
	case unix.EINPROGRESS:
	case nil:
		s.end(Connected, nil)
	default: // before any packet was sent
		s.end(Local, os.NewSyscallError("connect", err))
	}
	return s
}

// patiently lets a try wait for more than 3 s.
func (s *socket) patiently() {
	if s.fd >= 0 {
		unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, patientSYNRetries)
	}
}

// open makes a socket that keeps the ICMP messages which its packets bring about.
func open(to netip.Addr, ttl int, port uint16) (int, error) {
	family, level, recvErr, hops := unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_TTL
	local := netip.IPv4Unspecified()
	if to.Is6() {
		family, level, recvErr, hops = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_UNICAST_HOPS
		local = netip.IPv6Unspecified()
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	options := [][3]int{{level, recvErr, 1}, {unix.IPPROTO_TCP, unix.TCP_SYNCNT, synRetries}}
	if ttl > 0 {
		options = append(options, [3]int{level, hops, ttl})
	}
	if port != 0 {
		options = append(options, [3]int{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1})
	}
	for _, o := range options {
		if err == nil {
			err = unix.SetsockoptInt(fd, o[0], o[1], o[2])
		}
	}
	if err == nil {
		// Closing sends RST: no port of ours stays occupied, and no FIN is sent that would not arrive.
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if err == nil && port != 0 {
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, port)))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

func (s *socket) end(o Outcome, err error) {
	s.try.Outcome, s.try.Err, s.try.Took, s.done = o, err, time.Since(s.started), true
}

func (s *socket) close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// localPort is the port that the kernel chose; 0 when it cannot be told.
func (s *socket) localPort() uint16 {
	switch a, _ := unix.Getsockname(s.fd); a := a.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port)
	case *unix.SockaddrInet6:
		return uint16(a.Port)
	}
	return 0
}

// wait waits until something happens at one of the sockets, at most for limit, and takes it in.
func wait(sockets []*socket, limit time.Duration) {
	var polled []unix.PollFd
	var of []*socket
	for _, s := range sockets {
		if !s.done {
			polled, of = append(polled, unix.PollFd{Fd: int32(s.fd), Events: unix.POLLOUT}), append(of, s)
		}
	}
	if len(polled) == 0 {
		return
	}
	if n, err := unix.Poll(polled, max(1, int(limit/time.Millisecond))); err != nil || n == 0 {
		return // interrupted, or nothing: the caller comes again
	}
	for i, p := range polled {
		if p.Revents != 0 {
			of[i].take()
		}
	}
}

// take reads what happened to a socket: first the queue of ICMP messages, then the error of the connection.
func (s *socket) take() {
	m, queued := readQueue(s.fd)
	number, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	errno := unix.Errno(number)
	switch {
	case err != nil:
		s.end(Local, os.NewSyscallError("getsockopt", err))
	case queued:
		s.try.From, s.try.Type, s.try.Code = m.from, m.kind, m.code
		s.end(m.outcome(), os.NewSyscallError("connect", m.err))
	case errno == unix.ECONNREFUSED, errno == unix.ECONNRESET:
		s.end(Refused, os.NewSyscallError("connect", errno))
	case errno == unix.ETIMEDOUT:
		s.end(Silent, nil)
	case errno != 0: // an ICMP message that the queue does not have
		s.end(Unreachable, os.NewSyscallError("connect", errno))
	default:
		s.end(Connected, nil)
	}
}

// alone makes one try and waits for it.
func alone(ctx context.Context, to netip.AddrPort, ttl int, port uint16, limit time.Duration) Try {
	s := dial(to, ttl, port)
	defer s.close()
	waitAll(ctx, []*socket{s}, limit)
	return s.try
}

// waitAll waits until all sockets are done, limit is over, or ctx ends.
func waitAll(ctx context.Context, sockets []*socket, limit time.Duration) {
	end := time.Now().Add(limit)
	for ctx.Err() == nil && time.Now().Before(end) {
		open := false
		for _, s := range sockets {
			open = open || !s.done
		}
		if !open {
			return
		}
		wait(sockets, min(pollStep, time.Until(end)))
	}
	for _, s := range sockets {
		if !s.done {
			s.try.Took = time.Since(s.started)
		}
	}
}
