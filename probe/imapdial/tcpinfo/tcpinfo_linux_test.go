package tcpinfo

import (
	"crypto/tls"
	"net"
	"testing"
	"time"
)

// pair returns both ends of a connection on loopback.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func TestAcknowledgedThoughNobodyReads(t *testing.T) {
	client, server := pair(t)
	if _, err := client.Write([]byte("anybody there")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 20)); err != nil { // it has arrived, so it is acknowledged, or will be in a moment
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Second)
	info := Of(client)
	for info.Pending && time.Now().Before(deadline) {
		info = Of(client)
	}
	if !info.Known || info.Pending || info.Received != 0 {
		t.Errorf("got %+v, want all acknowledged and nothing received", info)
	}
}

// TestPending fills the other side's buffers, so that its kernel takes nothing more.
func TestPending(t *testing.T) {
	client, server := pair(t)
	server.SetReadBuffer(4 << 10)
	client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	chunk := make([]byte, 64<<10)
	for {
		if _, err := client.Write(chunk); err != nil {
			break
		}
	}
	if info := Of(client); !info.Known || !info.Pending {
		t.Errorf("got %+v, want something pending", info)
	}
}

func TestBelowTLS(t *testing.T) {
	client, _ := pair(t)
	if info := Of(tls.Client(client, &tls.Config{InsecureSkipVerify: true})); !info.Known {
		t.Errorf("got %+v of a connection inside TLS", info)
	}
}

func TestUnknown(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if info := Of(a); info != (Info{}) {
		t.Errorf("got %+v of a pipe", info)
	}
	client, _ := pair(t)
	client.Close()
	if info := Of(client); info != (Info{}) {
		t.Errorf("got %+v of a closed connection", info)
	}
}
