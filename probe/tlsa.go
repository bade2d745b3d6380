package probe

import (
	"context"
	"crypto/x509"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/imapilot-project/imapilot/probe/dns"
	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
)

// A tlsaQuestion is about one port of a host.
type tlsaQuestion struct {
	host   string
	port   uint16
	answer dns.Answer // once it ended
}

// askTLSA asks for the records of the endpoint, unless asked holds its port already, and returns the questions so far.
func askTLSA(ctx context.Context, running *sync.WaitGroup, client *dns.Client, asked []*tlsaQuestion, ep imapdial.Endpoint) []*tlsaQuestion {
	q := &tlsaQuestion{host: ep.Host, port: ep.EffectivePort()}
	if ep.Security == imapdial.Cleartext || slices.ContainsFunc(asked, func(other *tlsaQuestion) bool { return other.port == q.port }) {
		return asked
	}
	running.Go(func() { q.answer = client.Ask(ctx, dns.TLSAName(q.host, q.port), dns.TypeTLSA) })
	return append(asked, q)
}

// tlsaOutcome compares the certificates that were seen with those that the domain has published.
func (t *targetRun) tlsaOutcome(questions []*tlsaQuestion) outcome {
	var out outcome
	published, answered := map[string]any{}, false
	for _, q := range questions {
		out.took = max(out.took, q.answer.Took)
		answered = answered || q.answer.Outcome.Definite()
		records := q.answer.TLSA()
		if len(records) == 0 {
			continue
		}
		texts := []any{}
		for _, r := range records {
			texts = append(texts, r.String())
		}
		published[strconv.Itoa(int(q.port))] = map[string]any{"records": texts, "authentic": q.answer.Authentic}
		out.findings = append(out.findings, t.compareTLSA(q, records)...)
	}
	switch {
	case !answered:
		return outcome{status: Skip, summary: "not known: no name server answered in time"}
	case len(out.findings) > 0:
		out.summary = out.findings[0].Summary
	case len(published) > 0:
		out.summary = "nothing contradicts the TLSA records"
	default:
		out.summary = "no TLSA records"
	}
	out.facts = map[string]any{"ports": published}
	return out
}

// compareTLSA judges the endpoints on the port of q by its records. Without DNSSEC records say nothing (RFC 7671 section 4.1); where none is
// of a kind that is understood, it is as if there were none.
func (t *targetRun) compareTLSA(q *tlsaQuestion, records []dns.TLSA) []finding.Finding {
	var seen, wrong []*subject
	for _, s := range t.subjects {
		if s.ep.EffectivePort() != q.port || s.facts == nil || s.facts.TLS == nil || len(s.facts.TLS.Chain) == 0 {
			continue
		}
		seen = append(seen, s)
		if !s.meets(records) {
			wrong = append(wrong, s)
		}
	}
	switch {
	case !slices.ContainsFunc(records, dns.TLSA.Usable):
		return nil
	case !q.answer.Authentic:
		return []finding.Finding{t.unsignedFinding(q)}
	case len(wrong) > 0:
		return []finding.Finding{t.mismatchFinding(q, wrong, len(wrong) < len(seen))}
	}
	return nil
}

// meets reports whether the endpoint's certificates meet one of the records.
func (s *subject) meets(records []dns.TLSA) bool {
	chain := s.facts.TLS.Chain
	matches := func(r dns.TLSA) bool { return r.Matches(chain) }
	if slices.ContainsFunc(records, matches) {
		return true
	}
	// A record may name the root, which servers do not send.
	chain = s.toRoot()
	return slices.ContainsFunc(records, func(r dns.TLSA) bool { return r.Usage == 0 && r.Matches(chain) })
}

// roots are the system's and those of --ca-file.
func (t *Target) roots() *x509.CertPool {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM([]byte(t.TLS.CAs))
	return roots
}

// toRoot returns the chain from the leaf to a root that is trusted here, or what was sent where there is none.
func (s *subject) toRoot() []*x509.Certificate {
	sent := s.facts.TLS.Chain
	intermediates := x509.NewCertPool()
	for _, c := range sent[1:] {
		intermediates.AddCert(c)
	}
	chains, err := sent[0].Verify(x509.VerifyOptions{
		Roots: s.target.roots(), Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		CurrentTime: sent[0].NotAfter.Add(-time.Second), // its dates are judged elsewhere
	})
	if err != nil {
		return sent
	}
	return chains[0]
}

func (t *targetRun) mismatchFinding(q *tlsaQuestion, wrong []*subject, some bool) finding.Finding {
	name := dns.TLSAName(q.host, q.port)
	s := wrong[0]
	summary := "the certificate on port " + strconv.Itoa(int(q.port)) + " is not the one that the domain publishes in " + name
	if some {
		summary += ", at some of its addresses"
	}
	f := s.finding("dns.tlsa-mismatch", summary,
		"the TLSA records are signed with DNSSEC: the certificate was changed without them, or someone else answers in the server's name")
	f.Remedies = advice("tell the server's administrator before a password goes there",
		"the server's administrator has to publish a record for the certificate in use; for its key it is: 3 1 1 "+keyDigest(s))
	var addresses, texts []any
	for _, w := range wrong {
		addresses = append(addresses, w.address.String())
	}
	for _, r := range q.answer.TLSA() {
		texts = append(texts, r.String())
	}
	f.Evidence["addresses"], f.Evidence["records"], f.Evidence["served"], f.Evidence["resolver"] = addresses, texts, "3 1 1 "+keyDigest(s), q.answer.Server
	f.Reproduce = []string{t.dig(name, "TLSA", "+dnssec")}
	if record := q.answer.TLSA()[0].String(); !strings.HasSuffix(record, "…") {
		f.Reproduce = append(f.Reproduce, s.openssl("-dane_tlsa_domain "+quote(q.host), "-dane_tlsa_rrdata "+quote(record)))
	}
	return f
}

// keyDigest is the digest of the endpoint's key as a record has it.
func keyDigest(s *subject) string { return certificateReport(s.facts.TLS.Chain[0]).SPKISHA256 }

func (t *targetRun) unsignedFinding(q *tlsaQuestion) finding.Finding {
	name := dns.TLSAName(q.host, q.port)
	f := finding.New("dns.tlsa-unsigned", "the TLSA records of "+name+" are not secured by DNSSEC and were not used",
		"the zone is not signed, or the resolver "+q.answer.Server+" does not validate; without that the records could be anyone's")
	i := slices.IndexFunc(t.subjects, func(s *subject) bool { return s.ep.EffectivePort() == q.port })
	endpoint := t.subjects[i].ep.String()
	f.Target, f.Endpoint = &t.index, &endpoint
	f.Remedies = advice("nothing is needed for this job: the certificate is checked in the usual way",
		"whoever keeps the domain's DNS can sign the zone, or take the records out")
	texts := []any{}
	for _, r := range q.answer.TLSA() {
		texts = append(texts, r.String())
	}
	f.Evidence = map[string]any{"addresses": []any{t.subjects[i].address.String()}, "records": texts, "resolver": q.answer.Server}
	f.Reproduce = []string{t.dig(name, "TLSA", "+dnssec")}
	return f
}
