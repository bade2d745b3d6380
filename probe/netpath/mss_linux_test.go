package netpath

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// TestSegmentsAreSmallBothWays lets much be carried and asks both kernels how large the segments were.
func TestSegmentsAreSmallBothWays(t *testing.T) {
	for _, tt := range []struct {
		address string
		mss     int
	}{{"127.0.0.1:0", 536}, {"127.0.0.1:0", 1360}, {"[::1]:0", 1220}} {
		l, err := net.Listen("tcp", tt.address)
		if err != nil {
			realserver.Missing(t, "ipv6", fmt.Sprintf("no address of this family: %v", err))
		}
		defer l.Close()
		dial, err := DialMSS(tt.mss)
		if err != nil {
			t.Fatal(err)
		}
		client, err := dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		const octets = 100_000
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			go way[0].Write(make([]byte, octets))
			if _, err := io.ReadFull(way[1], make([]byte, octets)); err != nil {
				t.Fatal(err)
			}
			// With time stamps, 12 octets of each segment are options (RFC 7323 section 3.2).
			if got := int(tcpInfo(t, way[0]).Snd_mss); got != tt.mss && got != tt.mss-12 {
				t.Errorf("MSS %d: %v sends segments of %d octets", tt.mss, way[0].LocalAddr(), got)
			}
			if got := int(tcpInfo(t, way[1]).Rcv_mss); got > tt.mss {
				t.Errorf("MSS %d: %v got segments of %d octets", tt.mss, way[1].LocalAddr(), got)
			}
		}
	}
}

func TestImpossibleMSS(t *testing.T) {
	dial, err := DialMSS(40)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := dial(t.Context(), "tcp", "127.0.0.1:9"); err == nil {
		conn.Close()
		t.Error("an MSS of 40 was taken")
	}
}

func tcpInfo(t *testing.T, conn net.Conn) *unix.TCPInfo {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	if e := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return info
}
