package tui

import (
	"slices"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// What the tests show: a move from imap.old-isp.example to mail.example.org. The clock of the samples stands at sampleNow.
var sampleNow = time.Date(2026, 5, 24, 14, 2, 13, 0, time.UTC)

// canary is a password that must be seen nowhere.
const canary = "kanarienvogel-7"

// sampleDrafts are two filled-in sides.
func sampleSides() (source, dest Side) {
	given := func() *secret.Reference { return secret.Given(secret.New([]byte(canary))) }
	return Side{Target: probe.Target{Host: "imap.old-isp.example", Mode: probe.ModeTLS, User: "anna@old-isp.example", Secret: given()}},
		Side{Target: probe.Target{Host: "mail.example.org", User: "anna@example.org", Secret: given()}}
}

// The checks of an endpoint in the order of the connection, by security.
var checkOrder = map[string][]string{
	"tls": {"tcp.connect", "tls.handshake", "tls.versions", "tls.suites", "tls.groups", "cert.dates", "cert.name", "cert.chain", "cert.key",
		"cert.revocation", "imap.greeting", "imap.capability", "starttls.offer", "starttls.upgrade", "auth.login", "account.capability",
		"account.namespace", "account.quota", "account.access", "audit.injection", "audit.connections", "audit.idle"},
	"starttls": {"tcp.connect", "imap.greeting", "starttls.offer", "starttls.upgrade", "tls.handshake", "tls.versions", "tls.suites", "tls.groups",
		"cert.dates", "cert.name", "cert.chain", "cert.key", "cert.revocation", "imap.capability", "auth.login", "account.capability",
		"account.namespace", "account.quota", "account.access", "audit.injection", "audit.connections", "audit.idle"},
}

var sampleSummaries = map[string]string{
	"tcp.connect": "connected in 31 ms", "tls.handshake": "TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519", "cert.dates": "valid until 2026-08-03",
	"cert.name": "the certificate is for this host", "cert.chain": "leads to a root that this computer trusts", "cert.key": "ECDSA, 256 bits",
	"imap.greeting": "Dovecot ready.", "imap.capability": "31 capabilities", "starttls.offer": "offered", "starttls.upgrade": "works",
	"auth.login": "signed in with PLAIN", "account.capability": "34 capabilities", "account.namespace": `prefix "", delimiter "."`,
}

// healthy returns an endpoint of which everything is in order. The sign-in was tried where login says so.
func healthy(host string, port int, security string, login bool) *probe.EndpointReport {
	e := &probe.EndpointReport{Host: host, Port: port, Security: security, Address: "198.51.100.4:993", Family: "ipv4",
		TLS: &probe.TLSReport{Version: "1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Group: "X25519", Certificates: []probe.CertificateReport{{
			Subject: "CN=" + host, Issuer: "CN=Example Trust R11", DNSNames: []string{host}, NotBefore: sampleNow.AddDate(0, -1, 0),
			NotAfter: sampleNow.AddDate(0, 0, 71), SHA256: "9f3ca1", KeyType: "ecdsa", KeyBits: 256, SignatureAlgorithm: "ecdsa-with-sha256"}}}}
	for i, id := range checkOrder[security] {
		r := probe.Result{ID: id, Status: probe.Pass, Summary: sampleSummaries[id], DurationMS: float64(9 + i)}
		switch {
		case slices.Contains([]string{"tls.versions", "tls.suites", "tls.groups", "cert.revocation", "account.quota", "account.access",
			"audit.injection", "audit.connections", "audit.idle"}, id),
			security == "tls" && (id == "starttls.offer" || id == "starttls.upgrade"),
			!login && slices.Contains([]string{"auth.login", "account.capability", "account.namespace"}, id):
			r = probe.Result{ID: id, Status: probe.Skip, Summary: "not asked for"}
		}
		e.Checks = append(e.Checks, r)
	}
	return e
}

// failAt makes a check fail; those in held wait for it, as far as they apply.
func failAt(e *probe.EndpointReport, check, summary string, held ...string) {
	for i, r := range e.Checks {
		switch {
		case r.ID == check:
			e.Checks[i].Status, e.Checks[i].Summary = probe.Fail, summary
		case r.Status != probe.Skip && slices.Contains(held, r.ID):
			e.Checks[i] = probe.Result{ID: r.ID, Status: probe.Held, BlockedBy: check}
		}
	}
}

func lookup(a, aaaa int) []probe.Result {
	list := func(n int) []string { return make([]string, n) }
	return []probe.Result{{ID: "dns.lookup", Status: probe.Pass, DurationMS: 12, Summary: "2 addresses",
		Facts: map[string]any{"ipv4": list(a), "ipv6": list(aaaa)}},
		{ID: "dns.srv", Status: probe.Skip}, {ID: "dns.tlsa", Status: probe.Skip}}
}

// sampleReport is a preflight in which all is well but for a warning about the source.
func sampleReport() *probe.Report {
	src := &probe.TargetReport{Role: probe.RoleSource, Host: "imap.old-isp.example", Checks: lookup(2, 1),
		Endpoints:   []*probe.EndpointReport{healthy("imap.old-isp.example", 993, "tls", true)},
		Recommended: &probe.Recommended{Host: "imap.old-isp.example", Port: 993, Security: "tls", Auth: "PLAIN", Connections: 4}}
	for i, r := range src.Endpoints[0].Checks {
		if r.ID == "cert.dates" {
			src.Endpoints[0].Checks[i].Status = probe.Warned
		}
	}
	closed := healthy("mail.example.org", 143, "starttls", false)
	failAt(closed, "tcp.connect", "refused", checkOrder["starttls"][1:]...)
	closed.Checks[0].Status = probe.Pass // beside a usable 993 that is no fault
	closed.TLS = nil
	dst := &probe.TargetReport{Role: probe.RoleDest, Host: "mail.example.org", Checks: lookup(1, 0),
		Endpoints:   []*probe.EndpointReport{healthy("mail.example.org", 993, "tls", true), closed},
		Recommended: &probe.Recommended{Host: "mail.example.org", Port: 993, Security: "tls", Auth: "SCRAM-SHA-256", Connections: 4}}
	return &probe.Report{Schema: "imapilot.preflight/1", Verdict: probe.Warning, Targets: []*probe.TargetReport{src, dst},
		Pair: &probe.Pair{Checks: []probe.Result{{ID: "pair.mailbox", Status: probe.Pass, Summary: "two different mailboxes"},
			{ID: "pair.names", Status: probe.Pass, Summary: "every name fits"}}, Messages: 67310, Bytes: 19542101196, Folders: 42},
		Findings: []finding.Finding{sampleFinding(0, "imap.old-isp.example:993/tls", "cert.dates", "cert.expires-soon", finding.Warn,
			"the certificate ends in 6 days, on 2026-05-30", "it was issued for 90 days and has not been renewed yet",
			finding.Remedy{Text: "start now: the copy ends before the certificate"}, finding.Remedy{Text: "ask old-isp.example to renew it"})}}
}

// mismatchReport is one in which the destination's certificate is for another name.
func mismatchReport() *probe.Report {
	r := sampleReport()
	failAt(r.Targets[1].Endpoints[0], "cert.name", "the certificate is for mx1.hoster.example, not mail.example.org",
		"auth.login", "account.capability", "account.namespace")
	r.Targets[1].Recommended = nil
	closed := &r.Targets[1].Endpoints[1].Checks[0]
	closed.Status, closed.Summary = probe.Fail, "connection refused"
	r.Verdict, r.ExitCode = probe.Blocked, 12
	r.Pair = &probe.Pair{Checks: []probe.Result{{ID: "pair.mailbox", Status: probe.Held, BlockedBy: "auth.login"}}}
	r.Findings = append(r.Findings,
		sampleFinding(1, "mail.example.org:143/starttls", "tcp.connect", "net.refused", finding.Block, "connection refused", ""),
		sampleFinding(1, "mail.example.org:993/tls", "cert.name", "cert.name-mismatch", finding.Block,
			"the certificate is for mx1.hoster.example, not mail.example.org",
			"mail.example.org points at a shared server that shows its own name",
			finding.Remedy{Text: "use mx1.hoster.example as the host (same address: 203.0.113.7)", Apply: map[string]string{"dest": "imap+auto://mx1.hoster.example"}},
			finding.Remedy{Text: "ask the host to add mail.example.org to the certificate"},
			finding.Remedy{Text: "trust exactly this key, if you know the server", Apply: map[string]string{"dest-pin": "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}))
	return r
}

// droppedReport is one in which this network's second router drops what goes to the destination's port 993.
func droppedReport() *probe.Report {
	r := sampleReport()
	dropped := healthy("mail.example.org", 993, "tls", false)
	failAt(dropped, "tcp.connect", "mail.example.org:993 does not answer", checkOrder["tls"][1:]...)
	dropped.TLS = nil
	t := r.Targets[1]
	t.Endpoints, t.Recommended = []*probe.EndpointReport{dropped}, nil
	hops := []probe.Hop{{TTL: 1, Address: "10.1.0.1", RTTMS: 0.4}, {TTL: 2, Address: "10.2.0.2", RTTMS: 1.2}}
	t.Path = &probe.Path{Hops: hops, ActsAt: &probe.Hop{TTL: 2, Address: "10.2.0.2", RTTMS: 1.2, How: "drop"}}
	r.Verdict, r.ExitCode, r.Pair = probe.Blocked, 10, nil
	f := sampleFinding(1, "mail.example.org:993/tls", "tcp.connect", "net.dropped", finding.Block,
		"mail.example.org:993 does not answer: nothing came back within 10 s", "other ports of the server get farther than 10.2.0.2, this one does not",
		finding.Remedy{Text: "try another network"}, finding.Remedy{Text: sampleLetter})
	f.Responsible, f.Certainty = finding.Path, finding.Likely
	f.Evidence = map[string]any{"last_hop": "10.2.0.2"}
	r.Findings = []finding.Finding{f}
	return r
}

// sampleLetter is a remedy that is ready to be sent.
const sampleLetter = `send this to whoever administers 10.2.0.2 (hop 2):
On 2026-05-24 at 14:02:13 UTC, TCP connections from 10.1.0.2 to mail.example.org (198.51.100.4), port 993, got as far as 10.2.0.2 and no farther, while those to port 143 of the same server did. Please allow TCP to port 993 there. To see it:
  imapilot probe --path --control imap.example.net:993 mail.example.org:993`

func sampleFinding(target int, endpoint, check string, code finding.Code, severity finding.Severity, summary, cause string, remedies ...finding.Remedy) finding.Finding {
	f := finding.Finding{Code: code, Severity: severity, Target: &target, Check: check, Responsible: finding.Server, Certainty: finding.Certain,
		Summary: summary, Cause: cause, Remedies: remedies, Evidence: map[string]any{"dns_names": []string{"mx1.hoster.example"}}, Ref: "RFC 6125",
		Reproduce: []string{"openssl s_client -connect mail.example.org:993 -servername mail.example.org"}}
	if endpoint != "" {
		f.Endpoint = &endpoint
	}
	return f
}

// halfway is the state of a probe that runs.
func halfway() []*probe.TargetReport {
	targets := sampleReport().Targets
	for i, t := range targets {
		t.Recommended = nil
		for _, e := range t.Endpoints {
			for j := range e.Checks {
				if j > 6+8*(1-i) && e.Checks[j].Status != probe.Skip {
					e.Checks[j] = probe.Result{ID: e.Checks[j].ID}
				}
			}
		}
	}
	return targets
}

func samplePlan() *mailsync.Plan {
	p := &mailsync.Plan{Schema: "imapilot.plan/1", Folders: []mailsync.FolderPlan{
		{Source: "INBOX", Dest: "INBOX", Messages: 41208, ToCopy: 41206, BytesToCopy: 9771050598},
		{Source: "Sent Messages", Dest: "Sent", Why: `special use \Sent`, Messages: 8402, ToCopy: 8402, BytesToCopy: 3543348019},
		{Source: "Drafts", Dest: "Drafts", Messages: 12, ToCopy: 12, BytesToCopy: 419430, FlagsToUpdate: 3},
		{Source: "Archive.2019", Dest: "Archive/2019", Create: true, Why: "delimiter", Messages: 6120, ToCopy: 6120, BytesToCopy: 1288490188},
		{Source: "Projekte.Müller & Söhne – Angebote und Rechnungen", Dest: "Projekte/Müller & Söhne – Angebote und Rechnungen", Create: true, Why: "delimiter", Messages: 944, ToCopy: 944, BytesToCopy: 322122547},
		{Source: "受信.重要", Dest: "受信/重要", Create: true, Why: "delimiter", Messages: 3, ToCopy: 3, BytesToCopy: 9216},
		{Source: "Trash", Dest: "Trash", Messages: 0},
	}}
	for i := range 35 {
		name := "Listen/" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		p.Folders = append(p.Folders, mailsync.FolderPlan{Source: name, Dest: name, Create: i%2 == 0, Messages: int64(i * 7), ToCopy: int64(i * 7), BytesToCopy: int64(i * 7 * 5000)})
	}
	for _, f := range p.Folders {
		p.Messages += f.Messages
		p.ToCopy += f.ToCopy
		p.BytesToCopy += f.BytesToCopy
	}
	return p
}

func sampleFailures() []mailsync.Failure {
	return []mailsync.Failure{
		{Folder: "Archive/2019", UID: 5112, Size: 70000, Step: "append", Code: "LIMIT", ServerText: "header longer than 64 KiB"},
		{Folder: "Archive/2019", UID: 5113, Size: 71000, Step: "append", Code: "LIMIT", ServerText: "header longer than 64 KiB"},
		{Folder: "Archive/2019", UID: 5090, Step: "fetch", Code: "stand-in"},
	}
}

func sampleProgress() mailsync.Progress {
	p := mailsync.Progress{Phase: "copying", Bytes: 13207024435, BytesTotal: samplePlan().BytesToCopy, Failures: sampleFailures(), Reconnected: 1}
	for i, f := range samplePlan().Folders {
		fp := mailsync.FolderProgress{Source: f.Source, Dest: f.Dest, State: "waiting", Messages: f.Messages, ToCopy: f.ToCopy, BytesToCopy: f.BytesToCopy}
		switch {
		case i == 0:
			fp.State, fp.Done, fp.Copied = "active", 30512, 30510
		case f.Dest == "Archive/2019":
			fp.State, fp.Done, fp.Copied, fp.Failed = "done", 6120, 6117, 3
		case i < 3:
			fp.State, fp.Done, fp.Copied = "done", f.Messages, f.ToCopy
		}
		p.Folders = append(p.Folders, fp)
		p.Messages.Source += fp.Messages
		p.Messages.Copied += fp.Copied
		p.Messages.Failed += fp.Failed
	}
	p.Messages.Present = 2
	return p
}

func sampleEvents() []mailsync.Event {
	at := func(minutes int) time.Time { return sampleNow.Add(-time.Duration(minutes) * time.Minute) }
	return []mailsync.Event{
		{Event: "run.start", Seq: 1, T: at(231), Data: mailsync.RunStart{Source: "a", Dest: "b"}},
		{Event: "folder.end", Seq: 2, T: at(31), Data: mailsync.FolderEnd{Source: "Sent Messages", Dest: "Sent", Messages: mailsync.Counts{Copied: 8402}}},
		{Event: "reconnected", Seq: 3, T: at(9), Data: mailsync.Reconnected{Side: "source", Attempt: 1, Reason: "connection reset by peer"}},
		{Event: "message.failed", Seq: 4, T: at(4), Data: sampleFailures()[0]},
		{Event: "throttled", Seq: 5, T: at(1), Data: mailsync.Throttled{Side: "source", WaitMS: 30000, ServerText: "[INUSE] too many\x1b]52;c;YQ==\x07 commands"}},
	}
}

func sampleSummary() *mailsync.Summary {
	return &mailsync.Summary{Schema: "imapilot.sync/1", Verdict: "partial", ExitCode: 20, Folders: 42, BytesCopied: 19542101196, DurationMS: 19860000,
		Messages: mailsync.Counts{Source: 67310, Present: 2, Copied: 67305, Failed: 3, FlagsUpdated: 3},
		Failures: sampleFailures(), Verified: &mailsync.Verified{Messages: 67307, Missing: 3}}
}

func completeSummary() *mailsync.Summary {
	s := sampleSummary()
	s.Verdict, s.ExitCode, s.Failures = "complete", 0, nil
	s.Messages = mailsync.Counts{Source: 67310, Present: 2, Copied: 67308}
	s.Verified = &mailsync.Verified{Messages: 67310}
	return s
}
