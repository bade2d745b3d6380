package probe

import (
	"crypto/tls"
	"testing"
	"time"

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
				checkEnding(t, w, o.Report, ending{[]string{"imap.refuses-commands block server"}, Blocked, 10, ""})
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
	checkEnding(t, w, o.Report, ending{[]string{"imap.wrong-protocol block server"}, Blocked, 10, ""})
	if f := one(t, o.Report, "imap.wrong-protocol block server"); f.Evidence["protocol"] != "TLS" {
		t.Errorf("got %+v", f)
	}
	if n := w.servers[1143].Connections(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// TestASlowGreetingIsTold waits for longer than a greeting may take without a word about it.
func TestASlowGreetingIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[uint16]faulty.Script{993: func(c *faulty.Conn) {
		c.StartTLS(goodTLS())
		c.Wait(slowGreeting + 100*time.Millisecond)
		faulty.Dialog{}.Serve(c)
	}})
	o := run(t, w.prober(), withPassword(target(t, "imaps://127.0.0.1")))
	complete(t, o.Report)
	checkEnding(t, w, o.Report, ending{[]string{"imap.slow-greeting info server"}, Ready, 0, "127.0.0.1:993/tls"})
	if e := o.Report.Targets[0].Endpoints[0]; status(e, "imap.greeting") != Pass {
		t.Errorf("got %v", statuses(e))
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
