package probe

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
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
		exit         int
		sent         int // sign-ins that the server saw
		apply        map[string]string
	}{
		{name: "wrong password", answer: "NO [AUTHENTICATIONFAILED] no", findings: []string{"auth.failed block account"}, exit: 13, sent: 1},
		{name: "wrong password without a code", answer: "NO LOGIN failed.", findings: []string{"auth.failed block account"}, exit: 13, sent: 1},
		{name: "wrong password with BAD", answer: "BAD what", findings: []string{"auth.failed block account"}, exit: 13, sent: 1},
		{name: "not authorized", answer: "NO [AUTHORIZATIONFAILED] no", findings: []string{"auth.contact-admin block account"}, exit: 13, sent: 1},
		{name: "may not act for another", answer: "NO [AUTHORIZATIONFAILED] no", authzID: "bob", findings: []string{"auth.failed block account"}, exit: 13, sent: 1},
		{name: "expired", answer: "NO [EXPIRED] change it", findings: []string{"auth.expired block account"}, exit: 13, sent: 1},
		{name: "contact the administrator", answer: "NO [CONTACTADMIN] call us", findings: []string{"auth.contact-admin block account"}, exit: 13, sent: 1},
		{name: "unavailable", answer: "NO [UNAVAILABLE] directory is down", findings: []string{"auth.unavailable block server"}, exit: 75, sent: 1},
		{name: "limit", answer: "NO [LIMIT] too many connections", findings: []string{"auth.limit block account"}, exit: 75, sent: 1},
		{name: "alert", answer: "NO [ALERT] accept the new terms first", findings: []string{"auth.alert block account"}, exit: 13, sent: 1},
		{name: "alert beside the answer", answer: "* OK [ALERT] read this\nNO no", findings: []string{"auth.alert block account"}, exit: 13, sent: 1},
		{name: "web login", answer: "NO [WEBALERT https://login.example.org/x] log in with a browser", findings: []string{"auth.web-login block account"}, exit: 13, sent: 1},
		{name: "BYE in answer", answer: "* BYE too many failures", findings: []string{"auth.interrupted block account"}, exit: 13, sent: 1},
		{name: "login disabled inside TLS", capabilities: "IMAP4rev1 LOGINDISABLED", answer: "NO no", findings: []string{"auth.login-disabled block server"}, exit: 13},
		{name: "tokens only", capabilities: "IMAP4rev1 SASL-IR LOGINDISABLED AUTH=XOAUTH2 AUTH=OAUTHBEARER", answer: "NO no", findings: []string{"auth.oauth-required block account"}, exit: 13},
		{name: "no mechanism in common", capabilities: "IMAP4rev1 LOGINDISABLED AUTH=GSSAPI", answer: "NO no", findings: []string{"auth.no-mechanism block server"}, exit: 13},
		{name: "the mechanism asked for is not there", mechanism: "CRAM-MD5", answer: "NO no", findings: []string{"auth.no-mechanism block you"}, exit: 13},
		{name: "SCRAM refused", capabilities: "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256", answer: "NO [AUTHENTICATIONFAILED] no",
			findings: []string{"auth.failed block account"}, exit: 13, sent: 1, apply: map[string]string{"auth": "PLAIN"}},
		{name: "white space around the password", password: canary + " ", answer: "NO [AUTHENTICATIONFAILED] no",
			findings: []string{"auth.failed block account", "auth.secret-whitespace warn you"}, exit: 13, sent: 1},
		{name: "letters outside ASCII with LOGIN alone", capabilities: "IMAP4rev1", password: canary + "ü", answer: "NO [AUTHENTICATIONFAILED] no",
			findings: []string{"auth.failed block account", "auth.password-encoding warn account"}, exit: 13, sent: 1},
		{name: "letters outside ASCII with PLAIN", password: canary + "ü", answer: "NO [AUTHENTICATIONFAILED] no", findings: []string{"auth.failed block account"}, exit: 13, sent: 1},
		{name: "words of a wanted app password", answer: "NO [ALERT] Application-specific password required: https://support.example.org/1 (Failure)",
			findings: []string{"auth.app-password block account"}, exit: 13, sent: 1},
		{name: "words of a wanted app password beside a code that says less", answer: "NO [AUTHENTICATIONFAILED] Application password is REQUIRED", findings: []string{"auth.app-password block account"}, exit: 13, sent: 1},
		{name: "words of a switched-off IMAP", answer: "NO [ALERT] Your account is not enabled for IMAP use. Please visit your settings", findings: []string{"auth.protocol-disabled block account"},
			exit: 13, sent: 1},
		{name: "words do not overrule a code", answer: "NO [EXPIRED] get an app password", findings: []string{"auth.expired block account"}, exit: 13, sent: 1},
		{name: "words of a browser", answer: "NO [ALERT] Please log in via your web browser: https://support.example.org/2.", findings: []string{"auth.web-login block account"}, exit: 13, sent: 1},
		{name: "words of too many connections", answer: "NO [ALERT] Too many simultaneous connections. (Failure)", findings: []string{"auth.limit block account"}, exit: 75, sent: 1},
		{name: "words of too much traffic", answer: "NO [ALERT] Account exceeded command or bandwidth limits. (Failure)", findings: []string{"account.traffic-limit block account"}, exit: 75, sent: 1},
		{name: "words of passwords that are not taken", answer: "NO LOGIN failed: LogonDenied-BasicAuthBlocked", findings: []string{"auth.oauth-required block account"}, exit: 13, sent: 1},
		{name: "LOGIN refused where only tokens are listed", capabilities: "IMAP4rev1 AUTH=XOAUTH2", answer: "NO LOGIN failed.", findings: []string{"auth.oauth-required block account"}, exit: 13, sent: 1,
			apply: map[string]string{"auth": "XOAUTH2"}},
		{name: "tokens only, and what to do with one", capabilities: "IMAP4rev1 SASL-IR LOGINDISABLED AUTH=XOAUTH2 AUTH=OAUTHBEARER", answer: "NO no", findings: []string{"auth.oauth-required block account"}, exit: 13,
			apply: map[string]string{"auth": "OAUTHBEARER"}},
		{name: "XOAUTH2 refused", capabilities: "IMAP4rev1 SASL-IR AUTH=XOAUTH2", mechanism: "XOAUTH2", answer: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
			findings: []string{"auth.token-rejected block you"}, exit: 13, sent: 1},
		{name: "OAUTHBEARER refused without a word", capabilities: "IMAP4rev1 AUTH=OAUTHBEARER", mechanism: "OAUTHBEARER", answer: "NO no", findings: []string{"auth.token-rejected block you"}, exit: 13, sent: 1},
		{name: "a token while the directory is down", capabilities: "IMAP4rev1 SASL-IR AUTH=XOAUTH2", mechanism: "XOAUTH2", answer: "NO [UNAVAILABLE] later", findings: []string{"auth.unavailable block server"}, exit: 75, sent: 1},
		{name: "a token with a line end", capabilities: "IMAP4rev1 SASL-IR AUTH=XOAUTH2", mechanism: "XOAUTH2", password: canary + "\nmore", answer: "NO no", findings: []string{"auth.no-mechanism block you"}, exit: 13},
		{name: "a password that PLAIN cannot carry", password: canary + "\x00", answer: "NO no", findings: []string{"auth.no-mechanism block you"}, exit: 13},
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
			checkEnding(t, w, o.Report, ending{tt.findings, Blocked, tt.exit, strings.Repeat("127.0.0.1:993/tls", tt.sent)})
			f := o.Report.Findings[0]
			if tt.apply != nil && !slices.ContainsFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["auth"] == tt.apply["auth"] }) {
				t.Errorf("no remedy applies %v: %+v", tt.apply, f.Remedies)
			}
			secretFree(t, o.Report, tt.password)
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

// secretFree checks that a report holds no secret, neither as it is nor in base64.
func secretFree(t *testing.T, r *Report, password string) {
	t.Helper()
	report, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{strings.TrimSpace(password), base64.StdEncoding.EncodeToString([]byte(password)), base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + password))} {
		if strings.Contains(string(report), form) {
			t.Errorf("the report holds the secret as %q", form)
		}
	}
}

// TestProviders reaches servers under the providers' own names: what is known of them is said where the server gives no reason.
func TestProviders(t *testing.T) {
	tests := []struct {
		name, host, capabilities, greeting, password, answer string
		finding                                              string
		certainty                                            finding.Certainty
		remedy                                               string // part of the first one
	}{
		{name: "a password of the account at a provider that wants an app password", host: "imap.mail.me.com", password: canary, answer: "NO [AUTHENTICATIONFAILED] Authentication failed",
			finding: "auth.app-password block account", certainty: finding.Likely, remedy: "iCloud: create an app-specific password"},
		{name: "a wrong app password", host: "imap.mail.me.com", password: "abcd-efgh-ijkl-mnop", answer: "NO [AUTHENTICATIONFAILED] Authentication failed",
			finding: "auth.failed block account", certainty: finding.Certain, remedy: "iCloud: the user name"},
		{name: "a password at a provider that takes only tokens", host: "outlook.office365.com", password: canary, answer: "NO LOGIN failed.",
			finding: "auth.oauth-required block account", certainty: finding.Likely, remedy: "XOAUTH2"},
		{name: "IMAP may be off", host: "imap.gmx.net", password: canary, answer: "NO [AUTHENTICATIONFAILED] no", finding: "auth.failed block account", certainty: finding.Certain, remedy: "GMX and WEB.DE: the user name"},
		{name: "known by its greeting", host: "mail.example.test", greeting: "* OK Coremail System IMap Server Ready(163com)", password: canary, answer: "NO [ALERT] IMAP access is disabled",
			finding: "auth.protocol-disabled block account", certainty: finding.Certain, remedy: "NetEase (163, 126, yeah): switch IMAP on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refuse := func(c *faulty.Conn, tag, _ string) { c.Line(tag + " " + tt.answer) }
			script := faulty.Dialog{TLS: serverTLS(imaptest.Leaf{DNSNames: []string{tt.host}}), ImplicitTLS: true, Greeting: tt.greeting,
				On: map[string]func(*faulty.Conn, string, string){"LOGIN": refuse, "AUTHENTICATE": refuse}}.Serve
			w := newWorld(t, map[uint16]faulty.Script{993: script})
			to := target(t, "imaps://"+tt.host)
			to.Connect, to.User, to.Secret = "127.0.0.1", "alice", secret.Given(secret.New([]byte(tt.password)))
			o := run(t, w.prober(), to)
			f := one(t, o.Report, tt.finding)
			if f.Certainty != tt.certainty || !strings.Contains(f.Remedies[0].Text, tt.remedy) || f.Evidence["provider_data"] == nil {
				t.Errorf("got certainty %s, remedies %+v, evidence %v", f.Certainty, f.Remedies, f.Evidence)
			}
			if received := string(w.servers[993].Received()); strings.Count(received, " AUTHENTICATE ")+strings.Count(received, " LOGIN ") != 1 {
				t.Errorf("the server read %q", received)
			}
		})
	}
}

func TestTokenObjection(t *testing.T) {
	objection := `{"status":"invalid_token","schemes":"bearer","scope":"https://mail.example.org/\u001b[31m"}`
	for mechanism, end := range map[string]string{"XOAUTH2": "", "OAUTHBEARER": "AQ=="} {
		t.Run(mechanism, func(t *testing.T) {
			answered := make(chan string, 1)
			script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, Inside: "IMAP4rev1 SASL-IR AUTH=" + mechanism, On: answers{
				"AUTHENTICATE": func(c *faulty.Conn, tag, _ string) {
					c.Line("+ " + base64.StdEncoding.EncodeToString([]byte(objection)))
					answered <- c.ReadLine()
					c.Line(tag + " NO SASL authentication failed")
				}}}.Serve
			w := newWorld(t, map[uint16]faulty.Script{993: script})
			to := withPassword(target(t, "imaps://127.0.0.1"))
			to.Mechanism = mechanism
			o := run(t, w.prober(), to)
			complete(t, o.Report)
			f := one(t, o.Report, "auth.token-rejected block you")
			if f.Evidence["status"] != "invalid_token" || f.Evidence["schemes"] != "bearer" || f.Evidence["scope"] != "https://mail.example.org/" {
				t.Errorf("got evidence %v", f.Evidence)
			}
			if got := <-answered; got != end {
				t.Errorf("the objection was answered with %q, want %q", got, end)
			}
			secretFree(t, o.Report, canary)
		})
	}
}

func TestSignInWithToken(t *testing.T) {
	for mechanism, want := range map[string]string{
		"XOAUTH2":     "user=alice\x01auth=Bearer " + canary + "\x01\x01",
		"OAUTHBEARER": "n,a=alice,\x01host=127.0.0.1\x01port=993\x01auth=Bearer " + canary + "\x01\x01",
	} {
		script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, Inside: "IMAP4rev1 SASL-IR AUTH=" + mechanism, On: answers{
			"AUTHENTICATE": func(c *faulty.Conn, tag, args string) {
				_, first, _ := strings.Cut(args, " ")
				if got, _ := base64.StdEncoding.DecodeString(first); string(got) != want {
					t.Errorf("%s sent %q, want %q", mechanism, got, want)
				}
				c.Line(tag + " OK [CAPABILITY IMAP4rev1] in")
				faulty.Dialog{}.Commands(c)
			}}}.Serve
		w := newWorld(t, map[uint16]faulty.Script{993: script})
		to := withPassword(target(t, "imaps://127.0.0.1"))
		to.Mechanism = mechanism
		if rec := run(t, w.prober(), to).Report.Targets[0].Endpoints[0]; status(rec, "auth.login") != Pass {
			t.Errorf("%s: got %v", mechanism, statuses(rec))
		}
	}
}

func TestConnectionLostAtSignIn(t *testing.T) {
	hangUp := func(c *faulty.Conn, _, _ string) { c.Cut() }
	script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, On: map[string]func(*faulty.Conn, string, string){"AUTHENTICATE": hangUp}}.Serve
	w := newWorld(t, map[uint16]faulty.Script{993: script})
	o := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1")))
	checkEnding(t, w, o.Report, ending{[]string{"auth.interrupted block account"}, Blocked, 13, "127.0.0.1:993/tls"})
	if n := w.servers[993].Connections(); n != 1 {
		t.Errorf("%d connections, want 1: nothing is tried twice", n)
	}
}

func TestSignInRemediesCarryTheRole(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: answering("IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-1", "NO [AUTHENTICATIONFAILED] no")})
	to := withPassword(target(t, "imaps://127.0.0.1"))
	to.Role = RoleDest
	f := one(t, run(t, w.prober(), to).Report, "auth.failed block account")
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
