package imapdial_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

func message(body string) imapdial.Message {
	return imapdial.Message{Size: int64(len(body)), Body: strings.NewReader(body)}
}

// appendServer answers each APPEND with what answer returns (without tag) and keeps the lines and the bodies.
type appendServer struct {
	lines, bodies []string
	// refuse, if not nil, judges a line before its synchronizing literal; "" means go on.
	refuse func(line string) string
	answer func(n int, body string) string // "" closes the connection without an answer
}

// serve speaks IMAP line by line: what looks like a literal inside a body must not be taken for one.
func (s *appendServer) serve(c *faulty.Conn, cfg *tls.Config, after string) {
	c.StartTLS(cfg)
	c.Line("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready")
	for c.Err() == nil {
		tag, rest, _ := strings.Cut(c.ReadLine(), " ")
		name, args, _ := strings.Cut(rest, " ")
		switch name {
		case "AUTHENTICATE":
			c.Line(tag + " OK [CAPABILITY " + after + "] in")
		case "APPEND":
			if !s.append(c, tag, args) {
				return
			}
		default:
			c.Line(tag + " OK done")
		}
	}
}

// append handles one APPEND and reports whether the connection goes on.
func (s *appendServer) append(c *faulty.Conn, tag, args string) bool {
	s.lines = append(s.lines, args)
	i := strings.LastIndexByte(args, '{')
	size, plus := strings.CutSuffix(strings.TrimSuffix(args[i+1:], "}"), "+")
	if !plus {
		if s.refuse != nil && s.refuse(args) != "" {
			c.Line(tag + " " + s.refuse(args))
			return true
		}
		c.Line("+ go on")
	}
	n, _ := strconv.Atoi(size)
	body := string(c.Read(n))
	if c.Err() != nil {
		return false
	}
	s.bodies = append(s.bodies, body)
	c.ReadLine()
	answer := fmt.Sprintf("OK [APPENDUID 7 %d] done", len(s.bodies))
	if s.answer != nil {
		answer = s.answer(len(s.bodies), body)
	}
	if answer == "" {
		return false
	}
	c.Line(tag + " " + answer)
	return true
}

// writer signs in to a server that handles APPEND with s, and offers after as its capabilities.
func writer(t *testing.T, s *appendServer, after string) *imapdial.Writer {
	t.Helper()
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	server := serve(t, func(c *faulty.Conn) { s.serve(c, cfg, after) })
	session, err := signIn(t, server, ca, imapdial.Account{User: "alice"}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	w, err := session.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Writer(); err == nil {
		t.Error("a spent session gives a second writer")
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func states(out []imapdial.Outcome) (s []imapdial.OutcomeState) {
	for _, o := range out {
		s = append(s, o.State)
	}
	return s
}

func TestAppendWritesExactlyWhatItWasGiven(t *testing.T) {
	for _, after := range []string{"IMAP4rev1 LITERAL+ UIDPLUS", "IMAP4rev1"} {
		s := new(appendServer)
		w := writer(t, s, after)
		bodies := []string{"Subject: a\r\n\r\nbody {5}", "no newline at the end", "{5+}\r\n", "x\x00\x80\r", strings.Repeat("y", 3<<20)}
		var msgs []imapdial.Message
		for _, b := range bodies {
			m := message(b)
			m.Flags = []string{`\Seen`, `\Recent`, "$Forwarded", "a b", "x]y", `\Foo`}
			m.InternalDate = time.Date(2020, 2, 5, 4, 3, 2, 0, time.FixedZone("", 5400))
			msgs = append(msgs, m)
		}
		out, err := w.Append(t.Context(), "Entwürfe & mehr", msgs)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.bodies, bodies) {
			t.Errorf("%s: the bodies arrived changed", after)
		}
		want := `"Entw&APw-rfe &- mehr" (\Seen $Forwarded) " 5-Feb-2020 04:03:02 +0130" {`
		for i, line := range s.lines {
			if !strings.HasPrefix(line, want) {
				t.Errorf("line %q", line)
			}
			if plus := strings.HasSuffix(line, "+}"); plus != (i > 0 && strings.Contains(after, "LITERAL+")) {
				t.Errorf("%s: message %d went as %s: the first of its kind must wait, the others not", after, i, line)
			}
			if out[i].State != imapdial.Stored || out[i].UID != uint32(i+1) || out[i].UIDValidity != 7 {
				t.Errorf("outcome %+v", out[i])
			}
		}
		if err := w.Logout(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAppendRefusalsAreOutcomes(t *testing.T) {
	s := &appendServer{
		refuse: func(line string) string {
			if strings.Contains(line, "bad") {
				return "BAD no such flag"
			}
			return ""
		},
		answer: func(n int, body string) string {
			if body == "big" {
				return "NO [TOOBIG] too big"
			}
			return "OK done"
		},
	}
	w := writer(t, s, "IMAP4rev1 LITERAL+")
	bad := message("A1 DELETE INBOX")
	bad.Flags = []string{"bad"}
	out, err := w.Append(t.Context(), "INBOX", []imapdial.Message{message("a"), bad, message("big"), message("b")})
	want := []imapdial.OutcomeState{imapdial.Stored, imapdial.Rejected, imapdial.Rejected, imapdial.Stored}
	if err != nil || !slices.Equal(states(out), want) || out[2].Response.Code != "TOOBIG" {
		t.Errorf("got %+v, %v", out, err)
	}
	if slices.Contains(s.bodies, "A1 DELETE INBOX") {
		t.Error("the body of a refused line was sent")
	}
}

func TestAppendTellsDoubtFromCertainty(t *testing.T) {
	t.Run("no answer after the last octet is doubt", func(t *testing.T) {
		s := &appendServer{answer: func(n int, _ string) string {
			if n == 3 {
				return ""
			}
			return "OK done"
		}}
		w := writer(t, s, "IMAP4rev1 LITERAL+")
		out, err := w.Append(t.Context(), "INBOX", []imapdial.Message{message("a"), message("b"), message("c"), message("d")})
		got := states(out)
		if err == nil || got[0] != imapdial.Stored || got[1] != imapdial.Stored || got[2] != imapdial.InDoubt || got[3] == imapdial.Stored {
			t.Errorf("got %v, %v", got, err)
		}
		if _, again := w.Append(t.Context(), "INBOX", []imapdial.Message{message("e")}); again == nil {
			t.Error("a dead writer goes on")
		}
	})
	t.Run("a body that ends early was not stored", func(t *testing.T) {
		s := new(appendServer)
		w := writer(t, s, "IMAP4rev1 LITERAL+")
		cut := imapdial.Message{Size: 100, Body: strings.NewReader("only this")}
		out, err := w.Append(t.Context(), "INBOX", []imapdial.Message{message("a"), cut, message("b")})
		if got := states(out); !errors.Is(err, io.ErrUnexpectedEOF) || got[1] != imapdial.Incomplete || got[2] != imapdial.NotSent {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("a body that fails was not stored, and its error is kept", func(t *testing.T) {
		cause := errors.New("source gone")
		w := writer(t, new(appendServer), "IMAP4rev1")
		out, err := w.Append(t.Context(), "INBOX", []imapdial.Message{{Size: 10, Body: iotest.ErrReader(cause)}})
		if !errors.Is(err, cause) || out[0].State != imapdial.Incomplete {
			t.Errorf("got %v, %v", out, err)
		}
	})
	t.Run("the end of the context ends a wait", func(t *testing.T) {
		cause := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		s := &appendServer{refuse: func(string) string { cancel(cause); return "" }}
		s.answer = func(int, string) string { <-ctx.Done(); return "" }
		w := writer(t, s, "IMAP4rev1")
		if _, err := w.Append(ctx, "INBOX", []imapdial.Message{message("a")}); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAppendRefusesNamesThatNoCommandCanCarry(t *testing.T) {
	w := writer(t, new(appendServer), "IMAP4rev1 LITERAL+")
	for _, name := range []string{"", "a\r\nA9 LOGOUT", "a\x00b", "a\xffb"} {
		if out, err := w.Append(t.Context(), name, []imapdial.Message{message("a")}); err == nil || out[0].State != imapdial.NotSent {
			t.Errorf("%q: %v", name, err)
		}
	}
	if out, err := w.Append(t.Context(), "INBOX", []imapdial.Message{message("a")}); err != nil || out[0].State != imapdial.Stored {
		t.Errorf("the writer does not survive a bad name: %v", err)
	}
}

func TestAppendOnDovecot(t *testing.T) {
	d := realserver.StartDovecot(t, realserver.Config{})
	acct := imapdial.Account{User: "alice", Secret: secret.Given(secret.New([]byte("secret"))),
		Endpoint: imapdial.Endpoint{Host: d.Host, Port: d.IMAPS, TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}}
	session, err := imapdial.Open(t.Context(), acct, "password", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := session.Writer()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var msgs []imapdial.Message
	var want []string
	for i := range 300 {
		body := fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", i, bytes.Repeat([]byte("line\r\n"), i%50))
		m := message(body)
		m.Flags = []string{[]string{`\Seen`, `\Flagged`, "$Junk"}[i%3]}
		msgs, want = append(msgs, m), append(want, body)
	}
	if out, err := w.Append(t.Context(), "No/such/mailbox", msgs[:1]); err != nil || out[0].Response.Code != "TRYCREATE" {
		t.Fatalf("got %+v, %v", out, err)
	}
	msgs[0].Body = strings.NewReader(want[0])
	out, err := w.Append(t.Context(), "INBOX", msgs)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		if o.State != imapdial.Stored || o.UID != uint32(i+1) {
			t.Fatalf("message %d: %+v", i, o)
		}
	}
	if got := realserver.Dump(t, d.Login("alice"))["INBOX"]; len(got) != len(want) {
		t.Errorf("%d messages arrived, want %d", len(got), len(want))
	}
}
