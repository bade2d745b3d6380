package probe

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// certDates judges how long the certificate is valid.
func certDates(s *subject) outcome {
	leaf := s.facts.TLS.Chain[0]
	days := math.Floor(leaf.NotAfter.Sub(s.facts.Started).Hours() / 24)
	return s.certOutcome("cert.dates", fmt.Sprintf("valid until %s, %.0f days left", leaf.NotAfter.UTC().Format(time.DateOnly), days),
		map[string]any{"not_before": leaf.NotBefore.UTC().Format(time.RFC3339), "not_after": leaf.NotAfter.UTC().Format(time.RFC3339), "days_left": int(days)})
}

// certName judges whether the certificate is for the host.
func certName(s *subject) outcome {
	return s.certOutcome("cert.name", "the certificate is for "+s.ep.ServerName(),
		map[string]any{"server_name": s.ep.ServerName(), "names": stringList(allNames(s.facts.TLS.Chain[0]))})
}

// certChain judges whether the chain leads to a root that is trusted, and what was sent of it.
func certChain(s *subject) outcome {
	chain := s.facts.TLS.Chain
	return s.certOutcome("cert.chain", fmt.Sprintf("%s sent, issued by %s", count(len(chain), "certificate", "certificates"), issuerName(chain[0])),
		map[string]any{"sent": len(chain)}, s.inspection()...)
}

// certKey judges the key, its signatures and the pins.
func certKey(s *subject) outcome {
	leaf := s.facts.TLS.Chain[0]
	keyType, bits := keyOf(leaf)
	return s.certOutcome("cert.key", fmt.Sprintf("%s key of %d bits", strings.ToUpper(keyType), bits),
		map[string]any{"key_type": keyType, "key_bits": bits, "pin": imapdial.Pin(leaf), "pin_matched": s.facts.Pin != ""}, s.portsDiffer()...)
}

// certOutcome is the outcome of the check with the faults that belong to it and what was found besides, or good. What sums up others takes their
// place (contract 4): a wrong clock that of dates.
func (s *subject) certOutcome(check, good string, facts map[string]any, besides ...finding.Finding) outcome {
	out := outcome{summary: good, facts: facts}
	for _, fault := range s.facts.Faults {
		fault = s.extras.issuer.explained(fault)
		row, ok := faultRows[fault.Kind]
		if !ok || row.check != check {
			continue
		}
		if clock := s.extras.clock; clock != nil {
			switch fault.Kind {
			case imapdial.FaultExpired, imapdial.FaultNotYetValid:
				row, fault.Detail = clockRow(row), clock.summary()
			case imapdial.FaultStapleStale:
				continue
			}
		}
		out.findings = append(out.findings, s.faultFinding(row, fault))
	}
	out.findings = append(out.findings, besides...)
	if len(out.findings) > 0 {
		slices.SortStableFunc(out.findings, func(a, b finding.Finding) int {
			return cmp.Compare(severityRank(a.Severity), severityRank(b.Severity))
		})
		out.summary = out.findings[0].Summary
	}
	return out
}

// faultFinding makes a finding of a fault. What the policy refuses blocks, whatever the catalogue says: no target may be called
// usable that Dial would refuse. What a pin stands in for is for the record (contract 2.1).
func (s *subject) faultFinding(row faultRow, fault imapdial.Fault) finding.Finding {
	f := s.finding(row.code, fault.Detail, row.cause)
	if row.code == "local.clock-wrong" {
		f.Cause, f.Certainty = s.extras.clock.how, s.extras.clock.certainty
	}
	switch {
	case fault.Blocking:
		f.Severity = finding.Block
	case s.facts.Pin != "" && row.pinnable:
		f.Severity = finding.Info
		f.Cause += "; the pinned key stands in for it"
	case f.Severity == finding.Block:
		f.Severity = finding.High
	}
	if cert := fault.Cert; cert != nil {
		f.Evidence["subject"], f.Evidence["issuer"] = wire.Printable(cert.Subject.String()), wire.Printable(cert.Issuer.String())
		f.Evidence["not_before"], f.Evidence["not_after"] = cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339)
		f.Evidence["index"] = fault.Index
	}
	if related := fault.Related; related != nil {
		f.Evidence["known"], f.Evidence["known_pin"] = wire.Printable(related.Subject.String()), imapdial.Pin(related)
	}
	f.Remedies = advice(row.remedies...)
	if row.code == "cert.name-mismatch" && f.Severity == finding.Block {
		f.Remedies = append(s.nameRemedies(s.leaf()), f.Remedies...)
	}
	if f.Severity == finding.Block && row.caFile {
		f.Remedies = append(f.Remedies, finding.Remedy{Text: "if the authority is your own, give its root certificate with --" + s.flag("ca-file") + " FILE"})
	}
	f.Remedies = append(f.Remedies, s.certRemedies(row, f.Severity)...)
	s.weigh(&f, fault)
	s.extras.issuer.tellOf(&f, row)
	s.extras.revocation.tell(&f)
	f.Reproduce = []string{s.openssl(row.openssl...)}
	if row.check == "cert.name" {
		f.Evidence["names"], f.Evidence["same_address"] = stringList(allNames(s.facts.TLS.Chain[0])), stringList(s.extras.sameAddress)
		f.Reproduce = []string{s.openssl(s.verifyOption())}
	}
	return f
}

// certRemedies are those that a flag puts into effect.
func (s *subject) certRemedies(row faultRow, severity finding.Severity) []finding.Remedy {
	if severity != finding.Block || row.code == "local.clock-wrong" { // a pin would hide the clock
		return nil
	}
	if row.pinnable || row.code == "cert.pin-mismatch" {
		return []finding.Remedy{s.apply("if the server's administrator confirms that this is the server's key, pin it", "pin", imapdial.Pin(s.leaf()))}
	}
	return nil
}

// nameRemedies propose names of the certificate: those that lead to the very address, which needs nobody's word, else the first that is a host's.
func (s *subject) nameRemedies(leaf *x509.Certificate) []finding.Remedy {
	var remedies []finding.Remedy
	for _, name := range s.extras.sameAddress[:min(len(s.extras.sameAddress), 3)] {
		remedies = append(remedies, s.apply("use the name "+name+": the certificate is for it, and it leads to the same address", "server-name", name))
	}
	if len(remedies) > 0 {
		return remedies
	}
	for _, name := range certNames(leaf) {
		if !strings.Contains(name, "*") {
			return []finding.Remedy{s.apply("if this server really is "+name+", accept that name", "server-name", name)}
		}
	}
	return nil
}

// weigh sets how sure a finding is, and who is to act, where the evidence says other than the catalogue.
func (s *subject) weigh(f *finding.Finding, fault imapdial.Fault) {
	switch fault.Kind {
	case imapdial.FaultImitatedIssuer:
		f.Certainty = finding.Likely
		if s.otherAuthority() {
			f.Responsible = finding.LocalNetwork
		}
	case imapdial.FaultNoRoots:
		f.Certainty = finding.Likely
		if fault.Related != nil {
			f.Certainty = finding.Certain
			f.Cause = "without root certificates no server can be recognised; by the list of public roots that imapilot has built in, this server is fine"
		}
	case imapdial.FaultIncompleteChain:
		if got := s.extras.issuer; got == nil || len(got.issuers) == 0 {
			f.Certainty = finding.Likely
		}
	}
}

// allNames are the names that a certificate is for, SRV-IDs included.
func allNames(cert *x509.Certificate) []string {
	return append(certNames(cert), printableList(imapdial.SRVNames(cert))...)
}
