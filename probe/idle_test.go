package probe

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// pause is how long connections are left idle in tests.
const pause = 200 * time.Millisecond

// onNOOP is a good server that does this when the connection that was left idle asks whether it still works.
func onNOOP(then faulty.Script) faulty.Script {
	return faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, On: map[string]func(*faulty.Conn, string, string){"NOOP": func(c *faulty.Conn, _, _ string) { then(c) }}}.Serve
}

// onceIdle is a good server that does this when it has answered the last command before the pause: with signedIn that which opens the inbox, else none
// after the greeting of the connection that is left idle.
func onceIdle(signedIn bool, then faulty.Script) faulty.Script {
	d := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true}
	if signedIn {
		d.On = map[string]func(*faulty.Conn, string, string){"EXAMINE": func(c *faulty.Conn, tag, _ string) {
			c.Line("* 0 EXISTS")
			c.Line(tag + " OK [READ-ONLY] done")
			then(c)
		}}
		return d.Serve
	}
	return func(c *faulty.Conn) {
		if c.Number() < 2 {
			d.Serve(c)
			return
		}
		c.StartTLS(d.TLS)
		c.Line("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready")
		then(c)
	}
}

func idleResult(e *EndpointReport) Result {
	return e.Checks[slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == "audit.idle" })]
}

func TestIdle(t *testing.T) {
	soon := pause / 4
	after := func(then faulty.Script) faulty.Script { return func(c *faulty.Conn) { c.Wait(soon); then(c) } }
	goodbye := func(c *faulty.Conn) { c.Line("* BYE idle for too long"); c.Close() }
	tests := []struct {
		name   string
		server func(signedIn bool) faulty.Script
		want   Status
		answer string // of net.idle-cut, which is there then
		says   string // in the summary
	}{
		{name: "it still works", server: func(bool) faulty.Script { return inTLS(goodTLS()) }, want: Pass, says: "a connection still works after "},
		{name: "the server logs out by itself", server: func(in bool) faulty.Script { return onceIdle(in, after(goodbye)) }, want: Pass, says: "the server said: idle for too long"},
		{name: "the server closes by itself", server: func(in bool) faulty.Script { return onceIdle(in, after((*faulty.Conn).Cut)) }, want: Pass, says: "the server itself ends a connection"},
		{name: "the server closes at the next command", server: func(bool) faulty.Script { return onNOOP(goodbye) }, want: Pass, says: "at the next command; the server said: idle for too long"},
		{name: "a reset in answer", server: func(bool) faulty.Script { return onNOOP((*faulty.Conn).Reset) }, want: Warned, answer: "reset", says: "is answered with a reset"},
		{name: "a reset meanwhile", server: func(in bool) faulty.Script { return onceIdle(in, after((*faulty.Conn).Reset)) }, want: Warned, answer: "reset", says: "is reset after "},
	}
	for _, tt := range tests {
		for _, signedIn := range []bool{true, false} {
			name := tt.name + ", before the sign-in"
			if signedIn {
				name = tt.name + ", after the sign-in"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checkIdle(t, tt.server(signedIn), signedIn, tt.want, tt.answer, tt.says)
			})
		}
	}
}

// checkIdle probes with --idle and compares the check, and the finding if answer is not "", and returns the evidence.
func checkIdle(t *testing.T, script faulty.Script, signedIn bool, want Status, answer, says string) (facts, evidence map[string]any) {
	t.Helper()
	server, err := faulty.Serve(script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	p := direct(time.Second)
	p.Idle = pause
	to := target(t, "imaps://"+server.Address())
	ends := ending{verdict: Ready}
	if signedIn {
		to, ends.signIn = withPassword(to), server.Address()+"/tls"
	}
	if answer != "" {
		ends.findings, ends.verdict = []string{"net.idle-cut warn unknown"}, Warning
	}
	o := run(t, p, to)
	complete(t, o.Report)
	if signedIn {
		checkEnding(t, nil, o.Report, ends)
	} else if got := codes(o.Report); !slices.Equal(got, ends.findings) || o.Report.Verdict != ends.verdict || o.Report.ExitCode != 0 {
		t.Errorf("got %v, %s, exit code %d", got, o.Report.Verdict, o.Report.ExitCode)
	}
	if n := bytes.Count(server.Received(), []byte(" AUTHENTICATE ")); (n == 1) != signedIn || n > 1 {
		t.Errorf("%d sign-ins", n)
	}
	if o.Report.Targets[0].Recommended == nil || o.Accounts[0] == nil {
		t.Error("there are no settings")
	}
	r := idleResult(o.Report.Targets[0].Endpoints[0])
	if r.Status != want || !strings.Contains(r.Summary, says) || r.Facts["signed_in"] != signedIn {
		t.Errorf("got %s: %s; %v", r.Status, r.Summary, r.Facts)
	}
	if o.Report.DurationMS < pause.Milliseconds()/4 {
		t.Errorf("the run took %d ms", o.Report.DurationMS)
	}
	if answer == "" {
		return r.Facts, nil
	}
	f := one(t, o.Report, "net.idle-cut warn unknown")
	if seconds, ok := f.Evidence["idle_seconds"].(float64); !ok || seconds <= 0 || seconds > 10 || f.Evidence["answer"] != answer || f.Check != "audit.idle" {
		t.Errorf("%s has the evidence %v", f.Check, f.Evidence)
	}
	wantLetter(t, f, "127.0.0.1", "RFC 5382")
	return r.Facts, f.Evidence
}

func TestIdleWhereItCannotBe(t *testing.T) {
	t.Run("it was not asked for", func(t *testing.T) {
		w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS())})
		r := idleResult(run(t, w.prober(), target(t, "imaps://127.0.0.1")).Report.Targets[0].Endpoints[0])
		if r.Status != Skip || r.Summary != "not asked for: --idle" {
			t.Errorf("got %s: %s", r.Status, r.Summary)
		}
	})
	t.Run("at the port that is not recommended", func(t *testing.T) {
		w := newWorld(t, map[uint16]faulty.Script{993: inTLS(goodTLS()), 143: faulty.GoodStartTLS(goodTLS())})
		p := w.prober()
		p.Idle = time.Millisecond
		report := run(t, p, withPassword(target(t, "127.0.0.1"))).Report
		complete(t, report)
		if e := report.Targets[0].Endpoints; status(e[0], "audit.idle") != Pass || status(e[1], "audit.idle") != Skip {
			t.Errorf("got %v, %v", statuses(e[0]), statuses(e[1]))
		}
	})
	t.Run("after a sign-in that failed", func(t *testing.T) {
		w := newWorld(t, map[uint16]faulty.Script{993: faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, Refuse: "NO [AUTHENTICATIONFAILED] no"}.Serve})
		p := w.prober()
		p.Idle = time.Hour
		report := run(t, p, withPassword(target(t, "imaps://127.0.0.1"))).Report
		complete(t, report)
		if r := idleResult(report.Targets[0].Endpoints[0]); r.Status != Held || r.BlockedBy != "auth.login" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("at a server that cannot be used", func(t *testing.T) {
		p := newWorld(t, nil).prober()
		p.Idle = time.Hour
		report := run(t, p, target(t, "imaps://127.0.0.1")).Report
		complete(t, report)
		if r := idleResult(report.Targets[0].Endpoints[0]); r.Status != Held || r.BlockedBy != "tcp.connect" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("where no second connection comes about", func(t *testing.T) {
		w := newWorld(t, map[uint16]faulty.Script{993: func(c *faulty.Conn) {
			if c.Number() == 1 {
				inTLS(goodTLS())(c)
			}
		}})
		p := w.prober()
		p.Idle = time.Hour
		report := run(t, p, target(t, "imaps://127.0.0.1")).Report
		complete(t, report)
		if r := idleResult(report.Targets[0].Endpoints[0]); r.Status != Errored || report.Verdict != Ready {
			t.Errorf("got %+v, %s", r, report.Verdict)
		}
	})
}

// TestThroughAProxyIdleIsUnclear has no answer come where the kernel knows only the way to a proxy.
func TestThroughAProxyIdleIsUnclear(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: onNOOP((*faulty.Conn).Stall)})
	p := w.prober()
	p.Idle, p.Timeout = pause, silence
	report := run(t, p, withPassword(target(t, "imaps://127.0.0.1"))).Report
	complete(t, report)
	checkEnding(t, w, report, ending{findings: []string{"net.idle-cut warn unknown"}, verdict: Warning, signIn: "127.0.0.1:993/tls"})
	if f := one(t, report, "net.idle-cut warn unknown"); f.Certainty != finding.Possible || f.Evidence["retransmits"] != nil {
		t.Errorf("got %s, %v", f.Certainty, f.Evidence)
	}
}

func TestASessionThatIsKeptIsNotLeftIdle(t *testing.T) {
	server, err := faulty.Serve(inTLS(goodTLS()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	p := direct(time.Second)
	p.Idle, p.KeepSessions = time.Millisecond, true
	o := run(t, p, withPassword(target(t, "imaps://"+server.Address())))
	if r := idleResult(o.Report.Targets[0].Endpoints[0]); r.Status != Pass || r.Facts["signed_in"] != false || o.Sessions[0] == nil || server.Connections() != 2 {
		t.Errorf("got %+v, %d connections", r, server.Connections())
	}
}

// TestThePauseIsSeen watches a run, and ends it in the middle of the pause.
func TestThePauseIsSeen(t *testing.T) {
	server, err := faulty.Serve(inTLS(goodTLS()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	live := new(Live)
	p := direct(time.Second)
	p.Idle, p.Live = time.Hour, live
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, err := p.Run(ctx, withPassword(target(t, "imaps://"+server.Address())))
		ended <- err
	}()
	pausing := func() bool {
		for _, to := range live.Snapshot() {
			for _, e := range to.Endpoints {
				if r := idleResult(e); status(e, "auth.login") == Pass && status(e, "account.access") == Pass && r.Status == "" && strings.Contains(r.Summary, "1h0m0s") {
					return true
				}
			}
		}
		return false
	}
	for !pausing() {
		select {
		case err := <-ended:
			t.Fatalf("the run ended: %v", err)
		default:
			runtime.Gosched()
		}
	}
	cancel(why)
	if err := <-ended; !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}
