package imapdial_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

func TestBatches(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	answer := func(lines ...string) func(*faulty.Conn, string, string) {
		return func(c *faulty.Conn, tag, _ string) {
			for _, l := range lines {
				c.Line(strings.ReplaceAll(l, "TAG", tag))
			}
		}
	}
	tests := []struct {
		name string
		on   map[string]func(*faulty.Conn, string, string)
		want string // the statuses, and the number of untagged responses
		fail bool
		bye  string
	}{
		{name: "all answered in order", want: "NAMESPACE OK 1, LIST OK 1, NOOP OK 0"},
		{name: "one refused", on: map[string]func(*faulty.Conn, string, string){"LIST": answer("TAG NO no")}, want: "NAMESPACE OK 1, LIST NO 0, NOOP OK 0"},
		{name: "a line without a tag is nobody's answer", on: map[string]func(*faulty.Conn, string, string){"LIST": answer("(garbage", "TAG OK done")}, want: "NAMESPACE OK 1, LIST OK 1, NOOP OK 0"},
		{name: "a BYE", on: map[string]func(*faulty.Conn, string, string){"LIST": func(c *faulty.Conn, _, _ string) { c.Line("* BYE [LIMIT] enough"); c.Close() }},
			want: "NAMESPACE OK 1, LIST  0, NOOP  0", fail: true, bye: "LIMIT"},
		{name: "a cut", on: map[string]func(*faulty.Conn, string, string){"LIST": func(c *faulty.Conn, _, _ string) { c.Cut() }}, want: "NAMESPACE OK 1, LIST  0, NOOP  0", fail: true},
		{name: "silence", on: map[string]func(*faulty.Conn, string, string){"LIST": func(c *faulty.Conn, _, _ string) { c.Stall() }}, want: "NAMESPACE OK 1, LIST  0, NOOP  0", fail: true},
		{name: "a flood", on: map[string]func(*faulty.Conn, string, string){"LIST": func(c *faulty.Conn, _, _ string) {
			for c.Err() == nil {
				c.Line("* 1 EXISTS")
			}
		}}, want: "NAMESPACE OK 1, LIST  0, NOOP  0", fail: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, faulty.Dialog{ImplicitTLS: true, TLS: cfg, On: tt.on}.Serve)
			session, err := signIn(t, s, ca, imapdial.Account{User: "alice"}, canary)
			if err != nil {
				t.Fatal(err)
			}
			answers, err := session.DoAll(t.Context(), "NAMESPACE", `LIST "" INBOX`, "NOOP")
			var got []string
			for _, a := range answers {
				name, _, _ := strings.Cut(a.Command, " ")
				got = append(got, name+" "+a.Tagged.Status+" "+string(rune('0'+len(a.Untagged))))
			}
			if strings.Join(got, ", ") != tt.want || (err != nil) != tt.fail {
				t.Errorf("got %v, %v; want %s", got, err, tt.want)
			}
			var bye *imapdial.ByeError
			if errors.As(err, &bye) != (tt.bye != "") || bye != nil && bye.Response.Code != tt.bye {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBatchesOfMoreThanOneLineAreNotSent(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	s := serve(t, faulty.Dialog{ImplicitTLS: true, TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}}.Serve)
	session, err := signIn(t, s, ca, imapdial.Account{User: "alice"}, canary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.DoAll(t.Context(), "NOOP", "NOOP\r\nA9 DELETE x"); err == nil || strings.Contains(string(s.Received()), "DELETE") {
		t.Errorf("got %v", err)
	}
}
