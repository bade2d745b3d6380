package probe

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// TestServersThatRefuseCommands greets well and then does not go on. None of it hangs, and no password leaves.
func TestServersThatRefuseCommands(t *testing.T) {
	greets := func(cfg *tls.Config, greeting string, answer func(*faulty.Conn, string, string)) faulty.Script {
		return faulty.Dialog{TLS: cfg, ImplicitTLS: cfg != nil, Greeting: greeting, On: answers{"CAPABILITY": answer, "STARTTLS": answer}}.Serve
	}
	drip := func(c *faulty.Conn, _, _ string) {
		for c.Err() == nil {
			c.Line("* OK still here")
			c.Wait(20 * time.Millisecond)
		}
	}
	tests := []struct {
		name   string
		answer func(*faulty.Conn, string, string)
		waits  bool
	}{
		{name: "NO", answer: say("NO not for you")},
		{name: "BAD", answer: say("BAD command unknown")},
		{name: "BYE", answer: func(c *faulty.Conn, _, _ string) { c.Line("* BYE go away"); c.Close() }},
		{name: "cut", answer: func(c *faulty.Conn, _, _ string) { c.Cut() }},
		{name: "reset", answer: func(c *faulty.Conn, _, _ string) { c.Reset() }},
		{name: "OK without a list", answer: say("OK done")},
		{name: "silence", answer: func(c *faulty.Conn, _, _ string) { c.Stall() }, waits: true},
		{name: "lines without end", answer: drip, waits: true},
	}
	for _, tt := range tests {
		for port, cfg := range map[uint16]*tls.Config{993: goodTLS(), 143: nil} {
			t.Run(tt.name+" at "+map[uint16]string{993: "imaps", 143: "imap"}[port], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, map[uint16]faulty.Script{port: greets(cfg, "* OK ready", tt.answer)})
				p := w.prober()
				if tt.waits {
					p.Timeout = silence
				}
				begin := time.Now()
				o := run(t, p, withPassword(target(t, map[uint16]string{993: "imaps", 143: "imap"}[port]+"://127.0.0.1")))
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("it took %s", took)
				}
				complete(t, o.Report)
				if got := codes(o.Report); !slices.Equal(got, []string{"imap.refuses-commands block"}) || o.Report.ExitCode != 10 {
					t.Errorf("got %v, exit code %d", got, o.Report.ExitCode)
				}
				if f := o.Report.Findings[0]; f.Responsible != finding.Server {
					t.Errorf("got responsible %s", f.Responsible)
				}
				if received := string(w.servers[port].Received()); strings.Contains(received, "AUTHENTICATE") || strings.Contains(received, "LOGIN ") {
					t.Errorf("the server read %q", received)
				}
			})
		}
	}
}

// TestTLSBesideASilentPlainPort finds TLS on the plain port while the connection in the clear goes on waiting.
func TestTLSBesideASilentPlainPort(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{1143: inTLS(goodTLS())})
	p := w.prober()
	p.Timeout = silence
	o := run(t, p, withPassword(target(t, "imap://127.0.0.1:1143")))
	complete(t, o.Report)
	f := one(t, o.Report, "imap.wrong-protocol")
	if f.Evidence["protocol"] != "TLS" || f.Responsible != finding.Server || o.Report.ExitCode != 10 {
		t.Errorf("got %+v, exit code %d", f, o.Report.ExitCode)
	}
	if n := w.servers[1143].Connections(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// TestASlowGreetingIsWaitedFor lets a plain port be silent for longer than the trial with TLS takes to begin.
func TestASlowGreetingIsWaitedFor(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{143: faulty.SlowGreeting(600*time.Millisecond, faulty.GoodStartTLS(goodTLS()))})
	p := w.prober()
	p.Timeout = time.Second
	o := run(t, p, target(t, "imap://127.0.0.1"))
	if o.Report.Verdict != Ready || len(o.Report.Findings) != 0 {
		t.Errorf("got %s, %v", o.Report.Verdict, codes(o.Report))
	}
}
