package tcpinfo

import (
	"crypto/tls"
	"io"
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

func TestWhatWasCarried(t *testing.T) {
	client, server := pair(t)
	const sent, answered = 3000, 500
	for _, way := range []struct {
		from, to *net.TCPConn
		octets   int
	}{{client, server, sent}, {server, client, answered}} {
		if _, err := way.from.Write(make([]byte, way.octets)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way.to, make([]byte, way.octets)); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(2 * time.Second)
	info := Of(client)
	for info.InFlight > 0 && time.Now().Before(deadline) {
		info = Of(client)
	}
	if info.Acked != sent+1 || info.Received != answered || info.InFlight != 0 || info.Retransmits != 0 || info.OutOfOrder != 0 {
		t.Errorf("got %+v", info)
	}
	if info.PathMTU < 1500 || info.SendMSS <= 0 || info.SendMSS >= info.PathMTU || info.ReceiveMSS <= 0 || info.OfferedMSS <= info.SendMSS || info.OfferedMSS >= info.PathMTU {
		t.Errorf("sizes: got %+v", info)
	}
	if info.RTT <= 0 || info.RTT > time.Second {
		t.Errorf("the round trip on loopback took %v", info.RTT)
	}
}

func TestQuiet(t *testing.T) {
	client, server := pair(t)
	if _, err := server.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	const pause = 50 * time.Millisecond
	for Of(client).Quiet < pause {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("after %v it was quiet for %v", time.Since(begin), Of(client).Quiet)
		}
	}
	if took := time.Since(begin); took < pause/2 {
		t.Errorf("it was quiet for %v after %v", pause, took)
	}
}
