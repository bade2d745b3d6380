package render

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/imapilot-project/imapilot/probe/finding"
)

// The reports of this file are made by hand, as a probe would make them.

var started = time.Date(2026, 5, 24, 14, 2, 13, 0, time.UTC)

func report(targets ...*probe.TargetReport) *probe.Report {
	return &probe.Report{Schema: "imapilot.probe/1", Version: "0.1.0", Started: started, DurationMS: 214, Verdict: probe.Ready, Targets: targets}
}

func lookup(name string) probe.Result {
	return probe.Result{ID: "dns.lookup", Status: probe.Pass, DurationMS: 11.8, Summary: "1 IPv4 address, 1 IPv6 address", Facts: map[string]any{"name": name}}
}

// target has 993 and 143 in both families, all of it well.
func target(role probe.Role, host string) *probe.TargetReport {
	t := &probe.TargetReport{Role: role, Input: host, Host: host, Checks: []probe.Result{lookup(host), skipped("dns.srv"), skipped("dns.tlsa")}}
	for _, p := range []struct {
		port     int
		security string
	}{{993, "tls"}, {143, "starttls"}} {
		for _, f := range []struct{ family, address string }{{"ipv4", "198.51.100.4"}, {"ipv6", "2001:db8::4"}} {
			t.Endpoints = append(t.Endpoints, endpoint(host, p.port, p.security, f.family, f.address))
		}
	}
	t.Recommended = &probe.Recommended{
		Host: host, Port: 993, Security: "tls", Address: "198.51.100.4:993", ServerName: host, MinTLS: "1.2", Auth: "SCRAM-SHA-256", Connections: 4,
	}
	return t
}

func skipped(id string) probe.Result {
	return probe.Result{ID: id, Status: probe.Skip, Summary: "not asked for"}
}

func endpoint(host string, port int, security, family, address string) *probe.EndpointReport {
	pass := func(id string, ms float64, summary string) probe.Result {
		return probe.Result{ID: id, Status: probe.Pass, DurationMS: ms, Summary: summary}
	}
	handshake := []probe.Result{
		pass("tls.handshake", 64.2, "TLS 1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768"), skipped("tls.versions"),
		pass("cert.dates", 0, "valid until 2026-08-03, 71 days left"), pass("cert.name", 0, "the certificate is for "+host),
		pass("cert.chain", 0, "2 certificates sent, issued by Example Trust R11"), pass("cert.key", 0, "ECDSA key of 256 bits"), skipped("cert.revocation"),
	}
	greeting := pass("imap.greeting", 22, "the server said: Dovecot ready.")
	capability := pass("imap.capability", 1.2, "the server lists 9 capabilities")
	offer, upgrade := skipped("starttls.offer"), skipped("starttls.upgrade")
	order := slices.Concat([]probe.Result{pass("tcp.connect", 31, "connected to "+net.JoinHostPort(address, strconv.Itoa(port)))})
	login := pass("auth.login", 210, "signed in as anna@example.org with SCRAM-SHA-256")
	login.Facts = map[string]any{"user": "anna@example.org", "mechanism": "SCRAM-SHA-256"}
	if security == "starttls" || family == "ipv6" {
		login = skipped("auth.login")
	}
	e := &probe.EndpointReport{Host: host, Port: port, Security: security, Address: net.JoinHostPort(address, strconv.Itoa(port)), Family: family}
	if security == "starttls" {
		offer, upgrade = pass("starttls.offer", 0, "the server lists STARTTLS"), pass("starttls.upgrade", 30, "the server agreed to start TLS")
		order = slices.Concat(order, []probe.Result{greeting, offer, upgrade}, handshake, []probe.Result{capability, login, skipped("account.capability")})
		e.Capabilities.BeforeTLS = []string{"IMAP4rev1", "STARTTLS", "LOGINDISABLED"}
	} else {
		order = slices.Concat(order, handshake, []probe.Result{greeting, capability, offer, upgrade, login, skipped("account.capability")})
	}
	e.Checks = order
	e.Capabilities.AfterTLS = []string{"IMAP4rev1", "SASL-IR", "LITERAL+", "AUTH=PLAIN", "AUTH=SCRAM-SHA-256"}
	e.TLS = &probe.TLSReport{Version: "1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Group: "X25519MLKEM768", Certificates: []probe.CertificateReport{
		certificate("CN="+host, "CN=Example Trust R11,O=Example Trust,C=ZZ", host, 71),
		certificate("CN=Example Trust R11,O=Example Trust,C=ZZ", "CN=Example Root X1,O=Example Trust,C=ZZ", "", 900),
	}}
	return e
}

func certificate(subject, issuer, name string, days int) probe.CertificateReport {
	c := probe.CertificateReport{
		Subject: subject, Issuer: issuer, NotBefore: started.AddDate(0, 0, min(days, 71)-90), NotAfter: started.AddDate(0, 0, days).Add(6 * time.Hour),
		Serial: "04f1c2", SHA256: strings.Repeat("9f3c", 16), SPKISHA256: strings.Repeat("a1b2", 16), KeyType: "ecdsa", KeyBits: 256, SignatureAlgorithm: "ECDSA-SHA256",
	}
	if name != "" {
		c.DNSNames = []string{name, "www." + name}
	}
	return c
}

// set changes a check of all endpoints of a port, 0 for all ports, and holds what comes after a failed one.
func set(t *probe.TargetReport, port int, id string, status probe.Status, summary string) {
	for _, e := range t.Endpoints {
		if port != 0 && e.Port != port {
			continue
		}
		hold := false
		for i := range e.Checks {
			c := &e.Checks[i]
			switch {
			case c.ID == id:
				c.Status, c.Summary = status, summary
				hold = status == probe.Fail
			case hold && c.Status == probe.Pass && (id == "tcp.connect" || !strings.HasPrefix(c.ID, "cert.") && !strings.HasPrefix(c.ID, "imap.")):
				c.Status, c.BlockedBy, c.Summary, c.DurationMS = probe.Held, id, "not reached", 0
			}
		}
	}
}

func at(f finding.Finding, target int, check, endpoint string) finding.Finding {
	f.Target, f.Check = &target, check
	if endpoint != "" {
		f.Endpoint = &endpoint
	}
	return f
}

func healthyServer() *probe.Report { return report(target(probe.RoleServer, "mail.example.org")) }

func healthyPair() *probe.Report {
	r := report(target(probe.RoleSource, "imap.old-isp.example"), target(probe.RoleDest, "mx1.hoster.example"))
	r.Schema = "imapilot.preflight/1"
	r.Pair = &probe.Pair{
		Folders: 42, Messages: 67310, Bytes: 19542101196, EstimateSeconds: 20400,
		Checks: []probe.Result{
			{ID: "pair.mailbox", Status: probe.Pass, DurationMS: 0.2, Summary: "two mailboxes"},
			{ID: "pair.space", Status: probe.Skip, Summary: "not examined"},
			{ID: "pair.names", Status: probe.Pass, Summary: "42 folders, 7 to be created"},
			{ID: "pair.flags", Status: probe.Skip, Summary: "not examined"},
		},
	}
	return r
}

func expiredFinding(endpoint string) finding.Finding {
	f := finding.New("cert.expired", "the certificate expired on 2026-05-21 20:02 UTC, 2 days ago",
		"the certificate was not renewed, or was renewed and the server still shows the old one")
	f.Remedies = []finding.Remedy{
		{Text: "the server's administrator has to renew the certificate and reload the mail server"},
		{Text: "if the server's administrator confirms that this is the server's key, pin it", Apply: map[string]string{"pin": "sha256/oaGyorGhsqKxobKisaGyorGhsqKxobKisaGyorGhsqI="}},
	}
	f.Evidence = map[string]any{"not_after": "2026-05-21T20:02:13Z", "index": 0}
	f.Reproduce = []string{"openssl s_client -connect mail.example.org:993 -servername mail.example.org </dev/null | openssl x509 -noout -dates"}
	if strings.Contains(endpoint, ":143") {
		f.Reproduce[0] = "openssl s_client -connect mail.example.org:143 -starttls imap -servername mail.example.org </dev/null | openssl x509 -noout -dates"
	}
	return at(f, 0, "cert.dates", endpoint)
}

func expired() *probe.Report {
	t := target(probe.RoleServer, "mail.example.org")
	t.Recommended = nil
	set(t, 0, "cert.dates", probe.Fail, "the certificate expired on 2026-05-21 20:02 UTC, 2 days ago")
	r := report(t)
	r.Verdict, r.ExitCode = probe.Blocked, 12
	r.Findings = []finding.Finding{expiredFinding("mail.example.org:993/tls"), expiredFinding("mail.example.org:143/starttls")}
	return r
}

func twoBlocked() *probe.Report {
	source, dest := target(probe.RoleSource, "imap.old-isp.exmaple"), target(probe.RoleDest, "mx1.hoster.example")
	source.Recommended, dest.Recommended = nil, nil
	source.Endpoints = nil
	source.Checks[0].Status, source.Checks[0].Summary = probe.Fail, "the name imap.old-isp.exmaple was not found"
	set(dest, 993, "auth.login", probe.Fail, "")
	r := report(source, dest)
	r.Schema, r.Verdict, r.ExitCode = "imapilot.preflight/1", probe.Blocked, 10
	r.Pair = &probe.Pair{Checks: []probe.Result{
		{ID: "pair.mailbox", Status: probe.Held, BlockedBy: "dns.lookup"},
		{ID: "pair.names", Status: probe.Held, BlockedBy: "dns.lookup"},
	}}
	nx := finding.New("dns.nxdomain", "the name imap.old-isp.exmaple was not found",
		"the resolver of this computer knows no address for this name: it is misspelt, does not exist, or has no address")
	nx.Remedies = []finding.Remedy{{Text: "check the spelling of imap.old-isp.exmaple in the mail provider's instructions"}}
	nx.Reproduce = []string{"dig imap.old-isp.exmaple A"}
	auth := finding.New("auth.failed", "mx1.hoster.example:993 refused the sign-in; the server said: [AUTHENTICATIONFAILED] Authentication failed.",
		"the user name or the password is not right")
	auth.Certainty = finding.Likely
	auth.Remedies = []finding.Remedy{
		{Text: "check the user name: many servers want the whole e-mail address"},
		{Text: "ask the server in another way", Apply: map[string]string{"dest-auth": "PLAIN"}},
	}
	auth.Reproduce = []string{"openssl s_client -connect 198.51.100.4:993 -servername mx1.hoster.example -crlf -quiet # then type: a1 LOGIN USER PASSWORD"}
	r.Findings = []finding.Finding{at(nx, 0, "dns.lookup", ""), at(auth, 1, "auth.login", "mx1.hoster.example:993/tls")}
	return r
}

func sameMailbox() *probe.Report {
	r := healthyPair()
	r.Verdict, r.ExitCode = probe.Blocked, 2
	f := finding.New("pair.same-mailbox", "source and destination are the same mailbox", "host, port and user are equal on both sides")
	f.Check = "pair.mailbox"
	r.Findings = []finding.Finding{f}
	return r
}

// onePort works on 143 only, IPv6 is dead there, and there is a note.
func onePort() *probe.Report {
	t := target(probe.RoleServer, "mail.example.org")
	set(t, 993, "tcp.connect", probe.Fail, "mail.example.org:993 refuses connections")
	t.Recommended.Port, t.Recommended.Security, t.Recommended.Connections = 143, "starttls", 2
	dead := t.Endpoints[3]
	for i := range dead.Checks {
		if c := &dead.Checks[i]; c.Status == probe.Pass {
			*c = probe.Result{ID: c.ID, Status: probe.Held, BlockedBy: "tcp.connect"}
		}
	}
	dead.Checks[0] = probe.Result{ID: "tcp.connect", Status: probe.Warned, DurationMS: 5003, Summary: "mail.example.org:143 answers over IPv4 and not over IPv6"}
	dead.TLS = nil
	set(t, 993, "auth.login", probe.Skip, "not applicable: the sign-in is tried on the recommended endpoint")
	login := slices.IndexFunc(t.Endpoints[2].Checks, func(c probe.Result) bool { return c.ID == "auth.login" })
	t.Endpoints[2].Checks[login] = probe.Result{ID: "auth.login", Status: probe.Pass, DurationMS: 210, Summary: "signed in as anna@example.org with PLAIN",
		Facts: map[string]any{"user": "anna@example.org"}}

	refused := finding.New("net.refused", "mail.example.org:993 refuses connections", "the host answers, and nothing listens on this port")
	refused.Remedies = []finding.Remedy{{Text: "ask the administrator of the server to start the IMAP service on this port"}}
	refused.Reproduce = []string{"ncat -v -w 10 198.51.100.4 993"}
	v6 := finding.New("net.ipv6-dead", "mail.example.org:143 answers over IPv4 and not over IPv6", "nothing came back from 2001:db8::4 within 5 s")
	v6.Certainty = finding.Likely
	v6.Remedies = []finding.Remedy{{Text: "nothing is needed for this job: the settings use the address that works"}}
	order := finding.New("cert.chain-order", "the certificates of the chain are not in order", "the server's file was put together in the wrong order")
	r := report(t)
	r.Verdict = probe.Warning
	const plain = "mail.example.org:143/starttls"
	r.Findings = []finding.Finding{at(refused, 0, "tcp.connect", "mail.example.org:993/tls"), at(v6, 0, "tcp.connect", plain), at(order, 0, "cert.chain", plain)}
	return r
}

func noSecret() *probe.Report {
	r := healthyServer()
	login := slices.IndexFunc(r.Targets[0].Endpoints[0].Checks, func(c probe.Result) bool { return c.ID == "auth.login" })
	r.Targets[0].Endpoints[0].Checks[login] = probe.Result{ID: "auth.login", Status: probe.Held, BlockedBy: "input.secret", Summary: "no password was given"}
	return r
}

// pinned has a self-signed certificate whose key was pinned.
func pinned() *probe.Report {
	r := healthyServer()
	pin := "sha256/oaGyorGhsqKxobKisaGyorGhsqKxobKisaGyorGhsqI="
	r.Targets[0].Recommended.Pin = &pin
	f := finding.New("cert.self-signed", "the certificate is signed by itself", "no authority vouches for it; the pinned key stands in for it")
	f.Severity = finding.Info
	r.Findings = []finding.Finding{at(f, 0, "cert.chain", "mail.example.org:993/tls")}
	return r
}

// hostile is what a server might say to move the cursor, to write to the clipboard or to print a verdict of its own.
const hostile = "no\x1b[2J\x1b]52;c;aGk=\x07\u009b31m \u202ednes\r\nready\n"

func hostileServer() *probe.Report {
	t := target(probe.RoleServer, "mail.example.org")
	t.Recommended = nil
	set(t, 0, "imap.greeting", probe.Fail, "the server said: "+hostile)
	r := report(t)
	r.Verdict, r.ExitCode = probe.Blocked, 10
	f := finding.New("imap.bye", "mail.example.org:993 does not want to talk now; the server said: "+hostile, hostile)
	f.Remedies = []finding.Remedy{{Text: hostile, Apply: map[string]string{"server-name": hostile}}}
	f.Evidence = map[string]any{"server_text": hostile}
	f.Reproduce = []string{"openssl s_client -connect " + hostile}
	r.Findings = []finding.Finding{at(f, 0, "imap.greeting", "mail.example.org:993/tls")}
	for _, e := range t.Endpoints {
		e.TLS.Certificates[0].Subject = "CN=" + hostile
		e.Capabilities.AfterTLS = []string{hostile}
	}
	return r
}

func longNames() *probe.Report {
	host := fmt.Sprintf("xn--mller-kva.%s.mail.example.org", strings.Repeat("very-long-label", 4))
	r := report(target(probe.RoleSource, host), target(probe.RoleDest, "mail.example.org"))
	r.Verdict = probe.Warning
	f := finding.New("pair.name-changed", "2 folder names change at the destination: Projekte/Müller & Söhne → Projekte/Müller und Söhne, 受信箱/二〇一九年度 → 受信箱/2019",
		"the destination cannot hold these names as they are")
	f.Check = "pair.names"
	soon := at(finding.New("cert.expires-soon", "the certificate of "+host+" ends in 6 days", "it should have been renewed by now"), 0, "cert.dates", host+":993/tls")
	set(r.Targets[0], 993, "cert.dates", probe.Warned, "valid until 2026-05-30, 6 days left")
	r.Pair = &probe.Pair{Folders: 1, Messages: 1, Bytes: 900, Checks: []probe.Result{{ID: "pair.names", Status: probe.Pass, Summary: "1 folder"}}}
	r.Findings = []finding.Finding{f, soon}
	return r
}

func emailAsHost() *probe.Report {
	t := &probe.TargetReport{Role: probe.RoleSource, Input: "anna@example.org", Checks: []probe.Result{{ID: "dns.lookup", Status: probe.Held, BlockedBy: "", Summary: "no host was given"}}}
	r := report(t)
	r.Verdict, r.ExitCode = probe.Blocked, 2
	f := finding.New("input.email-as-host", "anna@example.org is a mail address, not a server", "a mail address does not say which server holds its mail")
	f.Remedies = []finding.Remedy{{Text: "give the server and the user apart", Apply: map[string]string{"source": "imaps://HOST", "source-user": "anna@example.org"}}}
	r.Findings = []finding.Finding{at(f, 0, "", "")}
	return r
}

// full has 993 dropped on the way, and the lists of --full on 143.
func full() *probe.Report {
	t := target(probe.RoleServer, "mail.example.org")
	set(t, 993, "tcp.connect", probe.Fail, "mail.example.org:993 does not answer")
	t.Recommended.Port, t.Recommended.Security = 143, "starttls"
	for _, e := range t.Endpoints {
		if e.Port == 993 {
			e.TLS, e.Capabilities = nil, probe.Capabilities{}
			continue
		}
		e.TLS.Versions = map[string]bool{"1.3": true, "1.2": true, "1.1": false, "1.0": false, "ssl3": false}
		e.TLS.CipherSuites = map[string][]string{"1.3": {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"}, "1.2": {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, "1.1": nil}
		e.TLS.Groups = []string{"X25519MLKEM768", "x25519", "secp256r1"}
	}
	t.Path = &probe.Path{Hops: []probe.Hop{{TTL: 1, Address: "192.0.2.1", RTTMS: 0.4}, {TTL: 2}, {TTL: 3, Address: "203.0.113.9", RTTMS: 7.2}},
		ActsAt: &probe.Hop{TTL: 3, Address: "203.0.113.9", How: "drop"}}
	dropped := finding.New("net.dropped", "mail.example.org:993 does not answer: nothing came back within 10 s", "something on the way, or the server's own firewall, throws the packets away")
	dropped.Certainty = finding.Likely
	dropped.Reproduce = []string{"traceroute -T -p 993 198.51.100.4"}
	r := report(t)
	r.Verdict = probe.Warning
	r.Findings = []finding.Finding{at(dropped, 0, "tcp.connect", "mail.example.org:993/tls")}
	return r
}
