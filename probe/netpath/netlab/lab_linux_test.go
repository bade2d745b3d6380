package netlab_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/netpath/netlab"
	"golang.org/x/sys/unix"
)

// connect opens a connection from the client whose packets live for ttl hops.
func connect(lab *netlab.Lab, address string, ttl int) (conn net.Conn, err error) {
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if strings.HasPrefix(address, "[") {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	dialer := net.Dialer{Timeout: 5 * time.Second, Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, ttl) })
		return err
	}}
	err = lab.At(netlab.Client, func() (err error) {
		conn, err = dialer.Dial("tcp", address)
		return err
	})
	return conn, err
}

func TestEveryNodeIsReachable(t *testing.T) {
	began := time.Now()
	lab := netlab.New(t)
	t.Logf("the lab took %v", time.Since(began))
	for _, tt := range []struct {
		node     netlab.Node
		host     string
		distance int
	}{
		{netlab.Router1, "10.1.0.1", 1},
		{netlab.Router2, "10.2.0.2", 2},
		{netlab.Server, "10.3.0.2", 3},
		{netlab.Server2, "10.3.0.3", 3},
		{netlab.Router1, "fd01::1", 1},
		{netlab.Router2, "fd02::2", 2},
		{netlab.Server, "fd03::2", 3},
		{netlab.Server2, "fd03::3", 3},
	} {
		address := net.JoinHostPort(tt.host, "993")
		if got := lab.Listen(tt.node, address).Addr().String(); got != address {
			t.Errorf("listens on %s, want %s", got, address)
		}
		for ttl := 1; ttl <= tt.distance; ttl++ {
			conn, err := connect(lab, address, ttl)
			if err == nil {
				if info, err := sentAgain(conn); err != nil || info > 0 {
					t.Errorf("%s: SYN was sent again %d times; %v", address, info, err)
				}
				conn.Close()
			}
			// A router says that the packet's life is over, which ends the attempt.
			if reached := ttl == tt.distance; reached != (err == nil) || !reached && !errors.Is(err, syscall.EHOSTUNREACH) {
				t.Errorf("%s with TTL %d: %v", address, ttl, err)
			}
		}
	}
}

// sentAgain is how many segments of a connection were sent more than once.
func sentAgain(conn net.Conn) (uint32, error) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var info *unix.TCPInfo
	controlErr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err = errors.Join(controlErr, err); err != nil {
		return 0, err
	}
	return info.Total_retrans, nil
}

func TestRunsAsNobodyWithoutRights(t *testing.T) {
	lab := netlab.New(t)
	r := lab.Run(t.Context(), nil, "/bin/cat", "/proc/self/status")
	status := map[string]string{}
	for line := range strings.Lines(string(r.Stdout)) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.Join(strings.Fields(value), " ")
	}
	none := "0000000000000000"
	for key, want := range map[string]string{
		"Uid": "65534 65534 65534 65534", "Gid": "65534 65534 65534 65534", "Groups": "", "NoNewPrivs": "1",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
	} {
		if got, ok := status[key]; !ok || got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestRunKeepsOutputAndExitCode(t *testing.T) {
	lab := netlab.New(t)
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	r := lab.Run(t.Context(), []string{"A=b"}, "/bin/sh", "-c", `echo "$A"; readlink /proc/self/ns/net >&2; exit 7`)
	namespace := strings.TrimSpace(string(r.Stderr))
	if string(r.Stdout) != "b\n" || r.ExitCode != 7 || !strings.HasPrefix(namespace, "net:") || namespace == home {
		t.Errorf("got %q, %q, exit code %d; the test itself is in %s", r.Stdout, r.Stderr, r.ExitCode, home)
	}
}

// TestLabsAreApart has labs with the same addresses at once, each with a rule that the others lack.
func TestLabsAreApart(t *testing.T) {
	var running sync.WaitGroup
	for _, tt := range []struct {
		name, rule string
		want       error
	}{
		{"another port is filtered", "tcp dport 994 drop", nil},
		{"a router refuses", "tcp dport 993 reject with tcp reset", syscall.ECONNREFUSED},
		{"a router says that it has no route", "tcp dport 993 reject with icmp net-unreachable", syscall.ENETUNREACH},
	} {
		running.Go(func() {
			t.Run(tt.name, func(t *testing.T) {
				lab := netlab.New(t)
				lab.Listen(netlab.Server, "10.3.0.2:993")
				lab.Filter(netlab.Router1, "forward", tt.rule)
				conn, err := connect(lab, "10.3.0.2:993", 64)
				if err == nil {
					conn.Close()
				}
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
	running.Wait()
}

func TestConnectionsAreRedirected(t *testing.T) {
	lab := netlab.New(t)
	near := lab.Listen(netlab.Router1, "10.1.0.1:1993")
	lab.NAT(netlab.Router1, "tcp dport 993 redirect to :1993")
	conn, err := connect(lab, "10.3.0.2:993", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if c, err := near.Accept(); err != nil || c.RemoteAddr().String() != conn.LocalAddr().String() {
		t.Errorf("got %v, %v", c, err)
	} else {
		c.Close()
	}
}

// TestLargePacketsAreSentApart counts packets that would not fit a wire, while much is sent at once.
func TestLargePacketsAreSentApart(t *testing.T) {
	const size = 1_000_000
	lab := netlab.New(t)
	for _, r := range []netlab.Node{netlab.Router1, netlab.Router2} {
		lab.Filter(r, "forward", "meta length > 1500 counter", "meta length 1500 counter")
	}
	listener := lab.Listen(netlab.Server, "10.3.0.2:993")
	conn, err := connect(lab, "10.3.0.2:993", 64)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	for _, way := range [][2]*net.TCPConn{{conn.(*net.TCPConn), peer}, {peer, conn.(*net.TCPConn)}} {
		go func() {
			way[0].Write(make([]byte, size))
			way[0].CloseWrite()
		}()
		if n, err := io.Copy(io.Discard, way[1]); n != size || err != nil {
			t.Errorf("%d octets arrived, %v", n, err)
		}
	}
	for _, r := range []netlab.Node{netlab.Router1, netlab.Router2} {
		rules := lab.List(r, "ruleset")
		if !strings.Contains(rules, "meta length > 1500 counter packets 0 ") || strings.Count(rules, "packets 0 ") != 1 {
			t.Errorf("%s forwarded other packets than full ones:\n%s", r, rules)
		}
	}
}
