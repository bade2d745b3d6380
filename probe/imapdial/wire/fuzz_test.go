package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A recording is a connection on which the server says what it says once begin is closed, in pieces, and takes everything.
type recording struct {
	net.Conn // nil: nothing else is called
	text     *bytes.Reader
	piece    int
	begin    chan struct{}
	commands atomic.Int32 // lines that were written
}

func (r *recording) Read(p []byte) (int, error) {
	<-r.begin
	return r.text.Read(p[:min(r.piece, len(p))])
}

func (r *recording) Write(p []byte) (int, error) {
	r.commands.Add(int32(bytes.Count(p, []byte("\n"))))
	return len(p), nil
}

func (r *recording) Close() error { return nil }

// FuzzServer feeds a go-imap client with several commands under way. Whatever the server says, the library's parser
// must not stumble over what the Conn lets through: its reader ends with the connection and for no other reason.
func FuzzServer(f *testing.F) {
	for _, tt := range odd {
		f.Add([]byte(strings.ReplaceAll(tt.lines, "§", "T1")), uint16(1+len(tt.name)))
		f.Add([]byte(strings.ReplaceAll(tt.lines, "§", "T6")+"T2 OK\r\nT3 NO\r\n"), uint16(4096))
	}
	f.Fuzz(func(t *testing.T, text []byte, piece uint16) {
		r := &recording{text: bytes.NewReader(text), piece: int(piece) + 1, begin: make(chan struct{})}
		limits := wire.Limits{Line: 10_000, Literal: 10_000, Untagged: 1000, Depth: 10}
		conn := wire.NewConn(r, wire.Options{Greeting: greeting, Limits: limits, Transcript: wire.NewTranscript(5)})
		c := imapclient.New(conn, nil)
		conn.ReaderDone(c.Closed())

		var wg sync.WaitGroup
		for _, command := range []string{"list status", "fetch", "search", "select", "copy", "quota"} {
			written := r.commands.Load()
			wg.Go(func() { results[command](c) })
			for r.commands.Load() == written { // the tags have an order
				runtime.Gosched()
			}
		}
		close(r.begin)

		ended := make(chan error, 1)
		go func() {
			wg.Wait()
			<-c.Closed()
			ended <- c.Close()
		}()
		select {
		case err := <-ended:
			// After any ID list go-imap keeps an error of its own, and shows it when reading ends.
			stale := bytes.Contains(bytes.ToUpper(text), []byte(" ID ")) && err != nil && strings.Contains(err.Error(), `expected atom, got "("`)
			if !stale && !endedByConnection(err, conn.Err()) {
				t.Errorf("the library's reader ended with %v, the connection with %v", err, conn.Err())
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the client does not come to an end")
		}
	})
}

// endedByConnection reports whether err, from the library's reader, is no more than cause, from the Conn.
func endedByConnection(err, cause error) bool {
	if cause == nil {
		return false
	}
	if err == nil || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), cause.Error()) {
		return true
	}
	if _, bye := errors.AsType[*wire.ByeError](cause); bye {
		return strings.Contains(err.Error(), "the connection ended") || strings.Contains(err.Error(), "the server closed the connection")
	}
	return strings.Contains(cause.Error(), "within a literal") && strings.Contains(err.Error(), "while a literal is open")
}

func FuzzMailboxName(f *testing.F) {
	for _, name := range []string{"INBOX", "R&D", "R&-D", "&AOQ-", "&AOQ-&APY-", "&AAc-", "&2D3eAA-", "&2D0-", "a\r\nb", "\xff", "ä", "a\"\\b", "&-", "&", "&AGE-", "&AOQ", "~x", " "} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		text := fmt.Sprintf("* LIST () NIL {%d}\r\n%s\r\nT1 OK\r\n", len(raw), raw)
		r := &recording{text: bytes.NewReader([]byte(text)), piece: 1000, begin: make(chan struct{})}
		conn := wire.NewConn(r, wire.Options{Greeting: greeting})
		c := imapclient.New(conn, nil)
		cmd := c.List("", "*", nil)
		close(r.begin)
		boxes, err := cmd.Collect()
		if len(raw) > 1<<19 {
			return // more than the table of replacements takes
		}
		if err != nil || len(boxes) != 1 {
			t.Fatalf("LIST of %q gives %v, %v (Err %v)", raw, boxes, err, conn.Err())
		}
		name := boxes[0].Mailbox
		mended := conn.Mended()
		switch {
		case len(mended) == 1:
			if mended[0] != (wire.MendedName{Name: name, Raw: raw}) || !strings.Contains(name, "\uFFFD") {
				t.Errorf("%q became %q, and Mended says %q", raw, name, mended)
			}
		case wire.EncodeUTF7(name) != raw && !(name == "INBOX" && strings.EqualFold(raw, name)):
			t.Errorf("%q became %q, which leads to %q", raw, name, wire.EncodeUTF7(name))
		}
		if slices.ContainsFunc(mended, func(m wire.MendedName) bool { return strings.ContainsAny(m.Name, "\r\n\x00\x1b") }) {
			t.Errorf("a replacement has control characters: %q", mended)
		}
	})
}
