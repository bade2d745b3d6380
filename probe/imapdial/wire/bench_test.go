package wire_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// fetched is the answer to UID FETCH of n messages of size octets; 0 leaves the body out.
func fetched(n, size int) []byte {
	var b bytes.Buffer
	body := bytes.Repeat([]byte("All work and no play makes Jack a dull boy, and (mail) a long \"read\" {5}.\r\n"), 1+size/70)[:size]
	for i := range n {
		fmt.Fprintf(&b, "* %d FETCH (UID %d FLAGS (\\Seen \\Answered $Forwarded) INTERNALDATE \"17-Jul-2024 02:44:25 +0200\" RFC822.SIZE %d", i+1, i+7, size)
		if size > 0 {
			fmt.Fprintf(&b, " BODY[] {%d}\r\n%s", size, body)
		}
		b.WriteString(")\r\n")
	}
	return b.Bytes()
}

// BenchmarkFetch compares go-imap on a bare connection with go-imap on a Conn.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []int{0, 5 << 10, 1 << 20} {
		n := 2000
		if size == 1<<20 {
			n = 20
		}
		answer := fetched(n, size)
		for _, guarded := range []bool{false, true} {
			b.Run(fmt.Sprintf("size=%d/conn=%v", size, guarded), func(b *testing.B) {
				benchmarkFetch(b, answer, guarded)
			})
		}
	}
}

func benchmarkFetch(b *testing.B, answer []byte, guarded bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if !guarded {
			io.WriteString(c, greeting+"\r\n")
		}
		p := &peer{c, bufio.NewReader(c)}
		for {
			tag, _ := p.command()
			if tag == "" {
				return
			}
			c.Write(answer)
			p.say(tag + " OK done\r\n")
		}
	}()
	var conn net.Conn
	if conn, err = net.Dial("tcp", l.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if guarded {
		conn = wire.NewConn(conn, wire.Options{Greeting: greeting, Transcript: wire.NewTranscript(200)})
	}
	c := imapclient.New(conn, nil)
	defer c.Close()
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n += fetchAll(b, c)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msg/s")
}

func fetchAll(b *testing.B, c *imapclient.Client) int {
	cmd := c.Fetch(imap.UIDSet{{Start: 1}}, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	n := 0
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		for item := msg.Next(); item != nil; item = msg.Next() {
			if section, ok := item.(imapclient.FetchItemDataBodySection); ok {
				if _, err := io.Copy(io.Discard, section.Literal); err != nil {
					b.Fatal(err)
				}
			}
		}
		n++
	}
	if err := cmd.Close(); err != nil {
		b.Fatal(err)
	}
	return n
}
