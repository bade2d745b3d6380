package probe

import (
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// answering is a good server with TLS that has these capabilities and gives answer, without the tag, to every sign-in.
func answering(capabilities, answer string) faulty.Script {
	say := func(c *faulty.Conn, tag, _ string) {
		for line := range strings.SplitSeq(answer, "\n") {
			if !strings.HasPrefix(line, "*") {
				line = tag + " " + line
			}
			c.Line(line)
		}
		if strings.HasPrefix(answer, "* BYE") {
			c.Close()
		}
	}
	return faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, Inside: capabilities,
		On: map[string]func(*faulty.Conn, string, string){"LOGIN": say, "AUTHENTICATE": say}}.Serve
}

func TestRefusedSignIn(t *testing.T) {
	const plain = "IMAP4rev1 SASL-IR AUTH=PLAIN"
	tests := []struct {
		name         string
		capabilities string
		answer       string
		mechanism    string // --auth
		authzID      string
		password     string
		findings     []string
		responsible  finding.Responsible
		exit         int
		sent         int // sign-ins that the server saw
		apply        map[string]string
	}{
		{name: "wrong password", answer: "NO [AUTHENTICATIONFAILED] no", findings: []string{"auth.failed block"}, responsible: finding.AccountHolder, exit: 13, sent: 1},
		{name: "wrong password without a code", answer: "NO LOGIN failed.", findings: []string{"auth.failed block"}, exit: 13, sent: 1},
		{name: "wrong password with BAD", answer: "BAD what", findings: []string{"auth.failed block"}, exit: 13, sent: 1},
		{name: "not authorized", answer: "NO [AUTHORIZATIONFAILED] no", findings: []string{"auth.contact-admin block"}, exit: 13, sent: 1},
		{name: "may not act for another", answer: "NO [AUTHORIZATIONFAILED] no", authzID: "bob", findings: []string{"auth.failed block"}, exit: 13, sent: 1},
		{name: "expired", answer: "NO [EXPIRED] change it", findings: []string{"auth.expired block"}, exit: 13, sent: 1},
		{name: "contact the administrator", answer: "NO [CONTACTADMIN] call us", findings: []string{"auth.contact-admin block"}, exit: 13, sent: 1},
		{name: "unavailable", answer: "NO [UNAVAILABLE] directory is down", findings: []string{"auth.unavailable block"}, responsible: finding.Server, exit: 75, sent: 1},
		{name: "limit", answer: "NO [LIMIT] too many connections", findings: []string{"auth.limit block"}, exit: 75, sent: 1},
		{name: "alert", answer: "NO [ALERT] accept the new terms first", findings: []string{"auth.alert block"}, exit: 13, sent: 1},
		{name: "alert beside the answer", answer: "* OK [ALERT] read this\nNO no", findings: []string{"auth.alert block"}, exit: 13, sent: 1},
		{name: "web login", answer: "NO [WEBALERT https://login.example.org/x] log in with a browser", findings: []string{"auth.web-login block"}, exit: 13, sent: 1},
		{name: "BYE in answer", answer: "* BYE too many failures", findings: []string{"auth.interrupted block"}, responsible: finding.Server, exit: 13, sent: 1},
		{name: "login disabled inside TLS", capabilities: "IMAP4rev1 LOGINDISABLED", answer: "NO no", findings: []string{"auth.login-disabled block"}, responsible: finding.Server, exit: 13},
		{name: "tokens only", capabilities: "IMAP4rev1 SASL-IR LOGINDISABLED AUTH=XOAUTH2 AUTH=OAUTHBEARER", answer: "NO no", findings: []string{"auth.oauth-required block"}, exit: 13},
		{name: "no mechanism in common", capabilities: "IMAP4rev1 LOGINDISABLED AUTH=GSSAPI", answer: "NO no", findings: []string{"auth.no-mechanism block"}, responsible: finding.Server, exit: 13},
		{name: "the mechanism asked for is not there", mechanism: "CRAM-MD5", answer: "NO no", findings: []string{"auth.no-mechanism block"}, responsible: finding.You, exit: 13},
		{name: "SCRAM refused", capabilities: "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256", answer: "NO [AUTHENTICATIONFAILED] no",
			findings: []string{"auth.failed block"}, exit: 13, sent: 1, apply: map[string]string{"auth": "PLAIN"}},
		{name: "white space around the password", password: canary + " ", answer: "NO [AUTHENTICATIONFAILED] no",
			findings: []string{"auth.failed block", "auth.secret-whitespace warn"}, exit: 13, sent: 1},
		{name: "letters outside ASCII with LOGIN alone", capabilities: "IMAP4rev1", password: canary + "ü", answer: "NO [AUTHENTICATIONFAILED] no",
			findings: []string{"auth.failed block", "auth.password-encoding warn"}, exit: 13, sent: 1},
		{name: "letters outside ASCII with PLAIN", password: canary + "ü", answer: "NO [AUTHENTICATIONFAILED] no", findings: []string{"auth.failed block"}, exit: 13, sent: 1},
		{name: "a password that PLAIN cannot carry", password: canary + "\x00", answer: "NO no", findings: []string{"auth.no-mechanism block"}, responsible: finding.You, exit: 13},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.capabilities == "" {
				tt.capabilities = plain
			}
			if tt.password == "" {
				tt.password = canary
			}
			w := newWorld(t, map[uint16]faulty.Script{993: answering(tt.capabilities, tt.answer)})
			to := target(t, "imaps://127.0.0.1")
			to.User, to.AuthzID, to.Mechanism = "alice", tt.authzID, tt.mechanism
			to.Secret = secret.Given(secret.New([]byte(tt.password)))
			o := run(t, w.prober(), to)
			complete(t, o.Report)
			if got := codes(o.Report); !slices.Equal(got, tt.findings) {
				t.Errorf("got findings %v, want %v", got, tt.findings)
			}
			if o.Report.Verdict != Blocked || o.Report.ExitCode != tt.exit {
				t.Errorf("got %s, exit code %d, want blocked, %d", o.Report.Verdict, o.Report.ExitCode, tt.exit)
			}
			f := o.Report.Findings[0]
			if tt.responsible != "" && f.Responsible != tt.responsible {
				t.Errorf("got responsible %s, want %s", f.Responsible, tt.responsible)
			}
			if tt.apply != nil && !slices.ContainsFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["auth"] == tt.apply["auth"] }) {
				t.Errorf("no remedy applies %v: %+v", tt.apply, f.Remedies)
			}
			received := string(w.servers[993].Received())
			if sent := strings.Count(received, " AUTHENTICATE ") + strings.Count(received, " LOGIN "); sent != tt.sent {
				t.Errorf("the server saw %d sign-ins, want %d", sent, tt.sent)
			}
			if o.Accounts[0] != nil || o.Report.Targets[0].Recommended != nil {
				t.Error("a target that refuses the sign-in has settings")
			}
			e := o.Report.Targets[0].Endpoints[0]
			if status(e, "auth.login") != Fail || status(e, "account.capability") != Held {
				t.Errorf("got %v", statuses(e))
			}
		})
	}
}

func TestConnectionLostAtSignIn(t *testing.T) {
	hangUp := func(c *faulty.Conn, _, _ string) { c.Cut() }
	script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, On: map[string]func(*faulty.Conn, string, string){"AUTHENTICATE": hangUp}}.Serve
	w := newWorld(t, map[uint16]faulty.Script{993: script})
	o := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1")))
	if got, want := codes(o.Report), []string{"auth.interrupted block"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := w.servers[993].Connections(); n != 1 {
		t.Errorf("%d connections, want 1: nothing is tried twice", n)
	}
}

func TestSignInRemediesCarryTheRole(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: answering("IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-1", "NO [AUTHENTICATIONFAILED] no")})
	to := withPassword(target(t, "imaps://127.0.0.1"))
	to.Role = RoleDest
	f := one(t, run(t, w.prober(), to).Report, "auth.failed")
	if !slices.ContainsFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["dest-auth"] == "PLAIN" }) {
		t.Errorf("no remedy applies dest-auth: %+v", f.Remedies)
	}
}

func TestSignInWithoutSecretIsHeld(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: faulty.GoodStartTLS(goodTLS())})
	o := run(t, w.prober(), target(t, "127.0.0.1"))
	if o.Report.Verdict != Ready || o.Report.ExitCode != 0 {
		t.Errorf("got %s, exit code %d", o.Report.Verdict, o.Report.ExitCode)
	}
	if rec := o.Report.Targets[0].Recommended; rec == nil || rec.Auth != "PLAIN" {
		t.Errorf("recommended %+v, want PLAIN as what would be used", rec)
	}
	if a := o.Accounts[0]; a == nil || a.Mechanism != "" {
		t.Errorf("got account %+v, want one that takes the strongest mechanism", a)
	}
	first, second := o.Report.Targets[0].Endpoints[0], o.Report.Targets[0].Endpoints[1]
	for _, c := range first.Checks {
		if held := c.ID == "auth.login" || c.ID == "account.capability" || c.ID == "account.namespace"; held && (c.Status != Held || c.BlockedBy != "input.secret") {
			t.Errorf("got %+v, want held by input.secret", c)
		}
	}
	if got := status(second, "auth.login"); got != Skip {
		t.Errorf("auth.login is %s at the other endpoint, want skip", got)
	}
}

func TestSuccessfulSignIn(t *testing.T) {
	script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, After: "IMAP4rev1 NAMESPACE QUOTA"}.Serve
	w := newWorld(t, map[uint16]faulty.Script{993: script})
	p := w.prober()
	p.KeepSessions = true
	o := run(t, p, withPassword(target(t, "imaps://127.0.0.1")))
	complete(t, o.Report)
	e := o.Report.Targets[0].Endpoints[0]
	for _, id := range []string{"auth.login", "account.capability", "account.namespace"} {
		if got := status(e, id); got != Pass {
			t.Errorf("%s is %s, want pass", id, got)
		}
	}
	if got, want := e.Capabilities.AfterLogin, []string{"IMAP4rev1", "NAMESPACE", "QUOTA"}; !slices.Equal(got, want) {
		t.Errorf("got capabilities %v after sign-in, want %v", got, want)
	}
	if len(e.Capabilities.BeforeTLS) != 0 || !slices.Contains(e.Capabilities.AfterTLS, "AUTH=PLAIN") {
		t.Errorf("got capabilities %+v", e.Capabilities)
	}
	if o.Accounts[0].Mechanism != "PLAIN" || o.Report.Targets[0].Recommended.Auth != "PLAIN" {
		t.Errorf("got account %+v", o.Accounts[0])
	}
	if o.Sessions[0] == nil {
		t.Fatal("no session was handed on")
	}
	if _, tagged, err := o.Sessions[0].Do(t.Context(), "NOOP"); err != nil || tagged.Status != "OK" {
		t.Errorf("the session cannot be used: %+v, %v", tagged, err)
	}
}

func TestConnectionLostAfterSignIn(t *testing.T) {
	script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, On: map[string]func(*faulty.Conn, string, string){
		"NAMESPACE": func(c *faulty.Conn, _, _ string) { c.Cut() }}}.Serve
	w := newWorld(t, map[uint16]faulty.Script{993: script})
	p := w.prober()
	p.KeepSessions = true
	o := run(t, p, withPassword(target(t, "imaps://127.0.0.1")))
	if got := status(o.Report.Targets[0].Endpoints[0], "account.namespace"); got != Errored {
		t.Errorf("account.namespace is %s, want error", got)
	}
	if o.Sessions[0] != nil || o.Accounts[0] == nil {
		t.Errorf("got session %v, account %v: want the settings without the dead session", o.Sessions[0], o.Accounts[0])
	}
}
