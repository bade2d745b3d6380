package tui

import (
	"slices"
	"testing"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// told is what a side's lines say: "mark title: words" for those that are used.
func told(target *probe.TargetReport, findings []finding.Finding) []string {
	var out []string
	for _, c := range cells(target, findings, true, sampleNow) {
		mark := map[state]string{stateOK: "ok", stateWarn: "warning", stateProblem: "problem", stateHeld: "held", stateError: "error"}[c.state]
		if mark != "" || c.closed {
			out = append(out, mark+" "+c.title+": "+c.text)
		}
	}
	return out
}

func TestWhatTheLinesOfACheckSay(t *testing.T) {
	const host = "mail.example.org"
	rec := func(port int, security string) *probe.Recommended {
		return &probe.Recommended{Host: host, Port: port, Security: security, Auth: "PLAIN"}
	}
	for _, c := range []struct {
		name  string
		build func() (*probe.TargetReport, []finding.Finding)
		want  []string
	}{
		{"993 is refused, STARTTLS works", func() (*probe.TargetReport, []finding.Finding) {
			refused := healthy(host, 993, "tls", false)
			failAt(refused, "tcp.connect", "refused", checkOrder["tls"][1:]...)
			return &probe.TargetReport{Host: host, Checks: lookup(1, 0), Recommended: rec(143, "starttls"),
					Endpoints: []*probe.EndpointReport{refused, healthy(host, 143, "starttls", true)}},
				[]finding.Finding{sampleFinding(0, host+":993/tls", "tcp.connect", "net.refused", finding.Block, "refused", "")}
		}, []string{"ok DNS: 1 A", "problem Port 993: refused", "ok Port 143: open", "ok TLS: 1.3 X25519", "ok Certificate: trusted, 71 d", "ok Name: matches",
			"ok STARTTLS: works", "ok Greeting: Dovecot ready.", "ok Sign-in: PLAIN", "ok Mailbox: 34 capabilities"}},
		{"the certificate of 143 has ended, 993 works", func() (*probe.TargetReport, []finding.Finding) {
			expired := healthy(host, 143, "starttls", false)
			failAt(expired, "cert.dates", "expired", "auth.login", "account.capability", "account.namespace")
			return &probe.TargetReport{Host: host, Checks: lookup(1, 1), Recommended: rec(993, "tls"),
					Endpoints: []*probe.EndpointReport{healthy(host, 993, "tls", true), expired}},
				[]finding.Finding{sampleFinding(0, host+":143/starttls", "cert.dates", "cert.expired", finding.Block, "expired", "")}
		}, []string{"ok DNS: 1 A, 1 AAAA", "ok Port 993: open", "ok Port 143: open", "ok TLS: 1.3 X25519", "ok Certificate: trusted, 71 d", "ok Name: matches",
			"problem STARTTLS: cert expired", "ok Greeting: Dovecot ready.", "ok Sign-in: PLAIN", "ok Mailbox: 34 capabilities"}},
		{"IPv6 is dead", func() (*probe.TargetReport, []finding.Finding) {
			dead := healthy(host, 993, "tls", false)
			dead.Family, dead.Address = "ipv6", "[2001:db8::1]:993"
			failAt(dead, "tcp.connect", "no answer", checkOrder["tls"][1:]...)
			dead.Checks[0].Status = probe.Warned
			return &probe.TargetReport{Host: host, Checks: lookup(1, 1), Recommended: rec(993, "tls"),
					Endpoints: []*probe.EndpointReport{healthy(host, 993, "tls", true), dead}},
				[]finding.Finding{sampleFinding(0, host+":993/tls", "tcp.connect", "net.ipv6-dead", finding.Warn, "no answer over IPv6", "")}
		}, []string{"ok DNS: 1 A, 1 AAAA", "warning Port 993: ipv6 dead", "ok TLS: 1.3 X25519", "ok Certificate: trusted, 71 d", "ok Name: matches",
			"ok Greeting: Dovecot ready.", "ok Sign-in: PLAIN", "ok Mailbox: 34 capabilities"}},
		{"the name is unknown", func() (*probe.TargetReport, []finding.Finding) {
			failed := lookup(0, 0)
			failed[0].Status = probe.Fail
			return &probe.TargetReport{Host: host, Checks: failed},
				[]finding.Finding{sampleFinding(0, "", "dns.lookup", "dns.nxdomain", finding.Block, "not found", "")}
		}, []string{"problem DNS: nxdomain"}},
		{"143 is closed beside a usable 993", func() (*probe.TargetReport, []finding.Finding) {
			r := sampleReport()
			return r.Targets[1], nil
		}, []string{"ok DNS: 1 A", "ok Port 993: open", " Port 143: closed (not used)", "ok TLS: 1.3 X25519", "ok Certificate: trusted, 71 d", "ok Name: matches",
			"ok Greeting: Dovecot ready.", "ok Sign-in: SCRAM-SHA-256", "ok Mailbox: 34 capabilities"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, findings := c.build()
			if got := told(target, findings); !slices.Equal(got, c.want) {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestEveryFindingCanBeReached(t *testing.T) {
	r := mismatchReport()
	host := "mail.example.org"
	for _, f := range []struct{ endpoint, check string }{
		{"", "dns.lookup"}, {"", "input.host"}, {"", "audit.idle"}, {"", "something.new"}, {host + ":993/tls", "imap.capability"}, {host + ":993/tls", "something.new"},
		{host + ":143/starttls", "tls.handshake"}, {host + ":143/starttls", "cert.name"}, {host + ":7/tls", "tcp.connect"},
	} {
		r.Findings = append(r.Findings, sampleFinding(1, f.endpoint, f.check, "imap.bye", finding.Warn, f.endpoint+f.check, ""))
	}
	n := 0
	for side := range r.Targets {
		var mine []finding.Finding
		for _, f := range r.Findings {
			if *f.Target == side {
				mine = append(mine, f)
			}
		}
		for _, c := range cells(r.Targets[side], mine, true, sampleNow) {
			n += len(c.findings)
		}
	}
	if n != len(r.Findings) {
		t.Errorf("%d of %d findings stand on a line", n, len(r.Findings))
	}
}

func TestTheNextFindingIsFoundInATurn(t *testing.T) {
	w := settled(themes["mono"])
	atCheck(w)
	w.check.finished(w, checked{report: mismatchReport()})
	var rows []rowID
	for range 4 {
		w.check.press(w, keyMsg("f"))
		rows = append(rows, w.check.row)
	}
	if want := []rowID{rowCertificate, rowPlainPort, rowName, rowCertificate}; !slices.Equal(rows, want) {
		t.Errorf("f leads to lines %v, want %v", rows, want)
	}
}
