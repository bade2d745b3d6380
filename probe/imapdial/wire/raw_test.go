package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseResponse(t *testing.T) {
	tests := []struct {
		name, line string
		want       Response
	}{
		{"a greeting with a code", "* OK [CAPABILITY IMAP4rev1 IDLE] ready", Response{Tag: "*", Status: "OK", Code: "CAPABILITY", Arg: "IMAP4rev1 IDLE", Text: "ready"}},
		{"a code without argument", "A1 NO [AUTHENTICATIONFAILED] no", Response{Tag: "A1", Status: "NO", Code: "AUTHENTICATIONFAILED", Text: "no"}},
		{"status in small letters", "a1 bad what", Response{Tag: "a1", Status: "BAD", Text: "what"}},
		{"no text", "* BYE", Response{Tag: "*", Status: "BYE"}},
		{"a bracket that never closes is text", "* OK [CAPABILITY IMAP4rev1", Response{Tag: "*", Status: "OK", Text: "[CAPABILITY IMAP4rev1"}},
		{"data", "* 3 EXISTS", Response{Tag: "*", Text: "3 EXISTS"}},
		{"a continuation", "+ Z28=", Response{Tag: "+", Text: "Z28="}},
		{"a continuation without text", "+", Response{Tag: "+"}},
		{"another protocol", "220 mail ESMTP", Response{Tag: "220", Text: "mail ESMTP"}},
		{"no protocol", "(garbage", Response{Text: "(garbage"}},
		{"escape sequences are taken out", "* OK \x1b[31mred\x1b[0m\a", Response{Tag: "*", Status: "OK", Text: "red"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Raw = Printable(tt.line)
			if got := ParseResponse(tt.line); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// raw returns a Raw whose server sends data and then ends, and what the Raw sends.
func raw(t *testing.T, data string) (*Raw, *bytes.Buffer) {
	t.Helper()
	client, server := net.Pipe()
	sent := new(bytes.Buffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		go io.Copy(sent, server)
		io.WriteString(server, data)
		server.Close()
	}()
	t.Cleanup(func() { client.Close(); <-done })
	return NewRaw(client, nil), sent
}

func TestReadResponseIsBounded(t *testing.T) {
	tests := []struct {
		name, data string
		want       error
	}{
		{"a line without end", strings.Repeat("x", rawLine+1), ErrLineTooLong},
		{"an end within a line", "* OK hel", io.ErrUnexpectedEOF},
		{"an end between lines", "", io.EOF},
		{"an end within a literal", "* X {10}\r\nabc", io.ErrUnexpectedEOF},
		{"many literals in one line", strings.Repeat("* X {1}\r\na", rawLine), ErrLineTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := raw(t, tt.data)
			if _, err := r.ReadResponse(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("a giant literal", func(t *testing.T) {
		r, _ := raw(t, "* X {99999999999}\r\n")
		if _, err := r.ReadResponse(); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("endless responses", func(t *testing.T) {
		r, _ := raw(t, strings.Repeat("* 1 EXISTS\r\n", rawUntagged+2))
		if _, err := r.Await("A1", nil); !errors.Is(err, ErrTooManyResponses) {
			t.Errorf("got %v", err)
		}
	})
}

func TestReadResponseFoldsLiterals(t *testing.T) {
	r, _ := raw(t, "* NAMESPACE ((\"\" {1}\r\n/)) NIL NIL\nA1 OK done\r\n* 1 EXISTS\r\n")
	resp, err := r.ReadResponse()
	if err != nil || resp.Text != `NAMESPACE (("" {1})) NIL NIL` {
		t.Errorf("got %+v, %v", resp, err)
	}
	if resp, err = r.ReadResponse(); err != nil || resp.Status != "OK" {
		t.Errorf("got %+v, %v", resp, err)
	}
}

func TestAByeIsTheAnswerWhenNoneComes(t *testing.T) {
	r, _ := raw(t, "* BYE [UNAVAILABLE] down\r\n")
	resp, err := r.Await("A1", nil)
	if err != nil || resp.Status != "BYE" || resp.Code != "UNAVAILABLE" {
		t.Errorf("got %+v, %v", resp, err)
	}
}

func TestDetachKeepsWhatWasReadAhead(t *testing.T) {
	r, _ := raw(t, "* OK hello\r\n* 1 EXISTS\r\n")
	if _, err := r.ReadResponse(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r.Detach())
	if err != nil || string(got) != "* 1 EXISTS\r\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEncodeMailbox(t *testing.T) {
	tests := []struct{ name, want string }{
		{"INBOX", `"INBOX"`},
		{"R&D", `"R&-D"`},
		{`a"b\c`, `"a\"b\\c"`},
		{"Entwürfe", `"Entw&APw-rfe"`},
		{"~peter/mail/台北/日本語", `"~peter/mail/&U,BTFw-/&ZeVnLIqe-"`}, // RFC 3501 section 5.1.3
		{"😀", `"&2D3eAA-"`},
		{"ü&", `"&APw-&-"`},
	}
	for _, tt := range tests {
		if got := EncodeMailbox(tt.name); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func FuzzReadResponse(f *testing.F) {
	for _, s := range []string{"* OK [CAPABILITY IMAP4rev1] hi\r\n", "* X {3}\r\nabc\r\n", "+ \r\n", "\x1b]0;x\a\n", "A1 NO [x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewRaw(&readOnly{r: bytes.NewReader(data)}, NewTranscript(10))
		for {
			resp, err := r.ReadResponse()
			if err != nil {
				return
			}
			if Printable(resp.Raw) != resp.Raw || Printable(resp.Text) != resp.Text {
				t.Fatalf("not printable: %q", resp)
			}
		}
	})
}

// readOnly is a net.Conn that can only be read.
type readOnly struct {
	net.Conn
	r io.Reader
}

func (c *readOnly) Read(p []byte) (int, error) { return c.r.Read(p) }

// TestByesDoNotKeepTheClient sends one BYE after the other: only the first gives the answer some more time.
func TestByesDoNotKeepTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		var serving sync.WaitGroup
		defer serving.Wait()
		defer client.Close()
		defer server.Close()
		serving.Go(func() { io.Copy(io.Discard, server) })
		serving.Go(func() {
			for {
				if _, err := io.WriteString(server, "* BYE later\r\n"); err != nil {
					return
				}
				time.Sleep(byeWait / 2)
			}
		})
		begin := time.Now()
		_, tagged, err := NewRaw(client, nil).Do(Atom("NOOP"))
		if took := time.Since(begin); err != nil || tagged.Status != "BYE" || took > byeWait {
			t.Errorf("got %+v, %v after %s", tagged, err, took)
		}
	})
}
