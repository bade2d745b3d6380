package job_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	mailsync "github.com/imapilot-project/imapilot/sync"
	"github.com/imapilot-project/imapilot/sync/job"
)

const password = "s3cr3t"

// A pair is two embedded servers with an account of alice each, and a job between them.
type pair struct {
	source, dest *imaptest.Server
	from, to     *imaptest.Account
	job          *job.Job
	sides        [2]int // of the job, that lead to source and to dest
}

func start(t *testing.T, source, dest imaptest.Config) *pair {
	t.Helper()
	ca := imaptest.NewCA("Test CA")
	p := &pair{sides: [2]int{1, 1}}
	for _, side := range []struct {
		server  **imaptest.Server
		account **imaptest.Account
		config  imaptest.Config
	}{{&p.source, &p.from, source}, {&p.dest, &p.to, dest}} {
		side.config.Certificate = ca.Issue(imaptest.Leaf{})
		s, err := imaptest.Start(side.config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		*side.server, *side.account = s, s.AddAccount("alice", password)
	}
	p.job = &job.Job{Source: target(p.source, ca), Dest: target(p.dest, ca), StateDir: t.TempDir()}
	t.Cleanup(p.job.Close)
	return p
}

func target(s *imaptest.Server, ca *imaptest.CA) probe.Target {
	return probe.Target{
		Input: s.Address(), Host: s.Host(), Port: s.Port(), User: "alice",
		Secret: secret.Given(secret.New([]byte(password))), TLS: imapdial.TLSPolicy{Roots: ca.RootPEM()},
	}
}

func preflight(t *testing.T, j *job.Job) *probe.Report {
	t.Helper()
	r, err := j.Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// codes lists the findings, each as "code severity responsible".
func codes(r *probe.Report) (codes []string) {
	for _, f := range r.Findings {
		codes = append(codes, fmt.Sprintf("%s %s %s", f.Code, f.Severity, f.Responsible))
	}
	return codes
}

func check(t *testing.T, r *probe.Report, id string) probe.Result {
	t.Helper()
	for _, c := range r.Pair.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("the pair has no check %s", id)
	return probe.Result{}
}

func TestTheWholeJob(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{Security: imaptest.STARTTLS, Delim: '.', Prefix: "INBOX."})
	if err := p.from.Fill(imaptest.Sample()); err != nil {
		t.Fatal(err)
	}
	r := preflight(t, p.job)
	if r.Schema != "imapilot.preflight/1" || r.Verdict == probe.Blocked || r.Pair.Folders == 0 || r.Pair.Messages == 0 || r.Pair.Bytes == 0 {
		t.Fatalf("got %+v, findings %v", r, r.Findings)
	}
	if got := check(t, r, "pair.names").Status; got != probe.Pass {
		t.Errorf("pair.names is %s", got)
	}
	summary, err := p.job.Sync(t.Context())
	if err != nil || summary.Verdict != "complete" || summary.Messages.Copied != r.Pair.Messages {
		t.Fatalf("got %+v, %v", summary, err)
	}
	verified, err := p.job.Verify(t.Context(), true)
	if err != nil || verified.Verdict != "equal" {
		t.Errorf("got %+v, %v", verified, err)
	}

	p.source.ResetCounts()
	p.dest.ResetCounts()
	preflight(t, p.job)
	summary, err = p.job.Sync(t.Context())
	if err != nil || summary.Messages.Copied != 0 || summary.Messages.Present != summary.Messages.Source {
		t.Errorf("second run: %+v, %v", summary, err)
	}
	if n := p.dest.Count("APPEND", "STORE", "CREATE"); n != 0 {
		t.Errorf("the second run sent %d writing commands", n)
	}
	if a, b := p.source.Count("LOGIN", "AUTHENTICATE"), p.dest.Count("LOGIN", "AUTHENTICATE"); a != 1 || b != 1 {
		t.Errorf("the second run signed in %d and %d times", a, b)
	}
	if n := p.source.Count("APPEND", "STORE", "CREATE", "DELETE", "SUBSCRIBE", "EXPUNGE", "SELECT"); n != 0 {
		t.Errorf("the source saw %d writing commands", n)
	}
}

func TestOneMailboxOnBothSidesBlocks(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	p.job.Dest, p.sides = p.job.Source, [2]int{2, 0}
	p.checkEnding(t, preflight(t, p.job), ending{"pair.same-mailbox block you", probe.Blocked, 2, "pair.mailbox", probe.Fail})
	var blocked *job.BlockedError
	if _, err := p.job.Sync(t.Context()); !errors.As(err, &blocked) {
		t.Errorf("a blocked job syncs: %v", err)
	}
}

func TestOneMailboxBehindTwoPortsIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(string) string
		want   ending
	}{
		"by its MAILBOXID": {replacing("* OK [UIDVALIDITY", "* OK", "* OK [MAILBOXID (F2212ea87)] the same for all\r\n* OK"),
			ending{"pair.same-mailbox block you", probe.Blocked, 2, "pair.mailbox", probe.Fail}},
		"by equal numbers": {func(line string) string { return line }, ending{"pair.same-mailbox high you", probe.Warning, 0, "pair.mailbox", probe.Warned}},
	} {
		t.Run(name, func(t *testing.T) {
			p := startBehindMeddler(t, probe.RoleSource, imaptest.Config{}, imaptest.Leaf{}, c.change)
			put(t, p.from, "INBOX", mail(1, 100))
			ca := imaptest.NewCA("second CA")
			p.job.Dest, p.sides = p.job.Source, [2]int{2, 0}
			p.job.Dest.Port, p.job.Dest.TLS.Roots = meddle(t, p.source, ca.Issue(imaptest.Leaf{}), c.change), ca.RootPEM()
			p.checkEnding(t, preflight(t, p.job), c.want)
		})
	}
}

func TestNamesThatWouldCollideBlock(t *testing.T) {
	p := start(t, imaptest.Config{Delim: '/'}, imaptest.Config{Delim: '.'})
	for _, name := range []string{"x.y", "x_y"} {
		if err := p.from.Create(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	p.checkEnding(t, preflight(t, p.job), ending{"pair.name-collision block you", probe.Blocked, 14, "pair.names", probe.Fail})
}

func TestNamesThatChangeAreTold(t *testing.T) {
	p := start(t, imaptest.Config{Delim: '/'}, imaptest.Config{Delim: '.'})
	if err := p.from.Create("x.y", ""); err != nil {
		t.Fatal(err)
	}
	p.checkEnding(t, preflight(t, p.job), ending{"pair.name-changed info account", probe.Ready, 0, "pair.names", probe.Pass})
}

func TestWithoutSecretsThePairIsHeld(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	p.job.Source.Secret, p.job.Dest.Secret = nil, nil
	r := preflight(t, p.job)
	if r.Verdict != probe.Ready || r.Pair == nil || r.Pair.Folders != 0 {
		t.Errorf("verdict %s, findings %v, pair %+v", r.Verdict, codes(r), r.Pair)
	}
	for _, c := range r.Pair.Checks {
		if c.Status != probe.Held || c.BlockedBy != "input.secret" {
			t.Errorf("%s is %s by %q", c.ID, c.Status, c.BlockedBy)
		}
	}
}

func TestABlockedSideHoldsThePair(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	p.to.SetPassword("another")
	r := preflight(t, p.job)
	c := check(t, r, "pair.names")
	if r.Verdict != probe.Blocked || r.ExitCode != 13 || c.Status != probe.Held || c.BlockedBy != "auth.login" {
		t.Errorf("verdict %s, exit %d, pair.names %+v", r.Verdict, r.ExitCode, c)
	}
}

func TestASecondRunWaitsForTheLock(t *testing.T) {
	p := start(t, imaptest.Config{}, imaptest.Config{})
	preflight(t, p.job)
	entered, release := make(chan struct{}), make(chan struct{})
	p.dest.ResetCounts()
	p.dest.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		if c.Name == "LIST" && c.Count == 1 {
			close(entered)
			<-release
		}
		return nil
	}})
	done := make(chan error, 1)
	go func() {
		_, err := p.job.Sync(context.Background())
		done <- err
	}()
	select {
	case <-entered:
	case err := <-done:
		t.Fatalf("the first run is through: %v", err)
	}
	second := &job.Job{Source: p.job.Source, Dest: p.job.Dest, StateDir: p.job.StateDir}
	defer second.Close()
	p.dest.SetHooks(imaptest.Hooks{})
	preflight(t, second)
	if _, err := second.Sync(t.Context()); !errors.Is(err, mailsync.ErrLocked) {
		t.Errorf("the second run says %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the first run says %v", err)
	}
}

func TestTheWholeJobBetweenDovecots(t *testing.T) {
	source := realserver.StartDovecot(t, realserver.Config{Separator: "/", Storage: "sdbox"}) // Maildir takes no dot in a name
	dest := realserver.StartDovecot(t, realserver.Config{Separator: ".", Prefix: "INBOX.", CA: source.CA})
	side := func(d *realserver.Dovecot, port uint16) probe.Target {
		return probe.Target{Host: d.Host, Port: port, User: "alice", Secret: secret.Given(secret.New([]byte("secret"))),
			TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}
	}
	upload(t, source)
	j := &job.Job{Source: side(source, source.IMAPS), Dest: side(dest, dest.IMAP), StateDir: t.TempDir()}
	defer j.Close()
	if r := preflight(t, j); r.Verdict != probe.Ready {
		t.Fatalf("verdict %s, findings %+v", r.Verdict, r.Findings)
	}
	if s, err := j.Sync(t.Context()); err != nil || s.Verdict != "complete" {
		t.Fatalf("got %+v, %v", s, err)
	}
	if v, err := j.Verify(t.Context(), true); err != nil || v.Verdict != "equal" {
		t.Errorf("got %+v, %v", v, err)
	}
}

// upload fills alice's account with the sample mail.
func upload(t *testing.T, d *realserver.Dovecot) {
	t.Helper()
	acct := imapdial.Account{User: "alice", Secret: secret.Given(secret.New([]byte("secret"))),
		Endpoint: imapdial.Endpoint{Host: d.Host, Port: d.IMAPS, TLS: imapdial.TLSPolicy{Roots: d.CA.RootPEM()}}}
	session, err := imapdial.Open(t.Context(), acct, "password", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	control, err := session.Control(imapdial.ControlOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	if err := imaptest.Upload(t.Context(), control.Client, imaptest.Sample()); err != nil {
		t.Fatal(err)
	}
}
