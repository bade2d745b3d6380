package probe

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A helloFilter is a device on the way that dislikes large ClientHellos.
type helloFilter struct {
	target string
	most   int  // octets of the first record that pass
	reset  bool // RST for the others, else silence: they are read, and nothing comes back
}

// listen starts the filter and returns its address.
func (f helloFilter) listen(t *testing.T) string {
	return splice(t, net.ListenConfig{}, func(client net.Conn) net.Conn {
		br := bufio.NewReader(client)
		header, err := br.Peek(5)
		if err != nil {
			return nil
		}
		if header[0] == 22 && int(binary.BigEndian.Uint16(header[3:])) > f.most {
			if f.reset {
				client.(*net.TCPConn).SetLinger(0)
				return nil
			}
			io.Copy(io.Discard, br)
			return nil
		}
		return &ahead{client, br}
	}, f.target)
}

// An ahead gives out first what was read ahead.
type ahead struct {
	net.Conn
	r io.Reader
}

func (a *ahead) Read(p []byte) (int, error) { return a.r.Read(p) }

// dropping starts a device that drops every packet with more than most octets of TCP: the sender's kernel never sees it acknowledged.
func dropping(t *testing.T, target string, most uint32) string {
	control := func(_, _ string, raw syscall.RawConn) error {
		filter := []unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
			{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: most, Jt: 0, Jf: 1},
			{Code: unix.BPF_RET | unix.BPF_K, K: 0},
			{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		}
		var err error
		if e := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
		}); e != nil {
			return e
		}
		return err
	}
	return splice(t, net.ListenConfig{Control: control}, func(c net.Conn) net.Conn { return c }, target)
}

// splice carries connections to target that admit lets through; nil from it ends one.
func splice(t *testing.T, config net.ListenConfig, admit func(net.Conn) net.Conn, target string) string {
	t.Helper()
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer client.Close()
				stop := context.AfterFunc(ctx, func() { client.Close() })
				defer stop()
				admitted := admit(client)
				if admitted == nil {
					return
				}
				server, err := net.Dial("tcp", target)
				if err != nil {
					return
				}
				defer server.Close()
				running.Go(func() {
					io.Copy(server, admitted)
					server.(*net.TCPConn).CloseWrite()
				})
				io.Copy(client, server)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}
