package imaptest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

func TestHooks(t *testing.T) {
	s, a := start(t, imaptest.Config{})
	body := []byte("Subject: x\r\n\r\nbody\r\n")
	send := func(c *imapclient.Client) error {
		command := c.Append("INBOX", int64(len(body)), nil)
		command.Write(body)
		command.Close()
		_, err := command.Wait()
		return err
	}
	commands := make(chan imaptest.Command, 9)
	s.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		commands <- c
		if c.Name == "APPEND" && c.Count == 2 {
			return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeOverQuota, Text: "full"}
		}
		return nil
	}})
	c := signedIn(t, s, imaptest.TLS)
	if err := send(c); err != nil {
		t.Fatal(err)
	}
	if refused := new(imap.Error); !errors.As(send(c), &refused) || refused.Code != imap.ResponseCodeOverQuota {
		t.Errorf("the second APPEND got %+v, want OVERQUOTA", refused)
	}
	if got, want := <-commands, (imaptest.Command{Name: "LOGIN", Count: 1}); got != want {
		t.Errorf("hook saw %+v, want %+v", got, want)
	}
	if got, want := <-commands, (imaptest.Command{Name: "APPEND", User: "alice", Mailbox: "INBOX", Count: 1}); got != want {
		t.Errorf("hook saw %+v, want %+v", got, want)
	}

	// The answer is lost, the message is not.
	s.SetHooks(imaptest.Hooks{After: func(c imaptest.Command) error {
		if c.Name == "APPEND" {
			return imaptest.ErrHangUp
		}
		return nil
	}})
	if err := send(signedIn(t, s, imaptest.TLS)); err == nil {
		t.Error("an answer came after a hang-up")
	}
	if got := len(a.Messages("INBOX")); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}

	s.SetHooks(imaptest.Hooks{
		Stored: func(_ string, m imaptest.Message) imaptest.Message {
			m.Body = append([]byte("X-Filter: seen\r\n"), m.Body...)
			m.Flags = append(m.Flags, "Filtered")
			return m
		},
		Body: func(mailbox string, uid uint32, body []byte) []byte { return body[:10] },
	})
	c = signedIn(t, s, imaptest.TLS)
	if err := send(c); err != nil {
		t.Fatal(err)
	}
	stored := a.Messages("INBOX")[2]
	if !bytes.HasPrefix(stored.Body, []byte("X-Filter")) || !slices.Equal(stored.Flags, []string{"Filtered"}) {
		t.Errorf("stored %q with %v", stored.Body, stored.Flags)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	messages, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{RFC822Size: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	if err != nil || messages[0].RFC822Size != int64(len(body)) || len(messages[0].BodySection[0].Bytes) != 10 {
		t.Errorf("FETCH: %+v, %v", messages, err)
	}
}

func TestLiteralCutOffIsNotStored(t *testing.T) {
	s, a := start(t, imaptest.Config{Security: imaptest.Cleartext})
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "a LOGIN alice secret\r\nb APPEND INBOX {30+}\r\nSubject: half")
	conn.(*net.TCPConn).CloseWrite()
	if said, _ := io.ReadAll(conn); !bytes.Contains(said, []byte("a OK")) {
		t.Errorf("the server said %s", said)
	}
	conn.Close()
	if got := a.Messages("INBOX"); len(got) != 0 {
		t.Errorf("stored %v", got)
	}
}
