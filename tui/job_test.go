package tui

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/sync/job"
)

// A realPair is two embedded servers and the wizard on them, with the real engines.
type realPair struct {
	*stage
	ca           *imaptest.CA
	source, dest *imaptest.Server
	from, to     *imaptest.Account
	messages     int
}

func newRealPair(t *testing.T) *realPair {
	t.Helper()
	p := &realPair{ca: imaptest.NewCA("wizard CA")}
	for _, side := range []struct {
		server  **imaptest.Server
		account **imaptest.Account
		config  imaptest.Config
	}{
		{&p.source, &p.from, imaptest.Config{}},
		{&p.dest, &p.to, imaptest.Config{Security: imaptest.STARTTLS, Delim: '.', Prefix: "INBOX."}},
	} {
		side.config.Certificate = p.ca.Issue(imaptest.Leaf{})
		server, err := imaptest.Start(side.config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		*side.server, *side.account = server, server.AddAccount("anna", canary)
	}
	sample := imaptest.Sample()
	for _, f := range sample {
		p.messages += len(f.Messages)
	}
	if err := p.from.Fill(sample); err != nil {
		t.Fatal(err)
	}
	stateDir := t.TempDir()
	cfg := &Config{NewJob: func(source, dest probe.Target) *Backend {
		return ForJob(&job.Job{Source: source, Dest: dest, StateDir: stateDir, Prober: probe.Prober{Timeout: 5 * time.Second}})
	}}
	cfg.Source.Target.TLS.CAs, cfg.Dest.Target.TLS.CAs = p.ca.RootPEM(), p.ca.RootPEM()
	p.stage = openStage(t, cfg)
	t.Cleanup(func() {
		if s := p.w.session; s != nil {
			s.close()
		}
	})
	p.w.servers.focus(source, fieldHost)
	p.paste("imaps://anna@" + p.source.Address())
	p.w.servers.focus(source, fieldPassword)
	p.paste(canary + "\n")
	p.w.servers.focus(dest, fieldHost)
	p.paste("imap+starttls://anna@" + p.dest.Address())
	p.w.servers.focus(dest, fieldPassword)
	p.paste(canary + "\r\n")
	return p
}

func (p *realPair) idle(what string) {
	p.t.Helper()
	p.until(what, func() bool { return p.w.op == nil })
}

// arrived counts the messages at the destination.
func (p *realPair) arrived() int {
	n := 0
	for _, m := range p.to.Mailboxes() {
		n += len(p.to.Messages(m.Name))
	}
	return n
}

func TestTheWholeWayWithRealEngines(t *testing.T) {
	p := newRealPair(t)
	p.press("ctrl+n")
	p.idle("the end of the check")
	p.shows("✓ Sign-in", "ready; n plans the copy")
	p.press("n")
	p.idle("the plan")
	p.shows("Archive/2016", "INBOX.Drafts", "new")
	p.press("n", "enter")
	p.idle("the end of the copy")
	p.shows("complete", "none is missing")
	if n := p.arrived(); n != p.messages {
		t.Errorf("%d messages arrived, want %d", n, p.messages)
	}
	p.press("q")
	p.until("the end", func() bool { return p.quit })
	if p.w.exitCode != 0 {
		t.Errorf("exit code %d", p.w.exitCode)
	}
}

func TestNothingIsSentToAServerWhoseTLSCheckFailed(t *testing.T) {
	for _, c := range []struct {
		name, row string
		fault     func(p *realPair)
	}{
		{"an expired certificate", "✗ Certificate expired", func(p *realPair) {
			p.dest.SetCertificate(p.ca.Issue(imaptest.Leaf{NotAfter: time.Now().Add(-time.Hour)}))
		}},
		{"a certificate for another name", "✗ Name        name mismatch", func(p *realPair) {
			p.dest.SetCertificate(p.ca.Issue(imaptest.Leaf{DNSNames: []string{"other.example"}}))
		}},
		{"an unknown authority", "✗ Certificate", func(p *realPair) {
			p.dest.SetCertificate(imaptest.NewCA("nobody's CA").Issue(imaptest.Leaf{}))
		}},
		{"STARTTLS taken away", "✗ STARTTLS    stripped", func(p *realPair) { p.dest.SetStartTLS(imaptest.StartTLSStripped) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newRealPair(t)
			c.fault(p)
			p.press("ctrl+n")
			p.idle("the end of the check")
			p.shows(c.row, "your password was not sent there", "held: both sign-ins come first")
			if n := p.dest.Count("LOGIN", "AUTHENTICATE"); n != 0 {
				t.Errorf("the destination saw %d sign-ins", n)
			}
			if n := p.source.Count("LOGIN", "AUTHENTICATE"); n != 1 {
				t.Errorf("the source saw %d sign-ins, want 1", n)
			}
			p.press("n")
			if p.w.at != stepCheck {
				t.Error("the wizard goes on")
			}
		})
	}
}

func TestAFixOfTheRealProbeIsApplied(t *testing.T) {
	p := newRealPair(t)
	p.dest.SetCertificate(p.ca.Issue(imaptest.Leaf{DNSNames: []string{"other.example"}}))
	p.press("ctrl+n")
	p.idle("the end of the check")
	for n, r := range worst(p.w.check.current(p.w).findings).Remedies {
		if r.Apply["dest-server-name"] == "other.example" {
			p.press(strconv.Itoa(n + 1))
		}
	}
	if p.w.op == nil {
		t.Fatalf("no fix was applied\n%s", draw(p.w, 80, 24))
	}
	p.idle("the end of the second check")
	p.shows("ready; n plans the copy")
}

func TestACopyThatIsInterruptedAndRunAgainIsComplete(t *testing.T) {
	p := newRealPair(t)
	p.press("ctrl+n")
	p.idle("the end of the check")
	p.press("n")
	p.idle("the plan")
	writing, goOn := make(chan struct{}, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	p.dest.SetHooks(imaptest.Hooks{After: func(c imaptest.Command) error {
		if strings.EqualFold(c.Name, "APPEND") {
			select {
			case writing <- struct{}{}:
			default:
			}
			<-goOn
		}
		return nil
	}})
	p.press("n", "enter")
	p.until("the first message that is written", func() bool {
		select {
		case <-writing:
			return true
		default:
			return false
		}
	})
	p.press("q", "s")
	release()
	p.idle("the end of the copy")
	p.shows("stopped", "r runs it again")
	if n := p.arrived(); n == 0 || n >= p.messages {
		t.Errorf("%d of %d messages arrived before the stop", n, p.messages)
	}
	p.press("r")
	p.idle("the end of the second run")
	p.shows("complete", "none is missing")
	if n := p.arrived(); n != p.messages {
		t.Errorf("%d messages are there, want %d", n, p.messages)
	}
}

func TestLeavingARealCheckStopsIt(t *testing.T) {
	p := newRealPair(t)
	goOn := make(chan struct{})
	defer close(goOn)
	asked := make(chan struct{}, 1)
	p.dest.SetHooks(imaptest.Hooks{Before: func(c imaptest.Command) error {
		if strings.EqualFold(c.Name, "AUTHENTICATE") || strings.EqualFold(c.Name, "LOGIN") {
			asked <- struct{}{}
			<-goOn
		}
		return nil
	}})
	p.press("ctrl+n")
	p.until("the sign-in", func() bool { return len(asked) > 0 })
	p.press("ctrl+c")
	p.until("the end", func() bool { return p.quit })
	if p.w.exitCode != 130 {
		t.Errorf("exit code %d, want 130", p.w.exitCode)
	}
}
