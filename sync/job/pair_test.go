package job_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// mail makes a message of about so many octets.
func mail(n, octets int, flags ...string) imaptest.Message {
	body := fmt.Sprintf("Message-Id: <%d@example.org>\r\nSubject: message %d\r\n\r\n", n, n)
	for len(body) < octets {
		body += strings.Repeat("x", 70) + "\r\n"
	}
	return imaptest.Message{InternalDate: time.Date(2020, 1, 1, 0, 0, n, 0, time.UTC), Flags: flags, Body: []byte(body)}
}

func put(t *testing.T, a *imaptest.Account, mailbox string, list ...imaptest.Message) {
	t.Helper()
	if mailbox != "INBOX" {
		if err := a.Create(mailbox, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range list {
		if _, err := a.Append(mailbox, m); err != nil {
			t.Fatal(err)
		}
	}
}

// startBehindMeddler is start with a meddler before one side.
func startBehindMeddler(t *testing.T, role probe.Role, config imaptest.Config, leaf imaptest.Leaf, change func(string) string) *pair {
	t.Helper()
	config.Security = imaptest.Cleartext
	source, dest := config, imaptest.Config{}
	if role == probe.RoleDest {
		source, dest = dest, source
	}
	p := start(t, source, dest)
	server, target := p.source, &p.job.Source
	if role == probe.RoleDest {
		server, target = p.dest, &p.job.Dest
	}
	ca := imaptest.NewCA("meddler CA")
	target.Port, target.TLS.Roots = meddle(t, server, ca.Issue(leaf), change), ca.RootPEM()
	return p
}

func dovecotTarget(t *testing.T, config realserver.Config) probe.Target {
	t.Helper()
	config.Users = map[string]string{"alice": password}
	d := realserver.StartDovecot(t, config)
	return probe.Target{Host: d.Host, Port: d.IMAPS, User: "alice", Secret: secret.Given(secret.New([]byte(password))),
		TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}
}

// checkEnd checks verdict, exit code, and the status of a check of the pair.
func checkEnd(t *testing.T, r *probe.Report, verdict probe.Verdict, exit int, id string, status probe.Status) {
	t.Helper()
	if r.Verdict != verdict || r.ExitCode != exit {
		t.Errorf("verdict %s, exit %d, want %s, %d; findings %+v", r.Verdict, r.ExitCode, verdict, exit, r.Findings)
	}
	if c := check(t, r, id); c.Status != status || c.Summary == "" {
		t.Errorf("%s is %s: %s; want %s", id, c.Status, c.Summary, status)
	}
}

func TestAPairWithoutFaultIsReadyWithNumbers(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	put(t, p.from, "INBOX", mail(1, 40000), mail(2, 40000))
	r := preflight(t, p.job)
	checkEnd(t, r, probe.Ready, 0, "pair.estimate", probe.Pass)
	if r.Pair.EstimateSeconds <= 0 || r.Pair.EstimateSeconds > 10 {
		t.Errorf("the estimate is %v s", r.Pair.EstimateSeconds)
	}
	for id, status := range map[string]probe.Status{
		"pair.mailbox": probe.Pass, "pair.space": probe.Pass, "pair.sizes": probe.Skip, "pair.names": probe.Pass, "pair.flags": probe.Pass, "pair.capability": probe.Pass,
	} {
		checkEnd(t, r, probe.Ready, 0, id, status)
	}
	if facts := check(t, r, "pair.estimate").Facts; facts["rate_assumed"] != false || facts["messages"] != int64(2) {
		t.Errorf("facts %v", facts)
	}
	if n := p.source.Count("SELECT", "STORE", "APPEND") + p.dest.Count("STORE", "APPEND", "CREATE", "EXPUNGE"); n != 0 {
		t.Errorf("the preflight sent %d commands that write", n)
	}
}

const quotaPlugin = `mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:%s
}
`

func TestATooSmallQuotaBlocks(t *testing.T) {
	for name, c := range map[string]struct{ rule, root string }{
		"octets":   {"storage=100K", "STORAGE"},
		"messages": {"messages=3", "MESSAGE"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, imaptest.Config{}, imaptest.Config{})
			put(t, p.from, "INBOX", mail(1, 50000), mail(2, 50000), mail(3, 50000), mail(4, 50000))
			p.job.Dest, p.sides[1] = dovecotTarget(t, realserver.Config{Extra: fmt.Sprintf(quotaPlugin, c.rule)}), 0
			r := preflight(t, p.job)
			f := p.checkEnding(t, r, ending{"pair.quota-too-small block account", probe.Blocked, 22, "pair.space", probe.Fail})
			if f.Evidence["resource"] != c.root || f.Certainty != finding.Certain || f.Evidence["missing_messages"] != int64(4) {
				t.Errorf("evidence %v, %s", f.Evidence, f.Certainty)
			}
			if _, err := p.job.Sync(t.Context()); err == nil {
				t.Error("a blocked job syncs")
			}
		})
	}
}

func TestWhatIsThereAlreadyNeedsNoRoom(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	put(t, p.from, "INBOX", mail(1, 50000), mail(2, 50000), mail(3, 50000), mail(4, 50000))
	p.job.Dest = dovecotTarget(t, realserver.Config{Extra: fmt.Sprintf(quotaPlugin, "storage=250K")})
	if r := preflight(t, p.job); r.Verdict != probe.Ready {
		t.Fatalf("verdict %s, findings %+v", r.Verdict, r.Findings)
	}
	if s, err := p.job.Sync(t.Context()); err != nil || s.Messages.Copied != 4 {
		t.Fatalf("got %+v, %v", s, err)
	}
	r := preflight(t, p.job) // 50 KiB are free, and the source has four times as much
	checkEnd(t, r, probe.Ready, 0, "pair.space", probe.Pass)
	if r.Pair.EstimateSeconds != 0 || r.Pair.Messages != 4 {
		t.Errorf("got %+v", r.Pair)
	}
}

func TestMessagesThatAreTooLargeAreListed(t *testing.T) {
	capability := regexp.MustCompile(`APPENDLIMIT=\d+`)
	for name, perMailbox := range map[string]bool{"one limit for all": false, "a limit for each mailbox": true} {
		t.Run(name, func(t *testing.T) {
			p := startBehindMeddler(t, probe.RoleDest, imaptest.Config{MaxAppend: 20000}, imaptest.Leaf{}, func(line string) string {
				if perMailbox && !strings.Contains(line, "STATUS") {
					return capability.ReplaceAllString(line, "APPENDLIMIT")
				}
				return line
			})
			put(t, p.from, "INBOX", mail(1, 100), mail(2, 20000), mail(3, 300))
			put(t, p.from, "Work", mail(4, 100), mail(5, 40000))
			put(t, p.from, "Small", mail(6, 10000), mail(7, 15000))
			r := preflight(t, p.job)
			f := p.checkEnding(t, r, ending{"pair.message-too-big warn account", probe.Warning, 0, "pair.sizes", probe.Warned})
			var got []string
			for _, m := range f.Evidence["messages"].([]any) {
				m := m.(map[string]any)
				got = append(got, fmt.Sprintf("%v %v %v", m["folder"], m["uid"], m["limit"]))
			}
			if want := []string{"Work 2 20000", "INBOX 2 20000"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if !strings.HasPrefix(f.Summary, "2 messages are larger than the destination takes: Work UID 2 with 39") {
				t.Errorf("summary %q", f.Summary)
			}
		})
	}
}

// oddNames are names of folders, with the delimiter |, of which each server refuses some.
var oddNames = []string{
	"plain", "with space", "~tilde", "tab\tin it", strings.Repeat("long", 62), strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("ü", 100),
	"slash/in it", "brace{in it", "percent%in it", strings.Repeat("a|", 40) + "deep", strings.Repeat("y", 200) + "|" + strings.Repeat("z", 200),
	strings.Repeat("long|", 110) + "chain", "emoji 📬",
}

// foretell makes a preflight, and a sync after it. It returns the names that the preflight expected to be refused, with the certainty of all, and those that were.
func foretell(t *testing.T, dest probe.Target) (foretold, failed map[string]bool, certainty finding.Certainty) {
	t.Helper()
	p := start(t, imaptest.Config{Delim: '|'}, imaptest.Config{})
	for _, box := range oddNames {
		put(t, p.from, box, mail(1, 100))
	}
	p.job.Dest = dest
	r := preflight(t, p.job)
	checkEnd(t, r, probe.Warning, 0, "pair.names", probe.Warned)
	i := slices.Index(codes(r), "pair.name-refused warn account") // beside names that change, where the separator is in one
	if i < 0 {
		t.Fatalf("got findings %q", codes(r))
	}
	f := r.Findings[i]
	foretold, failed = map[string]bool{}, map[string]bool{}
	for _, n := range f.Evidence["names"].([]any) {
		foretold[n.(map[string]any)["source"].(string)] = true
	}
	s, err := p.job.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range s.Failures {
		failed[failure.Folder] = true
	}
	return foretold, failed, f.Certainty
}

func compareNames(t *testing.T, foretold, failed map[string]bool) {
	t.Helper()
	if !maps.Equal(foretold, failed) {
		t.Errorf("foretold %q\nfailed %q", slices.Sorted(maps.Keys(foretold)), slices.Sorted(maps.Keys(failed)))
	}
}

func TestNamesThatDovecotRefusesAreForetold(t *testing.T) {
	for name, config := range map[string]realserver.Config{
		"Maildir, separator /": {}, "Maildir, separator .": {Separator: "."}, "sdbox, separator /": {Storage: "sdbox"}, "sdbox, separator .": {Storage: "sdbox", Separator: "."},
	} {
		t.Run(name, func(t *testing.T) {
			foretold, failed, certainty := foretell(t, dovecotTarget(t, config))
			if certainty != finding.Possible {
				t.Errorf("certainty %s", certainty)
			}
			if config.Storage == "sdbox" { // what only Maildir refuses is foretold as possible
				maps.DeleteFunc(foretold, func(name string, _ bool) bool { return len(name) >= 255 && !failed[name] })
			}
			compareNames(t, foretold, failed)
		})
	}
}

func TestNamesThatCyrusRefusesAreForetold(t *testing.T) {
	for name, config := range map[string]realserver.CyrusConfig{"separator .": {}, "separator /": {Slash: true, Beside: true}} {
		t.Run(name, func(t *testing.T) {
			c := realserver.StartCyrus(t, config)
			foretold, failed, certainty := foretell(t, probe.Target{Host: c.Host, Port: c.IMAPS, User: "alice",
				Secret: secret.Given(secret.New([]byte("secret"))), TLS: imapdial.TLSPolicy{Roots: c.CA.RootPEM()}})
			if certainty != finding.Likely {
				t.Errorf("certainty %s", certainty)
			}
			compareNames(t, foretold, failed)
		})
	}
}

func TestANameThatIsThereProvesTheRuleWrong(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	put(t, p.from, "bell\a", mail(1, 100))
	r := preflight(t, p.job)
	if f := p.checkEnding(t, r, ending{"pair.name-refused warn account", probe.Warning, 0, "pair.names", probe.Warned}); f.Certainty != finding.Possible || strings.Contains(f.Summary, "\a") {
		t.Errorf("%s: %q", f.Certainty, f.Summary)
	}
	put(t, p.to, "other\a")
	checkEnd(t, preflight(t, p.job), probe.Ready, 0, "pair.names", probe.Pass)
}

func TestFlagsThatAreNotKeptAreTold(t *testing.T) {
	p := startBehindMeddler(t, probe.RoleDest, imaptest.Config{}, imaptest.Leaf{}, func(line string) string {
		if strings.HasPrefix(line, "* OK [PERMANENTFLAGS") {
			return "* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted $Forwarded)] the rest is lost\r\n"
		}
		return line
	})
	put(t, p.from, "INBOX", mail(1, 100, `\Seen`, "$Forwarded"), mail(2, 100, "$MDNSent"))
	put(t, p.from, "Work", mail(3, 100, "$Label1", `\Draft`))
	r := preflight(t, p.job)
	f := p.checkEnding(t, r, ending{"pair.flags-lost info account", probe.Ready, 0, "pair.flags", probe.Pass})
	if got, want := fmt.Sprint(f.Evidence["lost"]), fmt.Sprint([]any{"$Label1", "$MDNSent", `\Draft`}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMissingCapabilitiesAreTold(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{Without: []imap.Cap{imap.CapUIDPlus, imap.CapLiteralPlus}})
	put(t, p.from, "INBOX", mail(1, 100))
	r := preflight(t, p.job)
	f := p.checkEnding(t, r, ending{"pair.capability-missing info account", probe.Ready, 0, "pair.capability", probe.Pass})
	if got, want := fmt.Sprint(f.Evidence), "map[dest_lacks:[LITERAL+ UIDPLUS] source_lacks:[]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNumbersThatDoNotLastAreWarnedOf(t *testing.T) {
	validity := regexp.MustCompile(`UIDVALIDITY \d+`)
	for name, c := range map[string]struct {
		role   probe.Role
		change func(string) string
		want   string
	}{
		"UIDNOTSTICKY at the destination": {probe.RoleDest, replacing("* OK [UIDVALIDITY", "* OK", "* NO [UIDNOTSTICKY] numbers end here\r\n* OK"), "UIDNOTSTICKY"},
		"UIDNOTSTICKY at the source":      {probe.RoleSource, replacing("* OK [UIDVALIDITY", "* OK", "* NO [UIDNOTSTICKY] numbers end here\r\n* OK"), "UIDNOTSTICKY"},
		"another UIDVALIDITY": {probe.RoleSource, func(line string) string {
			if strings.HasPrefix(line, "* OK [UIDVALIDITY") {
				return validity.ReplaceAllString(line, "UIDVALIDITY 77")
			}
			return line
		}, "UIDVALIDITY of INBOX went from 77 to"},
		"UIDNEXT that goes back": {probe.RoleSource, replacing("* OK [UIDNEXT", "UIDNEXT ", "UIDNEXT 9"), "UIDNEXT of INBOX went back from 9"},
		"no UIDVALIDITY": {probe.RoleDest, func(line string) string {
			if strings.HasPrefix(line, "* STATUS") {
				return validity.ReplaceAllString(line, "UNSEEN 0")
			}
			return line
		}, "INBOX has no UIDVALIDITY"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startBehindMeddler(t, c.role, imaptest.Config{}, imaptest.Leaf{}, c.change)
			put(t, p.from, "INBOX", mail(1, 100))
			r := preflight(t, p.job)
			f := p.checkEnding(t, r, ending{"pair.uids-unreliable warn account", probe.Warning, 0, "pair.capability", probe.Warned})
			if f.Evidence["side"] != string(c.role) || !strings.Contains(f.Summary, c.want) {
				t.Errorf("%s: %v", f.Summary, f.Evidence)
			}
		})
	}
}

func TestACertificateThatEndsBeforeTheCopyIsWarnedOf(t *testing.T) {
	size := regexp.MustCompile(`SIZE \d+`)
	huge := func(line string) string {
		if strings.HasPrefix(line, "* STATUS") {
			return size.ReplaceAllString(line, "SIZE 9000000000000")
		}
		return line
	}
	p := startBehindMeddler(t, probe.RoleSource, imaptest.Config{}, imaptest.Leaf{NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(20 * time.Minute)}, huge)
	put(t, p.from, "INBOX", mail(1, 40000))
	r := preflight(t, p.job)
	f := p.checkEnding(t, r, ending{"pair.certificate-ends-before-copy warn account", probe.Warning, 0, "pair.estimate", probe.Warned})
	if f.Evidence["side"] != "source" || r.Pair.EstimateSeconds < 20*60 || f.Certainty != finding.Likely {
		t.Errorf("%+v, estimate %v s", f, r.Pair.EstimateSeconds)
	}
}

func TestSizesThatAreNotToldAreEstimated(t *testing.T) {
	p := start(t, imaptest.Config{Without: []imap.Cap{imap.CapStatusSize}}, imaptest.Config{Without: []imap.Cap{imap.CapStatusSize}})
	var list []imaptest.Message
	var octets int64
	for i := range 300 {
		m := mail(i, 200+i*10)
		list = append(list, m)
		octets += int64(len(m.Body))
	}
	put(t, p.from, "INBOX", list[:200]...)
	put(t, p.from, "Work", list[200:]...)
	put(t, p.to, "Work", list[200:250]...)
	r := preflight(t, p.job)
	if deviation := float64(r.Pair.Bytes)/float64(octets) - 1; deviation < -0.1 || deviation > 0.1 {
		t.Errorf("estimated %d octets of %d", r.Pair.Bytes, octets)
	}
	facts := check(t, r, "pair.estimate").Facts
	if facts["bytes_exact"] != false || facts["messages"] != int64(250) {
		t.Errorf("facts %v", facts)
	}
}

func TestALargeAccountIsOnlyLookedIntoSoFar(t *testing.T) {
	p := startBehindMeddler(t, probe.RoleDest, imaptest.Config{}, imaptest.Leaf{}, replacing("* OK [PERMANENTFLAGS", ` \*`, ""))
	for i := range 120 {
		put(t, p.from, fmt.Sprintf("folder %d", i), mail(i, 100))
	}
	p.source.ResetCounts()
	r := preflight(t, p.job)
	if n := p.source.Count("EXAMINE", "STATUS", "SEARCH", "FETCH"); n > 50 {
		t.Errorf("the source was asked %d times", n)
	}
	if r.Pair.Folders != 121 || r.Pair.Messages != 120 {
		t.Errorf("got %+v", r.Pair)
	}
}

func TestALostConnectionIsTold(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	put(t, p.from, "INBOX", mail(1, 100))
	p.source.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		if c.Name == "FETCH" {
			return imaptest.ErrHangUp
		}
		return nil
	}})
	r := preflight(t, p.job)
	for id, want := range map[string]probe.Status{"pair.mailbox": probe.Pass, "pair.space": probe.Pass, "pair.names": probe.Pass,
		"pair.sizes": probe.Errored, "pair.flags": probe.Errored, "pair.estimate": probe.Errored} {
		if c := check(t, r, id); c.Status != want || want == probe.Errored && !strings.Contains(c.Summary, "source: look into the mailboxes") {
			t.Errorf("%s is %s: %s", id, c.Status, c.Summary)
		}
	}
	p.source.SetHooks(imaptest.Hooks{})
	if s, err := p.job.Sync(t.Context()); err != nil || s.Messages.Copied != 1 {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestAnInboxThatCannotBeOpenedIsNoEnd(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	p.dest.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		if c.Name == "SELECT" {
			return fmt.Errorf("broken index")
		}
		return nil
	}})
	r := preflight(t, p.job)
	if c := check(t, r, "pair.flags"); c.Status != probe.Errored || !strings.Contains(c.Summary, "broken index") {
		t.Errorf("got %+v", c)
	}
	if r.Verdict == probe.Blocked {
		t.Errorf("findings %v", codes(r))
	}
}
