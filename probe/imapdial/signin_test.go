package imapdial_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

const canary = `c4n"ary\pass`

func TestMechanismIsTheStrongestOfBothSides(t *testing.T) {
	tests := []struct {
		name, caps, want, mechanism string
		cleartext, other            bool
		reason                      imapdial.SignInReason
	}{
		{name: "SCRAM before PLAIN", caps: "IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256", mechanism: "SCRAM-SHA-256"},
		{name: "PLAIN before CRAM-MD5 inside TLS", caps: "AUTH=CRAM-MD5 auth=plain", mechanism: "PLAIN"},
		{name: "CRAM-MD5 before PLAIN in the clear", caps: "AUTH=CRAM-MD5 AUTH=PLAIN", cleartext: true, mechanism: "CRAM-MD5"},
		{name: "LOGIN where nothing is listed", caps: "IMAP4rev1", mechanism: "LOGIN"},
		{name: "not LOGIN under LOGINDISABLED", caps: "IMAP4rev1 LOGINDISABLED", reason: imapdial.LoginDisabled},
		{name: "nothing known", caps: "LOGINDISABLED AUTH=GSSAPI AUTH=XOAUTH2", reason: imapdial.NoMechanism},
		{name: "the one that was asked for", caps: "AUTH=PLAIN AUTH=SCRAM-SHA-256", want: "plain", mechanism: "PLAIN"},
		{name: "none but the one that was asked for", caps: "AUTH=PLAIN", want: "SCRAM-SHA-256", reason: imapdial.NoMechanism},
		{name: "LOGIN asked for and disabled", caps: "LOGINDISABLED AUTH=PLAIN", want: "LOGIN", reason: imapdial.LoginDisabled},
		{name: "one that can act for another user", caps: "AUTH=CRAM-MD5 AUTH=PLAIN", cleartext: true, other: true, mechanism: "PLAIN"},
		{name: "LOGIN cannot act for another user", caps: "IMAP4rev1", other: true, reason: imapdial.NoMechanism},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := imapdial.Mechanism(strings.Fields(tt.caps), tt.want, !tt.cleartext, tt.other)
			var refused *imapdial.SignInError
			if got != tt.mechanism || (err != nil) != (tt.reason != 0) || errors.As(err, &refused) && refused.Reason != tt.reason {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// signIn observes s over TLS and signs in.
func signIn(t *testing.T, s *faulty.Server, ca *imaptest.CA, acct imapdial.Account, password string) (*imapdial.Session, error) {
	t.Helper()
	c, err := imapdial.Dial(t.Context(), endpoint(s, imapdial.TLS, ca), quick)
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.SignIn(t.Context(), acct, secret.New([]byte(password)))
	if session != nil {
		t.Cleanup(func() { session.Close() })
	}
	return session, err
}

func TestSignInDialogs(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	dialog := func(inside string) faulty.Dialog {
		return faulty.Dialog{ImplicitTLS: true, TLS: cfg, Inside: inside}
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := []struct {
		name   string
		dialog faulty.Dialog
		acct   imapdial.Account
		pass   string
		sent   string // what the server has read
		reason imapdial.SignInReason
		code   string
		alerts []string
	}{
		{name: "PLAIN with an initial response and a filled authcid", dialog: dialog("IMAP4rev1 SASL-IR AUTH=PLAIN"),
			acct: imapdial.Account{User: "alice"}, pass: canary, sent: "AUTHENTICATE PLAIN " + b64("\x00alice\x00"+canary) + "\r\n"},
		{name: "PLAIN without SASL-IR waits for the server", dialog: dialog("IMAP4rev1 AUTH=PLAIN"),
			acct: imapdial.Account{User: "alice"}, pass: canary, sent: "AUTHENTICATE PLAIN\r\n" + b64("\x00alice\x00"+canary) + "\r\n"},
		{name: "PLAIN for another user", dialog: dialog("IMAP4rev1 SASL-IR AUTH=PLAIN"),
			acct: imapdial.Account{User: "admin", AuthzID: "alice"}, pass: "x", sent: b64("alice\x00admin\x00x")},
		{name: "LOGIN quotes", dialog: dialog("IMAP4rev1"), acct: imapdial.Account{User: "alice"}, pass: canary, sent: `LOGIN "alice" "c4n\"ary\\pass"`},
		{name: "LOGIN sends what quotes cannot carry as a literal", dialog: dialog("IMAP4rev1 LITERAL+"),
			acct: imapdial.Account{User: "alice"}, pass: "pässwort", sent: "LOGIN \"alice\" {9+}\r\npässwort\r\n"},
		{name: "a refusal keeps its code", dialog: faulty.Dialog{ImplicitTLS: true, TLS: cfg, Refuse: "NO [AUTHENTICATIONFAILED] no"},
			acct: imapdial.Account{User: "alice"}, pass: canary, reason: imapdial.Refused, code: "AUTHENTICATIONFAILED"},
		{name: "an ALERT is kept", dialog: faulty.Dialog{ImplicitTLS: true, TLS: cfg, Refuse: "NO [ALERT] pay \x1b[31mfirst"},
			acct: imapdial.Account{User: "alice"}, pass: canary, reason: imapdial.Refused, code: "ALERT", alerts: []string{"pay first"}},
		{name: "LOGINDISABLED is respected", dialog: dialog("IMAP4rev1 LOGINDISABLED"),
			acct: imapdial.Account{User: "alice"}, pass: canary, reason: imapdial.LoginDisabled},
		{name: "a password with a line end is not sent by LOGIN", dialog: dialog("IMAP4rev1"),
			acct: imapdial.Account{User: "alice"}, pass: "a\r\nA2 DELETE x", reason: imapdial.Unsendable},
		{name: "a BYE in place of an answer is one, even if the connection stays open", dialog: faulty.Dialog{ImplicitTLS: true, TLS: cfg, On: map[string]func(*faulty.Conn, string, string){
			"AUTHENTICATE": func(c *faulty.Conn, _, _ string) { c.Line("* BYE [UNAVAILABLE] later"); c.Stall() }}},
			acct: imapdial.Account{User: "alice"}, pass: canary, reason: imapdial.Interrupted, code: "UNAVAILABLE"},
		{name: "a broken exchange", dialog: faulty.Dialog{ImplicitTLS: true, TLS: cfg, On: map[string]func(*faulty.Conn, string, string){
			"AUTHENTICATE": func(c *faulty.Conn, _, _ string) { c.Cut() }}},
			acct: imapdial.Account{User: "alice"}, pass: canary, reason: imapdial.Interrupted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.dialog.Serve)
			session, err := signIn(t, s, ca, tt.acct, tt.pass)
			if tt.reason == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if !session.Has("UIDPLUS") || session.Has("AUTH=PLAIN") {
					t.Errorf("capabilities after sign-in: %v", session.Capabilities())
				}
			} else {
				var refused *imapdial.SignInError
				if !errors.As(err, &refused) || refused.Reason != tt.reason || refused.Response.Code != tt.code || fmt.Sprint(refused.Alerts) != fmt.Sprint(tt.alerts) {
					t.Errorf("got %+v", err)
				}
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, refused, refused), "c4n") {
					t.Errorf("the error shows the password: %+v", refused)
				}
			}
			if got := s.Received(); !bytes.Contains(got, []byte(tt.sent)) {
				t.Errorf("the server read %q, want it to contain %q", got, tt.sent)
			}
			if n := bytes.Count(s.Received(), []byte("LOGIN ")) + bytes.Count(s.Received(), []byte("AUTHENTICATE ")); n > 1 {
				t.Errorf("%d attempts to sign in", n)
			}
		})
	}
}

func TestTheTranscriptMasksSecrets(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	for _, inside := range []string{"IMAP4rev1 SASL-IR AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN", "IMAP4rev1", "IMAP4rev1 LITERAL+"} {
		s := serve(t, faulty.Dialog{ImplicitTLS: true, TLS: cfg, Inside: inside}.Serve)
		session, err := signIn(t, s, ca, imapdial.Account{User: "alice"}, canary)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, l := range session.Facts().Transcript {
			text.WriteString(l.Text + "\n")
		}
		encoded := base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + canary))
		if strings.Contains(text.String(), "c4n") || strings.Contains(text.String(), encoded) || !strings.Contains(text.String(), "<secret>") {
			t.Errorf("%s: transcript\n%s", inside, text.String())
		}
	}
}

func TestScramServerMustProveItself(t *testing.T) {
	ca := imaptest.NewCA("Test CA")
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(imaptest.Leaf{})}}
	answer := func(serverFirst func(clientFirst string) string, then string) func(*faulty.Conn, string, string) {
		return func(c *faulty.Conn, tag, args string) {
			_, ir, _ := strings.Cut(args, " ")
			first, _ := base64.StdEncoding.DecodeString(ir)
			c.Line("+ " + base64.StdEncoding.EncodeToString([]byte(serverFirst(string(first)))))
			c.ReadLine()
			if strings.HasPrefix(then, "+ ") {
				c.Line("+ " + base64.StdEncoding.EncodeToString([]byte(then[2:])))
				c.ReadLine()
				then = "OK in"
			}
			c.Line(tag + " " + then)
		}
	}
	first := func(iterations int) func(string) string {
		return func(clientFirst string) string {
			_, nonce, _ := strings.Cut(clientFirst, "r=")
			return fmt.Sprintf("r=%sxyz,s=c2FsdHNhbHQ=,i=%d", nonce, iterations)
		}
	}
	tests := []struct {
		name   string
		on     func(*faulty.Conn, string, string)
		reason imapdial.SignInReason
	}{
		{"an OK without proof is not believed", answer(first(4096), "OK in"), imapdial.ServerProof},
		{"a wrong proof is not believed", answer(first(4096), "+ v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), imapdial.ServerProof},
		{"a million iterations are not computed", answer(first(1_000_001), "NO sorry"), imapdial.BadChallenge},
		{"a nonce of another is not taken", answer(func(string) string { return "r=other,s=c2FsdHNhbHQ=,i=4096" }, "NO sorry"), imapdial.BadChallenge},
		{"a refusal is a refusal", answer(first(4096), "NO [AUTHENTICATIONFAILED] no"), imapdial.Refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, faulty.Dialog{ImplicitTLS: true, TLS: cfg, Inside: "IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256",
				On: map[string]func(*faulty.Conn, string, string){"AUTHENTICATE": tt.on}}.Serve)
			_, err := signIn(t, s, ca, imapdial.Account{User: "alice"}, canary)
			var refused *imapdial.SignInError
			if !errors.As(err, &refused) || refused.Reason != tt.reason {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEveryMechanismAgainstDovecot(t *testing.T) {
	d := realserver.StartDovecot(t, realserver.Config{
		Mechanisms: []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"},
		Users:      map[string]string{"alice": canary, "bob": "pässwort"},
	})
	for _, security := range []imapdial.Security{imapdial.TLS, imapdial.STARTTLS} {
		port := map[imapdial.Security]uint16{imapdial.TLS: d.IMAPS, imapdial.STARTTLS: d.IMAP}[security]
		ep := imapdial.Endpoint{Host: d.Host, Port: port, Security: security, TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}
		for _, mechanism := range []string{"", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "CRAM-MD5", "LOGIN"} {
			t.Run(security.String()+" "+mechanism, func(t *testing.T) {
				acct := imapdial.Account{Endpoint: ep, User: "alice", Mechanism: mechanism, Secret: secret.Given(secret.New([]byte(canary)))}
				session, err := imapdial.Open(t.Context(), acct, "password", nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer session.Close()
				if got := session.Account().Mechanism; mechanism == "" && got != "SCRAM-SHA-256" || mechanism != "" && got != mechanism {
					t.Errorf("used %s", got)
				}
				untagged, tagged, err := session.Do(t.Context(), "NAMESPACE")
				if err != nil || tagged.Status != "OK" || len(untagged) != 1 {
					t.Errorf("NAMESPACE: %v %v %v", untagged, tagged, err)
				}
				if err := session.Logout(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	t.Run("letters outside ASCII", func(t *testing.T) {
		ep := imapdial.Endpoint{Host: d.Host, Port: d.IMAPS, TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}
		for _, mechanism := range []string{"PLAIN", "LOGIN", "SCRAM-SHA-256"} {
			acct := imapdial.Account{Endpoint: ep, User: "bob", Mechanism: mechanism, Secret: secret.Given(secret.New([]byte("pässwort")))}
			session, err := imapdial.Open(t.Context(), acct, "password", nil, nil)
			if err != nil {
				t.Errorf("%s: %v", mechanism, err)
				continue
			}
			session.Close()
		}
	})
	t.Run("a wrong password is refused once", func(t *testing.T) {
		ep := imapdial.Endpoint{Host: d.Host, Port: d.IMAPS, TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}
		acct := imapdial.Account{Endpoint: ep, User: "alice", Secret: secret.Given(secret.New([]byte("wrong")))}
		_, err := imapdial.Open(t.Context(), acct, "password", nil, nil)
		var refused *imapdial.SignInError
		if !errors.As(err, &refused) || refused.Reason != imapdial.Refused || refused.Response.Code != "AUTHENTICATIONFAILED" {
			t.Errorf("got %v", err)
		}
	})
}
