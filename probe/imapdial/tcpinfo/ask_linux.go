package tcpinfo

import (
	"syscall"
	"time"

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
			Acked:       t.Bytes_acked,
			Received:    t.Bytes_received,
			InFlight:    t.Unacked,
			Retransmits: t.Total_retrans,
			OutOfOrder:  t.Rcv_ooopack,
			PathMTU:     int(t.Pmtu),
			SendMSS:     int(t.Snd_mss),
			ReceiveMSS:  int(t.Rcv_mss),
			OfferedMSS:  int(t.Advmss) + timestamps(t),
			RTT:         time.Duration(t.Rtt) * time.Microsecond,
			Quiet:       time.Duration(t.Last_data_recv) * time.Millisecond,
		}
	})
	return info
}

// timestamps returns how many octets Linux takes off the MSS that it offered once both sides use time stamps (RFC 7323 section 3.2).
func timestamps(t *unix.TCPInfo) int {
	if t.Options&optionTimestamps == 0 {
		return 0
	}
	return 12
}

const optionTimestamps = 1 // TCPI_OPT_TIMESTAMPS in linux/tcp.h
