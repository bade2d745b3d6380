package probe

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// injectable is a server with STARTTLS that on its second connection does with a command behind it what then says.
func injectable(then func(c *faulty.Conn, starttls, injected string)) faulty.Script {
	return faulty.Dialog{TLS: goodTLS(), On: answers{"STARTTLS": func(c *faulty.Conn, tag, _ string) {
		if c.Number() != 2 {
			c.Line(tag + " OK begin")
			c.StartTLS(goodTLS())
			return
		}
		injected, _, _ := c.Command()
		then(c, tag, injected)
	}}}.Serve
}

func TestCommandInjection(t *testing.T) {
	tests := []struct {
		name    string
		script  faulty.Script
		found   bool
		summary string
	}{
		{name: "carried out inside TLS", found: true, script: injectable(func(c *faulty.Conn, starttls, injected string) {
			c.Line(starttls + " OK begin")
			c.StartTLS(goodTLS())
			c.Line(injected + " OK NOOP done")
		}), summary: "127.0.0.1:143 carries out inside TLS what was sent in the clear before it"},
		{name: "thrown away", script: injectable(func(c *faulty.Conn, starttls, _ string) {
			c.Line(starttls + " OK begin")
			c.StartTLS(goodTLS())
		}), summary: "a command behind STARTTLS is thrown away"},
		{name: "answered in the clear", script: injectable(func(c *faulty.Conn, starttls, injected string) {
			c.Send(starttls + " OK begin\r\n" + injected + " OK done\r\n")
			c.StartTLS(goodTLS())
		}), summary: "a command behind STARTTLS is answered in the clear, not inside TLS"},
		{name: "closed", script: injectable(func(c *faulty.Conn, _, _ string) { c.Cut() }), summary: "a command behind STARTTLS ends the connection"},
		{name: "taken for the handshake", script: faulty.GoodStartTLS(goodTLS()), summary: "a command behind STARTTLS ends the connection"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[uint16]faulty.Script{143: tt.script})
			p := w.prober()
			p.Audit = true
			o := run(t, p, withPassword(target(t, "imap://127.0.0.1")))
			complete(t, o.Report)
			e := o.Report.Targets[0].Endpoints[0]
			check := e.Checks[slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == "audit.injection" })]
			if check.Summary != tt.summary {
				t.Errorf("audit.injection is %s: %s", check.Status, check.Summary)
			}
			if !tt.found {
				if check.Status != Pass || len(o.Report.Findings) != 0 {
					t.Errorf("got %v", codes(o.Report))
				}
				return
			}
			checkEnding(t, w, o.Report, ending{[]string{"starttls.command-injection high server"}, Warning, 0, "127.0.0.1:143/starttls"})
			if check.Status != Warned {
				t.Errorf("audit.injection is %s", check.Status)
			}
		})
	}
}

func TestNothingIsAuditedUnasked(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{143: faulty.GoodStartTLS(goodTLS())})
	o := run(t, w.prober(), withPassword(target(t, "imap://127.0.0.1")))
	e := o.Report.Targets[0].Endpoints[0]
	if status(e, "audit.injection") != Skip || status(e, "audit.connections") != Skip {
		t.Errorf("got %v", statuses(e))
	}
	oneAttempt(t, w.servers[143])
}

func TestConnectionLimits(t *testing.T) {
	limited := func(most int, over func(c *faulty.Conn), login func(c *faulty.Conn) bool) faulty.Script {
		return func(c *faulty.Conn) {
			if c.Number() > most && over != nil {
				over(c)
				return
			}
			d := faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true}
			if login != nil && login(c) {
				d.Refuse = "NO [LIMIT] Maximum number of connections from user+IP exceeded"
			}
			d.Serve(c)
		}
	}
	tests := []struct {
		name        string
		script      faulty.Script
		password    bool
		finding     string
		held        int
		connections int
	}{
		{name: "no limit in reach", script: limited(1000, nil, nil), password: true, held: 25, connections: 4},
		{name: "no limit in reach without a password", script: limited(1000, nil, nil), held: 25, connections: 4},
		{name: "the account has a limit", script: limited(1000, nil, func(c *faulty.Conn) bool { return c.Number() > 3 }), password: true,
			finding: "account.connection-limit info account", held: 3, connections: 3},
		{name: "the account has a high limit", script: limited(1000, nil, func(c *faulty.Conn) bool { return c.Number() > 10 }), password: true,
			finding: "account.connection-limit info account", held: 10, connections: 4},
		{name: "the address has a limit", script: limited(6, (*faulty.Conn).Cut, nil), password: true, finding: "net.connection-limit warn server", held: 6, connections: 4},
		{name: "the address has a limit without a password", script: limited(3, (*faulty.Conn).Reset, nil), finding: "net.connection-limit warn server", held: 2, connections: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[uint16]faulty.Script{993: tt.script})
			p := w.prober()
			p.Audit = true
			to := target(t, "imaps://127.0.0.1")
			if tt.password {
				to = withPassword(to)
			}
			o := run(t, p, to)
			complete(t, o.Report)
			if got := strings.Join(codes(o.Report), ", "); got != tt.finding {
				t.Fatalf("got %s, want %s", got, tt.finding)
			}
			if tt.finding == "account.connection-limit info account" {
				checkEnding(t, w, o.Report, ending{[]string{tt.finding}, Ready, 0, "127.0.0.1:993/tls"})
			}
			e := o.Report.Targets[0].Endpoints[0]
			check := e.Checks[slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == "audit.connections" })]
			if check.Facts["connections"] != tt.held || o.Report.Targets[0].Recommended.Connections != tt.connections || o.Report.ExitCode != 0 {
				t.Errorf("got %+v, recommended %+v, exit code %d", check, o.Report.Targets[0].Recommended, o.Report.ExitCode)
			}
		})
	}
}

func TestNoConnectionsAreCountedAfterARefusal(t *testing.T) {
	w := newWorld(t, map[uint16]faulty.Script{993: answering("IMAP4rev1 SASL-IR AUTH=PLAIN", "NO [AUTHENTICATIONFAILED] no"), 143: faulty.GoodStartTLS(goodTLS())})
	p := w.prober()
	p.Audit = true
	o := run(t, p, withPassword(target(t, "127.0.0.1")))
	complete(t, o.Report)
	if got := status(o.Report.Targets[0].Endpoints[0], "audit.connections"); got != Held {
		t.Errorf("audit.connections is %s, want held", got)
	}
	if n := w.servers[993].Connections(); n != 1 {
		t.Errorf("%d connections with a refused password", n)
	}
}

func TestAuditOfDovecot(t *testing.T) {
	d := realserver.StartDovecot(t, realserver.Config{Users: map[string]string{"alice": canary}, MaxPerUser: 7})
	p := dovecotProber(d)
	p.Audit = true
	o := run(t, p, dovecotTarget(t, d, canary))
	complete(t, o.Report)
	f := one(t, o.Report, "account.connection-limit info account")
	if f.Evidence["connections"] != 7 || f.Evidence["code"] != "LIMIT" || !strings.Contains(f.Summary, "takes 7 connections at a time") {
		t.Errorf("got %s, %v", f.Summary, f.Evidence)
	}
	checkEnding(t, nil, o.Report, ending{[]string{"account.connection-limit info account"}, Ready, 0, "127.0.0.2:993/tls"})
	if got := status(o.Report.Targets[0].Endpoints[1], "audit.injection"); got != Pass {
		t.Errorf("audit.injection is %s", got)
	}
}

// TestTheSignInDecidesBesideAnotherPort has a high finding at the port where nobody signs in.
func TestTheSignInDecidesBesideAnotherPort(t *testing.T) {
	injected := injectable(func(c *faulty.Conn, starttls, injected string) {
		c.Line(starttls + " OK begin")
		c.StartTLS(goodTLS())
		c.Line(injected + " OK NOOP done")
	})
	w := newWorld(t, map[uint16]faulty.Script{993: answering("IMAP4rev1 SASL-IR AUTH=PLAIN", "NO [UNAVAILABLE] later"), 143: injected})
	p := w.prober()
	p.Audit = true
	o := run(t, p, withPassword(target(t, "127.0.0.1")))
	if got := fmt.Sprint(codes(o.Report)); got != "[auth.unavailable block server starttls.command-injection high server]" || o.Report.ExitCode != 75 {
		t.Errorf("got %s, exit code %d", got, o.Report.ExitCode)
	}
}
