package imapdial_test

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

func TestTokens(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	const token = "ya29.c4n-ary_token~+/=="
	type objection = imapdial.TokenError
	tests := []struct {
		name      string
		mechanism string
		acct      imapdial.Account
		token     string
		challenge string // "" for none
		answer    string // to it
		first     string // what the server is to see; "" where nothing is sent
		reason    imapdial.SignInReason
		objection *objection
	}{
		{name: "XOAUTH2 accepted", mechanism: "XOAUTH2", acct: imapdial.Account{User: "alice@example.org"}, first: "user=alice@example.org\x01auth=Bearer " + token + "\x01\x01"},
		{name: "XOAUTH2 for a shared mailbox", mechanism: "XOAUTH2", acct: imapdial.Account{User: "alice", AuthzID: "team"}, first: "user=team\x01auth=Bearer " + token + "\x01\x01"},
		{name: "OAUTHBEARER escapes what ends a field", mechanism: "OAUTHBEARER", acct: imapdial.Account{User: "a,b=c"}, first: "n,a=a=2Cb=3Dc,\x01host=127.0.0.1\x01port=%d\x01auth=Bearer " + token + "\x01\x01"},
		{name: "XOAUTH2 refused with a reason", mechanism: "XOAUTH2", acct: imapdial.Account{User: "alice"}, challenge: `{"status":"400","schemes":"Bearer","scope":"https://mail.example.org/"}`,
			first: "user=alice\x01auth=Bearer " + token + "\x01\x01", reason: imapdial.Refused, objection: &objection{"400", "Bearer", "https://mail.example.org/"}},
		{name: "a status that is a number", mechanism: "XOAUTH2", acct: imapdial.Account{User: "alice"}, challenge: `{"status":401}`,
			first: "user=alice\x01auth=Bearer " + token + "\x01\x01", reason: imapdial.Refused, objection: &objection{Status: "401"}},
		{name: "OAUTHBEARER refused with a reason", mechanism: "OAUTHBEARER", acct: imapdial.Account{User: "alice"}, challenge: `{"status":"invalid_token"}`, answer: "AQ==",
			first: "n,a=alice,\x01host=127.0.0.1\x01port=%d\x01auth=Bearer " + token + "\x01\x01", reason: imapdial.Refused, objection: &objection{Status: "invalid_token"}},
		{name: "a reason that cannot be read", mechanism: "XOAUTH2", acct: imapdial.Account{User: "alice"}, challenge: "what?",
			first: "user=alice\x01auth=Bearer " + token + "\x01\x01", reason: imapdial.Refused, objection: &objection{}},
		{name: "a token that is none", mechanism: "XOAUTH2", acct: imapdial.Account{User: "alice"}, token: "a\x01auth=Bearer b", reason: imapdial.Unsendable},
		{name: "a user name that would break out", mechanism: "XOAUTH2", acct: imapdial.Account{User: "a\x01auth=Bearer b"}, reason: imapdial.Unsendable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.token == "" {
				tt.token = token
			}
			var first, answer string
			authenticate := func(c *faulty.Conn, tag, args string) {
				_, encoded, _ := strings.Cut(args, " ")
				b, _ := base64.StdEncoding.DecodeString(encoded)
				first = string(b)
				if tt.challenge == "" {
					c.Line(tag + " OK [CAPABILITY IMAP4rev1 UIDPLUS] in")
					return
				}
				c.Line("+ " + base64.StdEncoding.EncodeToString([]byte(tt.challenge)))
				answer = c.ReadLine()
				c.Line(tag + " NO no")
			}
			s := serve(t, faulty.Dialog{ImplicitTLS: true, TLS: cfg, Inside: "IMAP4rev1 SASL-IR AUTH=" + tt.mechanism,
				On: map[string]func(*faulty.Conn, string, string){"AUTHENTICATE": authenticate}}.Serve)
			tt.acct.Mechanism = tt.mechanism
			session, err := signIn(t, s, ca, tt.acct, tt.token)
			var refused *imapdial.SignInError
			errors.As(err, &refused)
			switch {
			case tt.reason == 0 && (err != nil || session.Account().Mechanism != tt.mechanism):
				t.Fatalf("got %v", err)
			case tt.reason != 0 && (refused == nil || refused.Reason != tt.reason):
				t.Fatalf("got %v", err)
			case tt.objection != nil && (refused.Token == nil || *refused.Token != *tt.objection):
				t.Errorf("got the objection %+v, want %+v", refused.Token, tt.objection)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, refused), "c4n") {
				t.Errorf("the error shows the token: %+v", refused)
			}
			s.Close() // the script has ended
			want := tt.first
			if strings.Contains(want, "%d") {
				want = fmt.Sprintf(want, endpoint(s, imapdial.TLS, ca).Port)
			}
			if first != want || answer != tt.answer {
				t.Errorf("the server read %q and %q, want %q and %q", first, answer, want, tt.answer)
			}
		})
	}
}

func TestTokensAreNeverUsedUnasked(t *testing.T) {
	for _, caps := range []string{"AUTH=XOAUTH2 AUTH=OAUTHBEARER LOGINDISABLED", "AUTH=OAUTHBEARER LOGINDISABLED"} {
		m, err := imapdial.Mechanism(strings.Fields(caps), "", true, false)
		var refused *imapdial.SignInError
		if m != "" || !errors.As(err, &refused) || refused.Reason != imapdial.NoMechanism {
			t.Errorf("%s: got %q, %v", caps, m, err)
		}
		if m, err := imapdial.Mechanism(strings.Fields(caps), "oauthbearer", true, true); m != "OAUTHBEARER" || err != nil {
			t.Errorf("%s: got %q, %v when it was asked for", caps, m, err)
		}
	}
}
