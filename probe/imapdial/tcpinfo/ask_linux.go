package tcpinfo

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func ask(raw syscall.RawConn) Info {
	var info Info
	raw.Control(func(fd uintptr) { // an error leaves info unknown
		t, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		info = Info{
			Known:       true,
			Pending:     t.Unacked > 0 || t.Notsent_bytes > 0,
			Received:    t.Bytes_received,
			Retransmits: t.Total_retrans,
		}
	})
	return info
}
