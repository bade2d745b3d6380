package probe

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
)

// dovecotProber leads 993 and 143 to the server's ports.
func dovecotProber(d *realserver.Dovecot) *Prober {
	ports := map[string]uint16{"993": d.IMAPS, "143": d.IMAP}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, fmt.Sprintf("%s:%d", host, ports[port]))
	}
	return &Prober{Dial: &imapdial.Options{DialContext: dial}}
}

func dovecotTarget(t testing.TB, d *realserver.Dovecot, password string) Target {
	t.Helper()
	to, err := ParseTarget(d.Host)
	if err != nil {
		t.Fatal(err)
	}
	to.TLS.CAs = d.CA.RootPEM()
	to.User, to.Secret = "alice", secret.Given(secret.New([]byte(password)))
	return to
}

func TestDovecot(t *testing.T) {
	d := realserver.StartDovecot(t, realserver.Config{Users: map[string]string{"alice": canary}, Prefix: "INBOX.", Separator: ".",
		Mechanisms: []string{"PLAIN", "LOGIN", "SCRAM-SHA-256"}})

	t.Run("healthy on both ports", func(t *testing.T) {
		for range 3 {
			o := run(t, dovecotProber(d), dovecotTarget(t, d, canary))
			complete(t, o.Report)
			if o.Report.Verdict != Ready || len(o.Report.Findings) != 0 {
				t.Fatalf("got %s, %v", o.Report.Verdict, codes(o.Report))
			}
			if rec := o.Report.Targets[0].Recommended; rec.Port != 993 || rec.Auth != "SCRAM-SHA-256" {
				t.Errorf("recommended %+v", rec)
			}
			e := o.Report.Targets[0].Endpoints[0]
			if got := e.Checks[slices.IndexFunc(e.Checks, func(c Result) bool { return c.ID == "account.namespace" })].Summary; got != `mailboxes are below "INBOX.", delimiter "."` {
				t.Errorf("account.namespace says %q", got)
			}
			if !slices.Contains(e.Capabilities.AfterLogin, "UIDPLUS") || !slices.Contains(o.Report.Targets[0].Endpoints[1].Capabilities.BeforeTLS, "LOGINDISABLED") {
				t.Errorf("got capabilities %+v", e.Capabilities)
			}
		}
	})

	t.Run("wrong password", func(t *testing.T) {
		o := run(t, dovecotProber(d), dovecotTarget(t, d, "not it"))
		f := one(t, o.Report, "auth.failed block account")
		if o.Report.ExitCode != 13 || f.Evidence["code"] != "AUTHENTICATIONFAILED" {
			t.Errorf("got exit code %d, evidence %v", o.Report.ExitCode, f.Evidence)
		}
		if !slices.ContainsFunc(f.Remedies, func(r finding.Remedy) bool { return r.Apply["auth"] == "PLAIN" }) {
			t.Errorf("no remedy applies auth: %+v", f.Remedies)
		}
		if n := strings.Count(d.Log(), "Password mismatch"); n != 1 {
			t.Errorf("the server's log has %d failed sign-ins, want 1:\n%s", n, d.Log())
		}
	})

	certificates := []struct {
		name string
		leaf imaptest.Leaf
		want string
	}{
		{"expired", imaptest.Leaf{NotAfter: time.Now().Add(-24 * time.Hour)}, "cert.expired block server"},
		{"wrong name", imaptest.Leaf{DNSNames: []string{"elsewhere.test"}}, "cert.name-mismatch block server"},
		{"signed by itself", imaptest.Leaf{SelfSigned: true}, "cert.self-signed block server"},
		{"incomplete chain", imaptest.Leaf{Chain: imaptest.LeafOnly}, "cert.incomplete-chain block server"},
	}
	for _, tt := range certificates {
		t.Run(tt.name, func(t *testing.T) {
			d.SetCertificate(t, d.CA.Issue(tt.leaf))
			o := run(t, dovecotProber(d), dovecotTarget(t, d, canary))
			blocked(t, nil, o.Report, tt.want, tt.want) // one for each port
			if o.Accounts[0] != nil {
				t.Errorf("got account %v", o.Accounts[0])
			}
		})
	}
}

// BenchmarkDovecot is a quick probe of a healthy server on both ports, with a sign-in. The aim is 0.15 s on loopback.
func BenchmarkDovecot(b *testing.B) {
	d := realserver.StartDovecot(b, realserver.Config{})
	for b.Loop() {
		o, err := dovecotProber(d).Run(b.Context(), dovecotTarget(b, d, "secret"))
		if err != nil || o.Report.Verdict != Ready {
			b.Fatalf("%v, %+v", err, o)
		}
	}
}
