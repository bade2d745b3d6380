package job_test

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

// A meddler stands in front of a server without TLS and changes lines on their way to the client. It makes real what the embedded server
// cannot be told to do.
type meddler struct {
	listener net.Listener
	target   string
	change   func(line string) string
	running  sync.WaitGroup
}

// meddle puts a meddler with a certificate of ca before s. change gets each line with its end.
func meddle(t *testing.T, s *imaptest.Server, cert tls.Certificate, change func(string) string) uint16 {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	m := &meddler{listener: listener, target: s.Address(), change: change}
	m.running.Go(m.serve)
	t.Cleanup(func() {
		listener.Close()
		s.DropConnections() // ends every copying
		m.running.Wait()
	})
	return listener.Addr().(*net.TCPAddr).AddrPort().Port()
}

func (m *meddler) serve() {
	for {
		client, err := m.listener.Accept()
		if err != nil {
			return
		}
		m.running.Go(func() { m.carry(client) })
	}
}

func (m *meddler) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", m.target)
	if err != nil {
		return
	}
	m.running.Go(func() {
		defer server.Close()
		bufio.NewReader(client).WriteTo(server)
	})
	lines := bufio.NewReader(server)
	for {
		line, err := lines.ReadString('\n')
		if _, werr := client.Write([]byte(m.change(line))); err != nil || werr != nil {
			return
		}
	}
}

// replacing returns a change that replaces old by new in lines that begin with start.
func replacing(start, old, new string) func(string) string {
	return func(line string) string {
		if strings.HasPrefix(line, start) {
			return strings.Replace(line, old, new, 1)
		}
		return line
	}
}
