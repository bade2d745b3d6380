package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/hello"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// scanAll enumerates what each port supports (--full): once a port and mode, over the first family that shows TLS there.
func (t *targetRun) scanAll(ctx context.Context) {
	var running sync.WaitGroup
	scanned := map[imapdial.Endpoint]family{}
	for _, s := range t.subjects {
		if !s.worthScanning() {
			continue
		}
		port := s.ep
		port.Connect, port.TLS = "", imapdial.TLSPolicy{}
		if first, again := scanned[port]; again {
			t.live.change(func() { s.scanSkip = "not repeated: asked over " + first.String() })
			continue
		}
		scanned[port] = s.family
		running.Go(func() {
			scan := t.scan(ctx, s)
			t.live.change(func() { s.scan = scan })
			t.publish()
		})
	}
	running.Wait()
	t.live.change(func() {
		for _, s := range t.subjects {
			s.scanEnded = true
		}
	})
}

// worthScanning reports whether the endpoint came to a ClientHello and did not show that there is something else than TLS.
func (s *subject) worthScanning() bool {
	return s.saidHello() && (speaksTLS(s.facts) || len(s.facts.FirstBytes) == 0 && !isTimeout(s.facts.Err))
}

// saidHello reports whether the connection came as far as our ClientHello.
func (s *subject) saidHello() bool {
	return s.facts != nil && s.facts.Took[imapdial.StageHandshake] > 0
}

// scan enumerates one endpoint, on bare connections that nothing can sign in on.
func (t *targetRun) scan(ctx context.Context, s *subject) *hello.Scan {
	limit := t.prober.timeout()
	scanner := &hello.Scanner{
		ServerName: s.ep.ServerName(), Timeout: limit,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return imapdial.BeforeTLS(ctx, s.ep, t.prober.options(t.dialer(), limit))
		},
	}
	scan := scanner.Run(ctx)
	if s.large != nil || s.shookHands() && !scan.Versions[hello.Version(s.facts.TLS.State.Version)] {
		// Hellos as long as the scan's get lost here: what was not answered says nothing of the server.
		maps.DeleteFunc(scan.Versions, func(_ hello.Version, has bool) bool { return !has })
		scan.DHEAborts = false
		scan.Unfinished = append(scan.Unfinished, "all of it: long ClientHellos do not pass")
	}
	return scan
}

// fullGate lets the three checks of --full run when there is a scan to judge.
func fullGate(s *subject) (Result, bool) {
	if !s.full {
		return notAsked("--full")(s)
	}
	if r, decided := onlyTLS(s); decided {
		return r, true
	}
	switch {
	case s.scanSkip != "":
		return Result{Status: Skip, Summary: s.scanSkip}, true
	case s.scan != nil || !s.saidHello():
		return Result{}, false
	case !s.scanEnded:
		return Result{}, true
	}
	return Result{Status: Held, BlockedBy: "tls.handshake", Summary: "not reached: the TLS handshake showed no TLS server"}, true
}

// tlsVersions judges the protocol versions, and how the server takes ALPN.
func tlsVersions(s *subject) outcome {
	scan := s.scan
	versions := map[string]any{}
	var has, old []string
	for _, v := range []hello.Version{hello.TLS13, hello.TLS12, hello.TLS11, hello.TLS10, hello.SSL3, hello.SSL2} {
		supported, known := scan.Versions[v]
		if !known {
			continue
		}
		versions[v.String()] = supported
		if supported {
			has = append(has, protocolName(v))
		}
		if supported && v < hello.TLS12 {
			old = append(old, protocolName(v))
		}
	}
	out := outcome{took: scan.Took, summary: strings.Join(has, ", "), facts: map[string]any{
		"versions": versions, "connections": scan.Connections, "unfinished": anyList(scan.Unfinished)}}
	if len(has) == 0 {
		out.summary = "no version could be seen"
	}
	if len(scan.Unfinished) > 0 {
		out.summary += "; not finished: " + strings.Join(scan.Unfinished, ", ")
	}
	if scan.Handshake {
		out.facts["without_name"] = map[string]any{"accepted": scan.WithoutName, "same_certificate": scan.SameCertificate}
		out.facts["alpn_imap_accepted"] = !scan.ALPNRejected
		out.facts["resumes"] = scan.Resumes
	}
	if len(old) > 0 {
		out.findings = append(out.findings, s.legacyVersion(old))
	}
	if scan.ALPNRejected {
		f := s.tlsFinding("tls.alpn-rejected", s.hostPort()+" refuses clients that name the protocol imap with ALPN",
			"the server, or a balancer before it, has a list of protocols without imap; imapilot itself offers none",
			"nothing is needed for this job", "the server's administrator can add imap to the list, or have the mail ports ignore ALPN")
		f.Reproduce = []string{s.openssl("-alpn", "imap")}
		out.findings = append(out.findings, f)
	}
	return out
}

// protocolName is a version as people write it.
func protocolName(v hello.Version) string {
	if v < hello.TLS10 {
		return v.String()
	}
	return "TLS " + v.String()
}

func (s *subject) legacyVersion(old []string) finding.Finding {
	f := s.tlsFinding("tls.legacy-version", s.hostPort()+" still accepts "+strings.Join(old, ", "),
		"versions before TLS 1.2 must not be used any more; that they are enabled lets others be talked into them (RFC 8996)",
		"nothing is needed for this job: it uses the best version that the server has",
		"the server's administrator can set the lowest version to TLS 1.2 (Dovecot: ssl_min_protocol)")
	f.Evidence["versions"] = anyList(old)
	f.Reproduce = []string{s.openssl("-tls1", "-cipher", "'ALL:@SECLEVEL=0'")}
	return f
}

// tlsSuites judges the cipher suites.
func tlsSuites(s *subject) outcome {
	scan := s.scan
	total := 0
	lists := map[string]any{}
	for v, list := range scan.Suites {
		lists[v.String()] = anyList(names(list))
		total += len(list)
	}
	out := outcome{summary: count(total, "cipher suite", "cipher suites"), facts: map[string]any{
		"cipher_suites": lists, "dh_bits": scan.DHBits, "dhe_aborts": scan.DHEAborts}}
	if scan.Scheme != 0 {
		out.facts["signature_scheme"] = tls.SignatureScheme(scan.Scheme).String()
	}
	if scan.ServerOrder != nil {
		out.facts["server_order"] = *scan.ServerOrder
		out.summary += map[bool]string{true: ", the server chooses", false: ", the client chooses"}[*scan.ServerOrder]
	}
	if f, weak := s.weakCipher(); weak {
		out.findings = append(out.findings, f)
	}
	if scan.DHEAborts {
		f := s.tlsFinding("tls.dhe-aborts", s.hostPort()+" breaks the connection off when the client prefers DHE",
			"the server's list has DHE suites, and it has no Diffie-Hellman parameters for them",
			"nothing is needed for this job: imapilot offers no DHE",
			"the server's administrator can take DHE out of the list, or give the server parameters (Dovecot: ssl_cipher_list, ssl_dh)")
		f.Reproduce = []string{s.openssl("-tls1_2", "-cipher", "'DHE+AESGCM:ECDHE+AESGCM'")}
		out.findings = append(out.findings, f)
	}
	return out
}

// minDHBits is the least size of a finite field (RFC 9325 section 4.4).
const minDHBits = 2048

// weakCipher names the suites that must not be used, and a Diffie-Hellman group that is too small.
func (s *subject) weakCipher() (finding.Finding, bool) {
	var weak []string
	for _, list := range s.scan.Suites {
		for _, suite := range list {
			if suite.Weak() {
				weak = append(weak, suite.String())
			}
		}
	}
	slices.Sort(weak)
	weak = slices.Compact(weak)
	small := s.scan.DHBits > 0 && s.scan.DHBits < minDHBits
	what := fmt.Sprintf("a Diffie-Hellman group of %d bits", s.scan.DHBits)
	switch {
	case len(weak) > 0 && small:
		what = count(len(weak), "weak cipher suite", "weak cipher suites") + " and " + what
	case len(weak) > 0:
		what = count(len(weak), "weak cipher suite", "weak cipher suites") + ", such as " + weak[0]
	case !small:
		return finding.Finding{}, false
	}
	f := s.tlsFinding("tls.weak-cipher", s.hostPort()+" accepts "+what,
		"these protect nothing, or can be broken by those who invest enough (RFC 9325 section 4.1)",
		"nothing is needed for this job: imapilot offers none of them",
		"the server's administrator can go back to the TLS library's default list, with Diffie-Hellman groups of 2048 bits or more")
	f.Evidence["cipher_suites"], f.Evidence["dh_bits"] = anyList(weak), s.scan.DHBits
	f.Reproduce = []string{s.openssl("-tls1_2", "-cipher", "'NULL:aNULL:EXPORT:RC4:DES:3DES:MD5:@SECLEVEL=0'")}
	if len(weak) == 0 {
		f.Reproduce = []string{s.openssl("-tls1_2", "-cipher", "'DHE:@SECLEVEL=0'")}
	}
	return f, true
}

// tlsGroups shows the key exchange groups.
func tlsGroups(s *subject) outcome {
	list := names(s.scan.Groups)
	out := outcome{summary: count(len(list), "group", "groups"), facts: map[string]any{"groups": anyList(list)}}
	if i := slices.IndexFunc(list, func(name string) bool { return strings.Contains(name, "MLKEM") }); i >= 0 {
		out.summary += ", " + list[i] + " against quantum computers among them"
	}
	return out
}

// addScan puts what --full found into the description of a handshake.
func (r *TLSReport) addScan(scan *hello.Scan) {
	r.Versions, r.CipherSuites, r.Groups = map[string]bool{}, map[string][]string{}, names(scan.Groups)
	for v, has := range scan.Versions {
		r.Versions[v.String()] = has
	}
	for v, list := range scan.Suites {
		r.CipherSuites[v.String()] = names(list)
	}
}

// names writes numbers of a registry as their names.
func names[T fmt.Stringer](list []T) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, v.String())
	}
	return out
}

// anyList is a list of our own words as a value for facts and evidence.
func anyList(list []string) []any {
	out := make([]any, 0, len(list))
	for _, v := range list {
		out = append(out, v)
	}
	return out
}
