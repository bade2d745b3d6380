package probe

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

type answers = map[string]func(*faulty.Conn, string, string)

// say answers a command with lines; the last one gets the tag.
func say(lines ...string) func(*faulty.Conn, string, string) {
	return func(c *faulty.Conn, tag, _ string) {
		for _, l := range lines[:len(lines)-1] {
			c.Line(l)
		}
		c.Line(tag + " " + lines[len(lines)-1])
	}
}

// everything answers each command that is sent after sign-in in the same way.
func everything(answer func(*faulty.Conn, string, string)) answers {
	on := answers{}
	for _, name := range []string{"NAMESPACE", "GETQUOTAROOT", "MYRIGHTS", "STATUS", "LIST", "SELECT", "EXAMINE", "UNSELECT", "NOOP"} {
		on[name] = answer
	}
	return on
}

func TestAccounts(t *testing.T) {
	const all = "IMAP4rev1 NAMESPACE QUOTA UNSELECT"
	tests := []struct {
		name     string
		role     Role
		after    string // capabilities after sign-in
		on       answers
		findings []string
		verdict  Verdict
		exit     int
		settings bool     // the target has settings all the same
		statuses []string // of the account's checks: capability, namespace, quota, access
	}{
		{name: "healthy", verdict: Ready, settings: true, statuses: []string{"pass", "pass", "pass", "pass"}},
		{name: "healthy destination", role: RoleDest, verdict: Ready, settings: true, statuses: []string{"pass", "pass", "pass", "pass"}},
		{name: "healthy destination with rights", role: RoleDest, after: all + " ACL", verdict: Ready, settings: true, statuses: []string{"pass", "pass", "pass", "pass"}},
		{name: "neither namespaces nor quota", after: "IMAP4rev1", verdict: Ready, settings: true, statuses: []string{"pass", "skip", "skip", "pass"}},
		{name: "no quota set", on: answers{"GETQUOTAROOT": say(`* QUOTAROOT INBOX`, "OK none")}, verdict: Ready, settings: true, statuses: []string{"pass", "pass", "pass", "pass"}},
		{name: "limits that stop no message", on: answers{"GETQUOTAROOT": say(`* QUOTA "" (STORAGE 5 0 X-NUM-FOLDERS 3 3)`, "OK none")}, verdict: Ready, settings: true, statuses: []string{"pass", "pass", "pass", "pass"}},
		{name: "a refusal beside an inbox that opens", on: answers{"NAMESPACE": say("NO [LIMIT] not now")}, verdict: Ready, settings: true, statuses: []string{"pass", "error", "pass", "pass"}},
		{name: "the quota is not told", on: answers{"GETQUOTAROOT": say("NO not now")}, verdict: Ready, settings: true, statuses: []string{"pass", "pass", "error", "pass"}},
		{name: "a full destination", role: RoleDest, on: answers{"GETQUOTAROOT": say(`* QUOTAROOT INBOX "a (b)"`, `* QUOTA "a (b)" (STORAGE 512 512 MESSAGE 3 100)`, "OK done")},
			findings: []string{"account.over-quota block account"}, verdict: Blocked, exit: 22, settings: true, statuses: []string{"pass", "pass", "fail", "pass"}},
		{name: "a full source", role: RoleSource, on: answers{"GETQUOTAROOT": say(`* QUOTA "" (STORAGE 600 512)`, "OK done")},
			findings: []string{"account.over-quota block account"}, verdict: Warning, settings: true, statuses: []string{"pass", "pass", "fail", "pass"}},
		{name: "a destination that opens for reading only", role: RoleDest, on: answers{"SELECT": say("* 3 EXISTS", "OK [READ-ONLY] done")},
			findings: []string{"account.read-only block account"}, verdict: Blocked, exit: 14, settings: true, statuses: []string{"pass", "pass", "pass", "fail"}},
		{name: "a destination without the right to insert", role: RoleDest, after: all + " ACL", on: answers{"MYRIGHTS": say("* MYRIGHTS INBOX lrs", "OK done")},
			findings: []string{"account.read-only block account"}, verdict: Blocked, exit: 14, settings: true, statuses: []string{"pass", "pass", "pass", "fail"}},
		{name: "a source may be read-only", role: RoleSource, on: answers{"EXAMINE": say("OK [READ-ONLY] done")}, verdict: Ready, settings: true,
			statuses: []string{"pass", "pass", "pass", "pass"}},
		{name: "every command refused", on: everything(say("NO nothing here")),
			findings: []string{"account.no-mailbox block account"}, verdict: Blocked, exit: 14, statuses: []string{"pass", "held", "held", "fail"}},
		{name: "every command refused with BAD", after: "IMAP4rev1", on: everything(say("BAD User is authenticated but not connected.")),
			findings: []string{"account.no-mailbox block account"}, verdict: Blocked, exit: 14, statuses: []string{"pass", "held", "held", "fail"}},
		{name: "BYE in place of an answer", on: everything(func(c *faulty.Conn, _, _ string) { c.Line("* BYE no mailbox for you"); c.Close() }),
			findings: []string{"account.no-mailbox block account"}, verdict: Blocked, exit: 14, statuses: []string{"pass", "held", "held", "fail"}},
		{name: "nothing opens before an ID that it accepts", on: answers{"EXAMINE": say("NO EXAMINE Unsafe Login. Please contact kefu@example.net for help")},
			findings: []string{"account.id-required block account"}, verdict: Blocked, exit: 14, statuses: []string{"pass", "held", "held", "fail"}},
		{name: "too much traffic", on: answers{"EXAMINE": say("NO [ALERT] Account exceeded command or bandwidth limits. (Failure)")},
			findings: []string{"account.traffic-limit block account"}, verdict: Blocked, exit: 75, statuses: []string{"pass", "held", "held", "fail"}},
		{name: "too much traffic by its code", on: answers{"EXAMINE": say("NO [LIMIT] enough for today")},
			findings: []string{"account.traffic-limit block account"}, verdict: Blocked, exit: 75, statuses: []string{"pass", "held", "held", "fail"}},
		{name: "too much traffic as BYE", on: everything(func(c *faulty.Conn, _, _ string) {
			c.Line("* BYE Session expired, account exceeded command or bandwidth limits")
			c.Close()
		}), findings: []string{"account.traffic-limit block account"}, verdict: Blocked, exit: 75, statuses: []string{"pass", "held", "held", "fail"}},
		{name: "an inbox that does not open alone is no finding", on: answers{"EXAMINE": say("NO [NONEXISTENT] no inbox")}, verdict: Ready, settings: true,
			statuses: []string{"pass", "pass", "pass", "error"}},
		{name: "a namespace that cannot be read", on: answers{"NAMESPACE": say("* NAMESPACE nonsense", "OK done")}, verdict: Ready, settings: true,
			statuses: []string{"pass", "error", "pass", "pass"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.after == "" {
				tt.after = all
			}
			script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, After: tt.after, On: tt.on}.Serve
			w := newWorld(t, map[uint16]faulty.Script{993: script})
			to := withPassword(target(t, "imaps://127.0.0.1"))
			if tt.role != "" {
				to.Role = tt.role
			}
			o := run(t, w.prober(), to)
			complete(t, o.Report)
			checkEnding(t, w, o.Report, ending{tt.findings, tt.verdict, tt.exit, "127.0.0.1:993/tls"})
			if got := o.Report.Targets[0].Recommended != nil; got != tt.settings {
				t.Errorf("has settings: %t, want %t", got, tt.settings)
			}
			e := o.Report.Targets[0].Endpoints[0]
			var got []string
			for _, id := range []string{"account.capability", "account.namespace", "account.quota", "account.access"} {
				got = append(got, string(status(e, id)))
			}
			if !slices.Equal(got, tt.statuses) {
				t.Errorf("got %v, want %v", got, tt.statuses)
			}
			oneAttempt(t, w.servers[993])
		})
	}
}

// oneAttempt checks that the server saw one connection with one sign-in, and each command after it once.
func oneAttempt(t *testing.T, s *faulty.Server) {
	t.Helper()
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(s.Received())) {
		if words := strings.Fields(line); len(words) > 1 {
			seen[strings.ToUpper(words[1])]++
		}
	}
	for name, n := range seen {
		if n > 1 {
			t.Errorf("%s was sent %d times", name, n)
		}
	}
}

func TestAccountFacts(t *testing.T) {
	id := say(`* ID ("name" "Example" "version" "1.0")`, "OK done")
	script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, After: "IMAP4rev1 ID QUOTA LITERAL+ APPENDLIMIT", On: answers{
		"ID": id, "EXAMINE": say("* 12 EXISTS", "* OK [UIDVALIDITY 42] v", "* OK [UIDNEXT 99] n", "OK [READ-ONLY] done")}}.Serve
	w := newWorld(t, map[uint16]faulty.Script{993: script})
	o := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1")))
	facts := map[string]map[string]any{}
	for _, c := range o.Report.Targets[0].Endpoints[0].Checks {
		facts[c.ID] = c.Facts
	}
	capability, access, quotas := facts["account.capability"], facts["account.access"], facts["account.quota"]
	if capability["append_limit"] != int64(1048576) || capability["server_id"] != `("name" "Example" "version" "1.0")` ||
		!slices.Contains(capability["extensions"].([]any), any("LITERAL+")) || !slices.Contains(capability["missing"].([]any), any("UIDPLUS")) {
		t.Errorf("account.capability has the facts %v", capability)
	}
	if access["messages"] != int64(12) || access["uid_validity"] != "42" || access["uid_next"] != "99" || access["round_trip_ms"] == nil ||
		access["command_ms"].(map[string]any)["EXAMINE"] == nil {
		t.Errorf("account.access has the facts %v", access)
	}
	if got := fmt.Sprint(quotas["quotas"]); got != "[map[limit:512 resource:STORAGE unit:KiB used:10]]" {
		t.Errorf("account.quota has %s", got)
	}
}

func TestIDIsSentAfterSignInBeforeAnythingElse(t *testing.T) {
	tests := []struct {
		name   string
		answer func(*faulty.Conn, string, string)
		lost   bool
	}{
		{name: "answered", answer: say("* ID NIL", "OK done")},
		{name: "refused", answer: say("NO who are you")},
		{name: "not understood", answer: say("BAD what")},
		{name: "the connection ends", answer: func(c *faulty.Conn, _, _ string) { c.Cut() }, lost: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			script := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, Inside: "IMAP4rev1 ID AUTH=PLAIN SASL-IR", After: "IMAP4rev1 NAMESPACE", On: answers{"ID": tt.answer}}.Serve
			w := newWorld(t, map[uint16]faulty.Script{993: script})
			p := w.prober()
			p.Version = `1.2"\3`
			o := run(t, p, withPassword(target(t, "imaps://127.0.0.1")))
			if len(o.Report.Findings) != 0 || o.Accounts[0] == nil {
				t.Errorf("got %v", codes(o.Report))
			}
			received := string(w.servers[993].Received())
			auth, id, next := strings.Index(received, "AUTHENTICATE"), strings.Index(received, ` ID ("name" "imapilot" "version" "1.23")`), strings.Index(received, " NAMESPACE")
			if auth < 0 || id < auth || next >= 0 && next < id || next < 0 && !tt.lost {
				t.Errorf("the server read %q", received)
			}
		})
	}
}

func TestParseQuotas(t *testing.T) {
	tests := []struct {
		lines []string
		want  []quota
	}{
		{[]string{`* QUOTA "" (STORAGE 10 512)`}, []quota{{"STORAGE", 10, 512}}},
		{[]string{`* quota user.alice (storage 10 512 message 1 2)`}, []quota{{"STORAGE", 10, 512}, {"MESSAGE", 1, 2}}},
		{[]string{`* QUOTA {8} (STORAGE 1 2)`, `* QUOTA "(" (MESSAGE 3 4)`}, []quota{{"STORAGE", 1, 2}, {"MESSAGE", 3, 4}}},
		{[]string{`* QUOTA "" ()`, `* QUOTAROOT INBOX ""`, `* QUOTA "" (STORAGE)`, `* QUOTA "" (STORAGE -1 x)`, `* QUOTA`}, nil},
		{[]string{`* QUOTA "" (STORAGE 0 99999999999999999999999999)`}, nil},
	}
	for _, tt := range tests {
		var a imapdial.Answer
		for _, l := range tt.lines {
			a.Untagged = append(a.Untagged, wire.ParseResponse(l))
		}
		if got := parseQuotas(a); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.lines, got, tt.want)
		}
	}
}

func TestAccountsOnDovecot(t *testing.T) {
	d := realserver.StartDovecot(t, realserver.Config{Users: map[string]string{"alice": canary}, Extra: `
mail_plugins = quota acl
protocol imap {
  mail_plugins = quota imap_quota acl imap_acl
}
plugin {
  quota = count:User quota
  quota_rule = *:storage=1M
  quota_vsizes = yes
  acl = vfile
}
`})
	to := dovecotTarget(t, d, canary)
	to.Role = RoleDest
	o := run(t, dovecotProber(d), to)
	complete(t, o.Report)
	if o.Report.Verdict != Ready {
		t.Fatalf("got %s, %v", o.Report.Verdict, codes(o.Report))
	}
	for _, c := range o.Report.Targets[0].Endpoints[0].Checks {
		switch c.ID {
		case "account.quota":
			if c.Status != Pass || c.Summary != "0 of 1024 KiB used" {
				t.Errorf("account.quota is %s: %s", c.Status, c.Summary)
			}
		case "account.access":
			if rights, _ := c.Facts["rights"].(string); c.Status != Pass || !strings.Contains(rights, "i") {
				t.Errorf("account.access is %s with %v", c.Status, c.Facts)
			}
		case "account.capability":
			if id, _ := c.Facts["server_id"].(string); !strings.Contains(id, "Dovecot") {
				t.Errorf("account.capability has the facts %v", c.Facts)
			}
		}
	}
}
