package probe

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/faulty"
)

// direct is a prober that dials for itself, so that the kernel can be asked about its connections.
func direct(timeout time.Duration) *Prober { return &Prober{Version: "test", Timeout: timeout} }

// A shortConn sends only its first octets and swallows the rest.
type shortConn struct {
	net.Conn
	left int
}

func (c *shortConn) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	if n > 0 {
		if _, err := c.Conn.Write(p[:n]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// stopsInFlight is a TLS server of whose first flight only so many octets arrive.
func stopsInFlight(octets int) faulty.Script {
	return func(c *faulty.Conn) {
		tls.Server(&shortConn{c.NetConn(), octets}, goodTLS()).Handshake() // it ends when the client goes
	}
}

// offersTLS lets STARTTLS be answered by then.
func offersTLS(then faulty.Script) faulty.Script {
	return faulty.Dialog{TLS: goodTLS(), On: map[string]func(*faulty.Conn, string, string){"STARTTLS": func(c *faulty.Conn, tag, _ string) {
		c.Line(tag + " OK go on")
		then(c)
	}}}.Serve
}

func TestTheHandshakeStopsInTheMiddle(t *testing.T) {
	const octets = 300
	for scheme, script := range map[string]faulty.Script{"imaps": stopsInFlight(octets), "imap+starttls": offersTLS(stopsInFlight(octets))} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			server, err := faulty.Serve(script)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Close() })
			r := run(t, direct(time.Second), withPassword(target(t, scheme+"://"+server.Address()))).Report
			complete(t, r)
			checkEnding(t, nil, r, ending{findings: []string{"net.freezes block unknown"}, verdict: Blocked, exit: 10})
			f := one(t, r, "net.freezes block unknown")
			if f.Check != "tls.handshake" || f.Certainty != finding.Likely || f.Evidence["octets_received"] != int64(octets) || bytes.Contains(server.Received(), []byte(canary)) {
				t.Errorf("got %s, %s, %v", f.Check, f.Certainty, f.Evidence)
			}
			if _, ok := f.Evidence["retransmits"].(int); ok != (runtime.GOOS == "linux") {
				t.Errorf("evidence %v", f.Evidence)
			}
			wantLetter(t, f, "127.0.0.1", "300 octets")
		})
	}
}

// wantLetter looks for a remedy that is ready to be sent and holds all the parts.
func wantLetter(t *testing.T, f finding.Finding, parts ...string) {
	t.Helper()
	for _, r := range f.Remedies {
		head, body, ok := strings.Cut(r.Text, "\n")
		if !ok || !strings.HasPrefix(head, "send this to ") {
			continue
		}
		for _, p := range parts {
			if !strings.Contains(body, p) {
				t.Errorf("the letter of %s lacks %q: %s", f.Code, p, body)
			}
		}
		return
	}
	t.Errorf("%s has no letter: %+v", f.Code, f.Remedies)
}

// mailServer has an inbox of some messages, and answers FETCH by fetch.
func mailServer(fetch func(c *faulty.Conn, tag, args string)) faulty.Script {
	return faulty.Dialog{TLS: goodTLS(), ImplicitTLS: true, On: map[string]func(*faulty.Conn, string, string){
		"EXAMINE": func(c *faulty.Conn, tag, _ string) {
			c.Line("* 8 EXISTS")
			c.Line("* OK [UIDVALIDITY 1] valid")
			c.Line(tag + " OK [READ-ONLY] done")
		},
		"FETCH": fetch,
	}}.Serve
}

func TestReadingMailStops(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a line that is slow cannot be told from one that stopped here")
	}
	const octets = 12_000
	server, err := faulty.Serve(mailServer(func(c *faulty.Conn, _, _ string) {
		c.Send("* 1 FETCH (BODY[]<0> {30000}\r\n" + strings.Repeat("x", octets))
		c.Stall()
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	o := run(t, direct(time.Second), withPassword(target(t, "imaps://"+server.Address())))
	complete(t, o.Report)
	checkEnding(t, nil, o.Report, ending{findings: []string{"net.freezes block unknown"}, verdict: Blocked, exit: 10, signIn: server.Address() + "/tls"})
	f := one(t, o.Report, "net.freezes block unknown")
	n, ok := f.Evidence["octets_received"].(int64)
	if !ok || n < octets || n > 2*octets || f.Check != "account.access" || f.Certainty != finding.Likely {
		t.Errorf("got %s, %s, %v", f.Check, f.Certainty, f.Evidence)
	}
	if o.Report.Targets[0].Recommended != nil || o.Accounts[0] != nil {
		t.Errorf("recommended %+v", o.Report.Targets[0].Recommended)
	}
	if n := bytes.Count(server.Received(), []byte(" AUTHENTICATE ")); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}

func TestASlowLineIsNotFrozen(t *testing.T) {
	server, err := faulty.Serve(mailServer(func(c *faulty.Conn, _, _ string) {
		c.Send("* 1 FETCH (BODY[]<0> {30000}\r\n")
		for range 30_000 / 100 {
			c.Send(strings.Repeat("x", 100))
			c.Wait(10 * time.Millisecond)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	r := run(t, direct(600*time.Millisecond), withPassword(target(t, "imaps://"+server.Address()))).Report
	complete(t, r)
	checkEnding(t, nil, r, ending{verdict: Ready, signIn: server.Address() + "/tls"})
}

// enough is a server that answers so many commands inside TLS on each connection, and does then. It can be limited to one connection.
func enough(implicit bool, commands, only int, then faulty.Script) faulty.Script {
	return func(c *faulty.Conn) {
		left := commands
		faulty.Dialog{TLS: goodTLS(), ImplicitTLS: implicit, On: map[string]func(*faulty.Conn, string, string){"CAPABILITY": func(c *faulty.Conn, tag, _ string) {
			if c.Secured() {
				left--
			}
			if left < 0 && (only == 0 || only == c.Number()) {
				then(c)
				return
			}
			c.Line("* CAPABILITY IMAP4rev1 SASL-IR STARTTLS AUTH=PLAIN" + strings.Repeat(" X-SOMETHING", 10))
			c.Line(tag + " OK done")
		}}}.Serve(c)
	}
}

func TestPathIsTriedWithSomeKilobytes(t *testing.T) {
	frozen := ending{findings: []string{"net.freezes block unknown"}, verdict: Blocked, exit: 10}
	tests := []struct {
		name      string
		commands  int
		only      int // the connection that it happens on
		then      faulty.Script
		want      ending
		certainty finding.Certainty
	}{
		{name: "nothing comes any more", commands: 100, then: (*faulty.Conn).Stall, want: frozen, certainty: finding.Likely},
		{name: "nothing comes any more, once", commands: 100, only: 2, then: (*faulty.Conn).Stall, want: frozen, certainty: finding.Possible},
		{name: "the server has enough", commands: 100, then: func(c *faulty.Conn) { c.Line("* BYE enough"); c.Close() }, want: ending{verdict: Ready}},
		{name: "the server cuts", commands: 100, then: (*faulty.Conn).Cut, want: ending{verdict: Ready}},
		{name: "all is carried", commands: 1 << 30, want: ending{verdict: Ready}},
	}
	for _, tt := range tests {
		for _, implicit := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, TLS from the start %t", tt.name, implicit), func(t *testing.T) {
				t.Parallel()
				scheme := "imap+starttls"
				if implicit {
					scheme = "imaps"
				}
				server, err := faulty.Serve(enough(implicit, tt.commands, tt.only, tt.then))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { server.Close() })
				p := direct(time.Second)
				p.Path = PathAlways
				r := run(t, p, withPassword(target(t, scheme+"://"+server.Address()))).Report
				complete(t, r)
				e := r.Targets[0].Endpoints[0]
				want := tt.want
				if want.verdict == Ready {
					want.signIn = e.name()
				}
				checkEnding(t, nil, r, want)
				asked := bytes.Count(server.Received(), []byte(" CAPABILITY\r\n"))
				if asked < min(tt.commands, 100) || asked > 1500 {
					t.Errorf("CAPABILITY was asked for %d times", asked)
				}
				if want.verdict == Ready {
					return
				}
				f := one(t, r, "net.freezes block unknown")
				if n, ok := f.Evidence["octets_received"].(int64); !ok || n < 10_000 || n > 64_000 || f.Check != "imap.capability" || f.Certainty != tt.certainty {
					t.Errorf("got %s, %s, %v", f.Check, f.Certainty, f.Evidence)
				}
				if s := status(e, "auth.login"); s != Held || bytes.Contains(server.Received(), []byte("AUTHENTICATE")) {
					t.Errorf("auth.login is %s", s)
				}
			})
		}
	}
}

// TestWithoutPathNothingIsCarried has a plain probe ask for the capabilities as often as it needs to know them.
func TestWithoutPathNothingIsCarried(t *testing.T) {
	server, err := faulty.Serve(enough(true, 1<<30, 0, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	run(t, direct(time.Second), target(t, "imaps://"+server.Address()))
	if n := bytes.Count(server.Received(), []byte(" CAPABILITY\r\n")); n > 2 || server.Connections() != 1 {
		t.Errorf("CAPABILITY was asked for %d times on %d connections", n, server.Connections())
	}
}
